"""What `stats`, `health` and `dead_letter_stats` return, under the names that `-o json` prints.

The supervisor sends them as plain values with names. A field that a newer runtime has more is passed over, and one that
an older runtime does not tell has its default: so fields are only ever added, with defaults.
"""

from typing import Any, TypeVar

import msgspec

from caxton.errors import InvalidMessageFormat

A = TypeVar("A")


class WorkerHealth(msgspec.Struct, frozen=True):
    """One worker. agents: registered there. restarts: after deaths; planned_restarts: after ends that were asked for.

    state: starting, ready, restarting, draining, failed (its worker died too often) or quarantined (its file is
    damaged). pid, incarnation: 0 while there is no process. agents_broken: agents that are left alone for a while,
    because their circuit breaker is open. agents_failed: agents that workers died of, until somebody resumes them.
    """

    shard: int
    pid: int
    incarnation: int
    state: str
    restarts: int
    agents: int
    resident_bytes: int
    planned_restarts: int
    last_exit: str | None = None
    agents_broken: int = 0
    agents_failed: int = 0


class HealthReason(msgspec.Struct, frozen=True):
    """Why health is not what it might be. docs/operating.md lists them by name.

    level: problem, which degrades health, or warning. shard: None when it is not of one. text: what is so. advice: what
    to do. since: ms since 1970.
    """

    name: str
    level: str
    shard: int | None
    text: str
    advice: str
    since: int


class LimitWarning(msgspec.Struct, frozen=True):
    """A limit of which 80 % is used, until it is less than 70 %. docs/operating.md lists them by name.

    shard: None when it is not of one. whose: the agent, shard or other owner whose limit it is; "" for everybody's or
    where nobody knows. have, most: in the limit's own unit. text: what is so. since: ms since 1970.
    """

    limit: str
    shard: int | None
    whose: str
    have: int
    most: int
    text: str
    since: int


class ComponentHealth(msgspec.Struct, frozen=True):
    """One part of the runtime, in this run.

    status: healthy, degraded (it has a problem) or unhealthy (a shard that does not serve). last_check: when it was
    looked at, and for a shard when its worker was last heard of, in ms since 1970. error_count: its problems that began
    and its workers that died. last_error: the last of them, also when it is over; None when there was none.
    """

    status: str
    last_check: int
    error_count: int
    last_error: str | None = None


class Health(msgspec.Struct, frozen=True):
    """status: healthy, degraded or unhealthy, with the reason: the texts of all problems. reasons: these and warnings.

    restarting: shards whose planned restart is to come. most_sessions: how many clients there may be, which follows
    from how many files a process may open. components: `shard 0` and so on, `compiler`, `files` and `clients`.
    last_error: the last of all components'; None when there was none in this run. warnings: limits that are near.
    """

    status: str
    reason: str | None
    reasons: list[HealthReason]
    uptime_s: float
    version: str
    pid: int
    runtime_dir: str
    data_dir: str
    sessions: int
    most_sessions: int
    restarting: list[int]
    workers: list[WorkerHealth]
    components: dict[str, ComponentHealth] = {}
    last_error: str | None = None
    warnings: list[LimitWarning] = []


# Counters of workers that count what came to no good end, once each.
ERRORS = ("failed", "agent_errors", "refused", "expired", "given_up", "discarded", "session_gone", "session_full")


class LatencyStats(msgspec.Struct, frozen=True):
    """How long something took in this run, in microseconds: of `count`, so large a part took no longer.

    Some are measured, each for several others, see docs/operating.md. None where nothing was. buckets: how many there
    are in each of those of `caxton.delivery.latency`, without empty ones at the end.
    """

    count: int
    p50_us: float | None = None
    p90_us: float | None = None
    p99_us: float | None = None
    p999_us: float | None = None
    buckets: list[int] = []


class RouterStats(msgspec.Struct, frozen=True):
    """What this run did, has and lost, in messages where nothing else is said.

    workers: of each its shard, incarnation and state, and its counters by name. totals: the counters of all workers of
    this run, also of those that have ended. lost: of the volatile lane, by where they were; `total` is all of them.
    sessions: clients that are connected.

    total_messages_processed: turns that ended, whichever way. errors_by_type: what came to no good end, by the name of
    its counter, and what was lost; total_errors is their sum. inbound_queue_depth: what waits for agents, on both
    lanes. outbound_queue_depth: what agents sent and waits for another shard. memory_usage_bytes: resident, of the
    supervisor and its workers. database_size_bytes: of the files of all shards. latencies: by the names of
    `caxton.delivery.latency.LATENCIES`. rates: of each counter, how much more a second in the last `rates_s` seconds.
    messages_per_second: turns of these; peak_messages_per_second: the most of this run, over a second or so.
    modules_compiled, modules_refused: by the compiler, in so many seconds in all (compile_time_s). audit_written,
    audit_missed: rows of the supervisor's audit, and those that could not be written, by kind.
    """

    uptime_s: float
    sessions: int
    most_sessions: int
    workers: list[dict[str, int | str]]
    totals: dict[str, int]
    lost: dict[str, int]
    undelivered_to_ended_sessions: int
    dropped_by_supervisor: dict[str, int]
    total_messages_processed: int = 0
    total_errors: int = 0
    errors_by_type: dict[str, int] = {}
    inbound_queue_depth: int = 0
    outbound_queue_depth: int = 0
    memory_usage_bytes: int = 0
    database_size_bytes: int = 0
    latencies: dict[str, LatencyStats] = {}
    rates: dict[str, float] = {}
    rates_s: float = 0.0
    messages_per_second: float = 0.0
    peak_messages_per_second: float = 0.0
    modules_compiled: int = 0
    modules_refused: int = 0
    compile_time_s: float = 0.0
    audit_written: dict[str, int] = {}
    audit_missed: dict[str, int] = {}


class DeadLetterStats(msgspec.Struct, frozen=True):
    """How many dead letters there are in all shards, by their reasons, and the room for them.

    oldest_message_age_ms: since the oldest of them died; None when there are none. queue_size_bytes: of their contents.
    capacity: as many may be. evicted: those that went to make room for others of the same agent, ever.
    """

    total_messages: int
    messages_by_reason: dict[str, int]
    oldest_message_age_ms: int | None
    queue_size_bytes: int
    capacity: int
    evicted: int


class ConversationStats(msgspec.Struct, frozen=True):
    """How many conversations there are in all shards, how long they are, and how many take part.

    total_active: those that go on. total_created: all since the workers started, with those that their files had.
    total_archived: those that have ended and are kept for a while. average_duration_ms: from the first to the last
    message. participants_distribution: how many of those that go on have so many participants. size_bytes, log_bytes:
    what they take in memory, about, and in the files. evicted: those that expired because there was no room. stopped:
    those that came to a limit of their own. strangers_refused, ended_refused: messages of who takes no part, and for a
    conversation that had ended.
    """

    total_active: int
    total_created: int
    total_archived: int
    average_duration_ms: int
    average_message_count: float
    participants_distribution: dict[int, int]
    size_bytes: int
    log_bytes: int
    evicted: int
    stopped: int
    strangers_refused: int
    ended_refused: int
    violations_refused: int = 0


def read_told(values: dict[str, Any], kind: type[A]) -> A:
    """Return what a supervisor told; raises InvalidMessageFormat when it is something else."""
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise InvalidMessageFormat(f"the supervisor's {kind.__name__}", str(error)) from None

"""Why health is not what it might be: every reason there is, when it holds, and what to do. Pure: numbers come in.

docs/operating.md explains each of them; a test holds it to this list.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from caxton.delivery.levels import NearLimit
from caxton.supervisor.workforce.shard import ShardState
from caxton.wire.condition import MOST_NAMED, WELL, Condition, Named
from caxton.wire.told import HealthReason

PROBLEM, WARNING = "problem", "warning"
# Of any limit, from here on a warning says that it comes near.
NEAR = 0.8
# What is answered within this is no reason: a commit, a heartbeat.
STILL_MS = 1_000
SILENT_MS = 2_000
_MIB = 1 << 20


class Kind(NamedTuple):
    """How much a reason weighs: a problem degrades health, a warning does not. And what to do about it."""

    level: str
    advice: str


KINDS = {
    "shard_starting": Kind(PROBLEM, "wait: it reads its file"),
    "shard_restarting": Kind(PROBLEM, "wait; if it happens again and again, see what the worker wrote"),
    "shard_draining": Kind(PROBLEM, "wait for its successor, or for the end"),
    "shard_failed": Kind(PROBLEM, "see what its workers wrote, then run `caxton restart`"),
    "shard_quarantined": Kind(
        PROBLEM,
        "bring back this very file and `caxton restart`, or stop and `caxton restore` a backup into a new directory",
    ),
    "worker_silent": Kind(PROBLEM, "wait: it is killed if this is no turn that may last; or pause that agent"),
    "compiler_starting": Kind(PROBLEM, "wait: modules are compiled as soon as it is ready"),
    "compiler_missing": Kind(PROBLEM, "wait; if it stays, see what the compiler wrote"),
    "gateway_missing": Kind(PROBLEM, "wait; if it stays, see what the gateway wrote, mend it and `caxton restart`"),
    "gateway_full": Kind(
        PROBLEM, "end programs that hold so much open, or wait; see `caxton health -o json`, `warnings`"
    ),
    "audit_unwritten": Kind(
        PROBLEM, "make room, or mend what the text says: rows wait, and go on by themselves; more than wait are missed"
    ),
    "files_gone": Kind(PROBLEM, "do as the text says, and let nobody tidy up the runtime's directories"),
    "clients_full": Kind(PROBLEM, "end programs, let one connection serve all tasks of each, or raise `ulimit -n`"),
    "clients_near": Kind(WARNING, "let one connection serve all tasks of a program, or raise `ulimit -n`"),
    "dead_letters_full": Kind(PROBLEM, "requeue or purge some: see `caxton deadletter stats`"),
    "dead_letters_near": Kind(WARNING, "requeue or purge some: see `caxton deadletter stats`"),
    "dead_letter_bytes_full": Kind(PROBLEM, "requeue or purge some: see `caxton deadletter stats`"),
    "dead_letter_bytes_near": Kind(WARNING, "requeue or purge some: see `caxton deadletter stats`"),
    "agent_dead_letters_full": Kind(PROBLEM, "mend the agent, then requeue or purge: `caxton deadletter list --agent`"),
    "disk_full": Kind(PROBLEM, "make room on the disk: what waits goes on by itself"),
    "commit_stands_still": Kind(PROBLEM, "look after the disk: a write to it takes long"),
    "turns_stand_still": Kind(PROBLEM, "look after the disk: who waits for it alone comes first"),
    "reads_stand_still": Kind(PROBLEM, "look after the disk: what waits there cannot be read"),
    "lane_stands_still": Kind(PROBLEM, "pause the agent that has the turns, if it does not end"),
    "keys_full": Kind(PROBLEM, "wait: each is kept for ten minutes; give keys only to what may be sent again"),
    "keys_near": Kind(WARNING, "give idempotency keys only to what may be sent again"),
    "answers_full": Kind(PROBLEM, "wait: each is kept for ten minutes; give keys only to requests with small answers"),
    "answers_near": Kind(WARNING, "give idempotency keys only to requests with small answers"),
    "calls_full": Kind(PROBLEM, "attach fewer agents on this shard, or serve with more workers"),
    "calls_near": Kind(WARNING, "attach fewer agents on this shard, or serve with more workers"),
    "mailboxes_full": Kind(PROBLEM, "wait, or look for agents that are paused or slow: `caxton agent list`"),
    "effects_on_disk_full": Kind(PROBLEM, "look for agents that are paused or slow; --effects-on-disk-mib"),
    "effects_on_disk_near": Kind(WARNING, "look for agents that are paused or slow; --effects-on-disk-mib"),
    "principal_full": Kind(
        PROBLEM, "wait; see for whom so much is sent, and which agents are paused or slow: `caxton agent list`"
    ),
    "states_full": Kind(PROBLEM, "remove agents that nobody needs, or serve with a larger --states-mib"),
    "states_near": Kind(WARNING, "remove agents that nobody needs, or serve with a larger --states-mib"),
    "agent_on_disk_full": Kind(PROBLEM, "let these agents run, or remove them; --receiver-on-disk-mib"),
    "outbox_full": Kind(PROBLEM, "see why that shard takes nothing: it restarts, or its disk is full"),
    "outbox_near": Kind(WARNING, "see why that shard takes so little"),
    "shard_far_behind": Kind(
        WARNING, "see why that shard takes so little: it restarts, has failed, or its disk is full"
    ),
    "sandboxes_full": Kind(PROBLEM, "serve with more workers, remove agents, or raise vm.max_map_count"),
    "sandboxes_near": Kind(WARNING, "serve with more workers, remove agents, or raise vm.max_map_count"),
    "memory_full": Kind(PROBLEM, "wait for its restart; if it comes back, raise --worker-memory-limit"),
    "memory_near": Kind(WARNING, "it is restarted at its limit: raise --worker-memory-limit, or remove agents"),
    "agents_failed": Kind(PROBLEM, "mend them, or see their dead letters; then `caxton agent resume`"),
    "agents_broken": Kind(
        PROBLEM,
        "wait: each is tried again by itself, or at once when it is paused and resumed; see `caxton agent inspect`",
    ),
}


@dataclass(frozen=True)
class ShardSeen:
    """What the supervisor knows of a shard.

    silent_ms: since its worker was last heard. in_turn: the agent whose turn the worker is in, by its id, or "".
    memory_limit: in bytes, None for none. restarts: after deaths of its workers. last_exit: how the last one ended.
    """

    number: int
    state: ShardState
    condition: Condition = WELL
    silent_ms: int = 0
    in_turn: str = ""
    resident_bytes: int = 0
    memory_limit: int | None = None
    restarts: int = 0
    last_exit: str | None = None


class Found(NamedTuple):
    """A reason that holds now. elapsed_ms: for how long already, as far as that is known."""

    name: str
    shard: int | None
    text: str
    elapsed_ms: int = 0


def reasons_of(  # noqa: PLR0913 (what may be wrong comes from so many places)
    shards: Sequence[ShardSeen],
    sessions: int,
    most_sessions: int,
    compiler: str | None,
    files: str | None,
    gateway: str | None = None,
    audit: str | None = None,
    *,
    near: Sequence[NearLimit] = (),
    compiler_starts: bool = False,
) -> list[Found]:
    """Return every reason that holds. compiler, files, gateway, audit: what is wrong with them, if anything is.

    near: limits of the gateway. compiler_starts: it is the first of the run, and none died.
    """
    found = [reason for shard in shards for reason in _of_shard(shard)]
    if compiler is not None:
        found.append(Found("compiler_starting" if compiler_starts else "compiler_missing", None, compiler))
    if gateway is not None:
        found.append(Found("gateway_missing", None, gateway))
    if full := [limit.text for limit in near if limit.have >= limit.most]:
        more = f" and {len(full) - MOST_NAMED} more" if len(full) > MOST_NAMED else ""
        found.append(Found("gateway_full", None, f"the gateway refuses more: {', '.join(full[:MOST_NAMED])}{more}"))
    if audit is not None:
        found.append(Found("audit_unwritten", None, f"the supervisor's audit is not written: {audit}"))
    if files is not None:
        found.append(Found("files_gone", None, files))
    found += _near("clients", None, "clients are connected", sessions, most_sessions)
    return found


class Reasons:
    """The reasons that hold, each with the moment since which it does. Owned by the supervisor, which looks often."""

    def __init__(self) -> None:
        self._since_ms: dict[tuple[str, int | None], int] = {}

    def look(self, found: Sequence[Found], now_ms: int) -> list[HealthReason]:
        """Take in what holds now (ms since 1970); returns it, problems first."""
        known = self._since_ms
        self._since_ms = {(one.name, one.shard): _since(known, one, now_ms) for one in found}
        reasons = [
            HealthReason(
                one.name,
                KINDS[one.name].level,
                one.shard,
                one.text,
                KINDS[one.name].advice,
                self._since_ms[one.name, one.shard],
            )
            for one in found
        ]
        return sorted(reasons, key=lambda reason: reason.level != PROBLEM)


def status_of(shards: Sequence[ShardSeen], reasons: Sequence[HealthReason]) -> tuple[str, str | None]:
    """Return status and reason: healthy, degraded by problems, or unhealthy when no shard serves."""
    problems = [reason.text for reason in reasons if reason.level == PROBLEM]
    if all(shard.state is not ShardState.READY for shard in shards):
        return "unhealthy", "; ".join(_absence(shard) for shard in shards)
    return ("degraded", "; ".join(problems)) if problems else ("healthy", None)


def _since(known: dict[tuple[str, int | None], int], found: Found, now_ms: int) -> int:
    return known.get((found.name, found.shard), now_ms - found.elapsed_ms)


def _of_shard(shard: ShardSeen) -> Iterator[Found]:
    number = shard.number
    if shard.state is not ShardState.READY:
        yield Found(f"shard_{shard.state}", number, _absence(shard))
        return
    if shard.silent_ms >= SILENT_MS:
        doing = f", in a turn of agent {shard.in_turn}" if shard.in_turn else ""
        text = f"the worker of shard {number} has said nothing for {shard.silent_ms / 1000:.0f} s{doing}"
        yield Found("worker_silent", number, text, shard.silent_ms)
    if shard.memory_limit is not None:
        resident, limit = shard.resident_bytes // _MIB, shard.memory_limit // _MIB
        yield from _near("memory", number, f"MiB are held by the worker of shard {number}", resident, limit)
    for of in (_of_lane, _of_turns, _of_agents, _of_limits):
        yield from of(number, shard.condition)


def _of_lane(shard: int, now: Condition) -> Iterator[Found]:
    """Return why nothing gets on, the first cause alone: a full disk makes commits last, and these the lane."""
    if now.storage:
        text = f"shard {shard} takes nothing durable: {now.storage}"
        yield Found("disk_full", shard, text, now.refused_ms)
    elif now.commit_ms >= STILL_MS:
        text = f"a commit of shard {shard} takes {now.commit_ms / 1000:.0f} s already"
        yield Found("commit_stands_still", shard, text, now.commit_ms)
    elif now.waiting_ms >= STILL_MS:
        busy = f"; most turns are of agent {now.busy}" if now.busy else ""
        text = f"shard {shard} has committed nothing for {now.waiting_ms / 1000:.0f} s, and durable work waits{busy}"
        yield Found("lane_stands_still", shard, text, now.waiting_ms)


def _of_turns(shard: int, now: Condition) -> Iterator[Found]:
    if now.still_ms >= STILL_MS:
        text = f"shard {shard} has run no turn for {now.still_ms / 1000:.0f} s, though messages may have theirs"
        yield Found("turns_stand_still", shard, text, now.still_ms)
    if now.reading_ms >= STILL_MS:
        text = f"shard {shard} has read what waits on disk for {now.reading_ms / 1000:.0f} s, and has not got it"
        yield Found("reads_stand_still", shard, text, now.reading_ms)


def _of_agents(shard: int, now: Condition) -> Iterator[Found]:
    if now.crowded.count:
        text = (
            f"shard {shard} refuses durable messages of clients to {_agents(now.crowded)}: dead letters at their share"
        )
        yield Found("agent_dead_letters_full", shard, text)
    if now.failed.count:
        text = f"shard {shard} runs no turns of {_agents(now.failed)}: workers died in them"
        yield Found("agents_failed", shard, text)
    if now.broken.count:
        text = f"shard {shard} leaves {_agents(now.broken)} alone for a while, after several failures in a row"
        yield Found("agents_broken", shard, text)
    if now.full_on_disk.count:
        text = f"shard {shard} keeps no more on disk for {_agents(now.full_on_disk)}: what is sent to them is refused"
        yield Found("agent_on_disk_full", shard, text)


def _of_limits(shard: int, now: Condition) -> Iterator[Found]:
    for name, what, have, most in (
        ("dead_letters", "dead letters", now.dead_letters, now.dead_letter_capacity),
        (
            "dead_letter_bytes",
            "bytes of dead letters",
            now.dead_letter_bytes,
            now.most_dead_letter_bytes,
        ),
        ("sandboxes", "sandboxes", now.sandboxes, now.most_sandboxes),
        ("keys", "idempotency keys", now.keys, now.most_keys),
        ("answers", "bytes of answers to idempotency keys", now.answers, now.most_answers),
        ("calls", "calls under way", now.calls, now.most_calls),
    ):
        if most:
            yield from _near(name, shard, f"{what} are in shard {shard}", have, most)
    if now.most_on_disk:
        what = f"KiB of effects wait on the disk of shard {shard}"
        yield from _near("effects_on_disk", shard, what, now.on_disk, now.most_on_disk)
    if now.beyond_share.count:
        names = ", ".join(now.beyond_share.names)
        text = f"shard {shard} refuses what {names} send beyond their shares of mailboxes, dead letters or disk"
        yield Found("principal_full", shard, text)
    if now.unsaved.count:
        text = (
            f"shard {shard} has no room for the states of {_agents(now.unsaved)}: what made them failed; "
            f"all states have {now.states} bytes, and {now.most_states} may be"
        )
        yield Found("states_full", shard, text)
    elif now.most_states and now.states >= now.most_states * NEAR:
        text = f"{now.states} bytes of states are in shard {shard}, and {now.most_states} may be"
        yield Found("states_near", shard, text)
    if now.most_outbox:
        what = f"{now.outbox_of} wait in an outbox of shard {shard}"
        yield from _near("outbox", shard, what, now.outbox, now.most_outbox)
    if now.kept_back.count:
        text = (
            f"shard {shard} begins nothing new for {_agents(now.kept_back)}: so much that follows waits for "
            f"{'shard' if now.far.count == 1 else 'shards'} {', '.join(now.far.names)}"
        )
        yield Found("shard_far_behind", shard, text)
    if now.held_back:
        yield Found("mailboxes_full", shard, f"shard {shard} gives no further credit: its mailboxes hold too much")


def _near(name: str, shard: int | None, what: str, have: int, most: int) -> Iterator[Found]:
    """Say that a limit is reached (`name`_full) or comes near (`name`_near)."""
    if have >= most:
        yield Found(f"{name}_full", shard, f"{have} {what}, and {most} may be")
    elif have >= most * NEAR:
        yield Found(f"{name}_near", shard, f"{have} {what}, and {most} may be")


def _agents(named: Named) -> str:
    """Return whom it concerns: the first few by name, and how many more."""
    left = named.count - len(named.names)
    names = ", ".join(named.names) + (f" and {left} more" if left > 0 else "")
    return f"agent {names}" if named.count == 1 else f"agents {names}"


def _absence(shard: ShardSeen) -> str:
    text = f"shard {shard.number} is {shard.state}"
    if shard.state is not ShardState.QUARANTINED:
        return text
    return f"{text} (its file is damaged: bring back this very file, or `caxton restore` a backup into a new directory)"

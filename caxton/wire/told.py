"""What `stats` and `health` return: plain values with names, as `-o json` prints them. A test holds them to it.

They are dicts, so that a program can print or store them as they are, and typed, so that it cannot misspell a name.
"""

from typing import TypedDict


class WorkerHealthValues(TypedDict):
    """One worker, as `caxton.wire.supervision.WorkerHealth` explains it."""

    shard: int
    pid: int
    incarnation: int
    state: str
    restarts: int
    agents: int
    resident_bytes: int
    planned_restarts: int
    last_exit: str | None


class ReasonValues(TypedDict):
    """Why health is not what it might be, as `caxton.wire.supervision.Reason` explains it."""

    name: str
    level: str
    shard: int | None
    text: str
    advice: str
    since: int


class HealthValues(TypedDict):
    """The runtime, as `caxton.wire.supervision.Health` explains it."""

    status: str
    reason: str | None
    reasons: list[ReasonValues]
    uptime_s: float
    version: str
    pid: int
    runtime_dir: str
    data_dir: str
    sessions: int
    most_sessions: int
    restarting: list[int]
    workers: list[WorkerHealthValues]


class StatsValues(TypedDict):
    """What this run did and lost.

    workers: of each its shard, incarnation and state, and its counters by name. totals: the counters of all workers of
    this run. lost: volatile messages that were lost, by where they were; `total` is all of them.
    """

    uptime_s: float
    sessions: int
    most_sessions: int
    workers: list[dict[str, int | str]]
    totals: dict[str, int]
    lost: dict[str, int]
    undelivered_to_ended_sessions: int
    dropped_by_supervisor: dict[str, int]

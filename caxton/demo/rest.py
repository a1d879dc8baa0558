"""Deciding from the runtime's own counters that every message has been handled. Pure."""

from typing import Any

Stats = dict[str, Any]
# The workers' counters that change whenever a message goes anywhere.
_MOVES = ("taken_from_sessions", "taken_from_workers", "emitted_to_sessions", "emitted_to_workers", "local", "run")


class Rest:
    """Two looks in a row decide: nothing waits, nothing moved between them, and nothing is on the way.

    `owed`: messages between workers that were emitted and never taken before we came, because a worker died then.
    """

    def __init__(self, owed: int | None = None) -> None:
        self._owed = owed
        self._last: tuple[int, ...] | None = None

    def look(self, stats: Stats) -> bool:
        """Take in what the runtime says now; True when it is at rest."""
        totals = stats["totals"]
        moves = tuple(totals[name] for name in _MOVES)
        waiting = totals["queued"] + totals["parked"]
        on_the_way = 0 if self._owed is None else owed(stats) - self._owed
        at_rest = waiting == 0 and on_the_way == 0 and moves == self._last
        self._last = moves
        return at_rest


def owed(stats: Stats) -> int:
    """Return how many messages between workers were emitted and not taken, or not yet."""
    totals = stats["totals"]
    return int(totals["emitted_to_workers"] - totals["taken_from_workers"])


def incarnations(stats: Stats) -> dict[int, int]:
    """Return which incarnation serves each shard."""
    return {worker["shard"]: worker["incarnation"] for worker in stats["workers"]}

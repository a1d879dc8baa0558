"""How fast the counters of all workers grow, from looks about a second apart."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

# What a worker counts for every message that an agent handled.
TURNS = "run"
# Looks that are kept: rates are told of the time between the first of these and the last.
KEPT = 11
# Two looks that are closer than this say nothing of a rate.
_LEAST_S = 0.5


class Look(NamedTuple):
    """What the counters of each incarnation had come to at a moment (monotonic seconds)."""

    at_s: float
    counters: Mapping[int, Mapping[str, int]]


class Rates:
    """Owned by the reception, which has it look about once a second. gauges: names of what only has a level.

    A worker that came between two looks counts with all that it did; one that ended with what was last heard of it.
    """

    def __init__(self, gauges: Iterable[str]) -> None:
        self._gauges = frozenset(gauges)
        self._looks: deque[Look] = deque(maxlen=KEPT)
        self._grown: deque[Mapping[str, int]] = deque(maxlen=KEPT - 1)
        self.peak = 0.0

    def look(self, at_s: float, counters: Mapping[int, Mapping[str, int]]) -> None:
        """Take in what workers say of themselves, by their incarnation."""
        if not self._looks:
            self._looks.append(Look(at_s, counters))
            return
        before = self._looks[-1]
        if at_s - before.at_s < _LEAST_S:
            return
        grown: dict[str, int] = {}
        for incarnation, now in counters.items():
            known = before.counters.get(incarnation, {})
            for name, value in now.items():
                if name not in self._gauges:
                    grown[name] = grown.get(name, 0) + max(0, value - known.get(name, 0))
        self._looks.append(Look(at_s, counters))
        self._grown.append(grown)
        self.peak = round(max(self.peak, grown.get(TURNS, 0) / (at_s - before.at_s)), 1)

    @property
    def over_s(self) -> float:
        """The time between the looks that rates are told of, in seconds; 0 before the second look."""
        return self._looks[-1].at_s - self._looks[0].at_s if self._looks else 0.0

    def of(self, name: str) -> float:
        """Return how much a counter grows in a second."""
        return self.by_counter().get(name, 0.0)

    def by_counter(self) -> dict[str, float]:
        """Return how much each counter grows in a second, of those that did."""
        grown: dict[str, int] = {}
        for some in self._grown:
            for name, more in some.items():
                grown[name] = grown.get(name, 0) + more
        return {name: round(more / self.over_s, 3) for name, more in grown.items() if more}

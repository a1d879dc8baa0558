"""Resident memory of processes while a load runs: at its start, at its end, and now and then between."""

from collections.abc import Mapping
from statistics import linear_regression

import psutil

MOST_PERIODS = 60
_SHORTEST_PERIOD_S = 1.0


class Resident:
    """Takes a sample at the start, at the end, and between them about every sixtieth of `seconds`, or every second.

    samples: the seconds since the start (`at_s`) and the resident bytes of each process by its name; 0 for one that
    has ended.
    """

    def __init__(self, processes: Mapping[str, psutil.Process], seconds: float) -> None:
        self._processes = processes
        self._period_s = max(_SHORTEST_PERIOD_S, seconds / MOST_PERIODS)
        self._due_s = 0.0
        self.samples: list[dict[str, float]] = []

    def look(self, at_s: float) -> None:
        """Take a sample if one is due by now; none is before second 0."""
        if at_s >= self._due_s:
            self._due_s = max(self._due_s + self._period_s, at_s)
            self.end(at_s)

    def end(self, at_s: float) -> None:
        """Take the last sample, due or not."""
        sizes = {name: resident_bytes(process) for name, process in self._processes.items()}
        self.samples.append({"at_s": round(at_s, 2), **sizes})

    def figures(self) -> dict[str, dict[str, int]]:
        """Return for each process what it held at the start and the end, what it grew by, and its slope.

        slope_bytes_per_s is that of the straight line nearest to all samples, of which there are two at least: unlike
        what it grew by, it does not hang on two of them.
        """
        return {name: self._of(name) for name in self._processes}

    def _of(self, name: str) -> dict[str, int]:
        sizes = [sample[name] for sample in self.samples]
        slope = linear_regression([sample["at_s"] for sample in self.samples], sizes).slope
        return {
            "start_bytes": int(sizes[0]),
            "end_bytes": int(sizes[-1]),
            "grown_bytes": int(sizes[-1] - sizes[0]),
            "slope_bytes_per_s": round(slope),
        }


def resident_bytes(process: psutil.Process) -> int:
    """Return what a process holds of memory now; 0 when it has ended."""
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0

"""The computing time of a process, split by what its threads were seen at: by stage, and by function."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.sampling.stacks import Stack
from bench.sampling.stages import stage_of

HOT = 25
# Of a hot function, the lines that it was seen in most.
_LINES = 3
_DIGITS = 3


@dataclass(frozen=True)
class Process:
    """One side of a load.

    threads: names by id. us_by_thread: microseconds of computing per turn, by name. stacks: what was seen of it.
    """

    name: str
    threads: Mapping[int, str]
    us_by_thread: Mapping[str, float]
    stacks: Sequence[Stack]

    @property
    def us_per_turn(self) -> float:
        """All threads together."""
        return sum(self.us_by_thread.values())

    @property
    def samples(self) -> int:
        """How often a thread of it was seen computing."""
        return sum(stack.count for stack in self.stacks)

    def stages(self) -> list[dict[str, Any]]:
        """Return the microseconds of each thread by stage, the most first; share: of the whole process.

        A thread that was never seen in Python, because it runs none, is one row under its own name. What rounds to
        nothing is left out.
        """
        rows = []
        for thread, us in self.us_by_thread.items():
            seen: Counter[str] = Counter()
            for stack in self._of(thread):
                seen[stage_of(stack.frames)] += stack.count
            for stage, count in seen.most_common() or [(thread, 1)]:
                rows.append(self._row(thread, stage, us * count / max(1, seen.total())))
        return [row for row in rows if row["us_per_turn"]]

    def hot(self) -> list[dict[str, Any]]:
        """Return the functions that took most, without what they call in Python; lines: where in them, in µs a turn.

        What is written in C counts for the function that calls it.
        """
        us_of: defaultdict[tuple[str, str, str], _Function] = defaultdict(_Function)
        for thread, us in self.us_by_thread.items():
            stacks = self._of(thread)
            us_each = us / max(1, sum(stack.count for stack in stacks))
            for stack in stacks:
                us_of[thread, stack.top.function, stack.top.file].add(stack.top.line, stack.count * us_each)
        most = sorted(us_of.items(), key=lambda item: -item[1].us)[:HOT]
        return [
            {
                "process": self.name,
                "thread": thread,
                "function": function,
                "file": file,
                "us_per_turn": round(found.us, _DIGITS),
                "lines": found.lines(),
            }
            for (thread, function, file), found in most
        ]

    def _of(self, thread: str) -> list[Stack]:
        return [stack for stack in self.stacks if self.threads.get(stack.thread) == thread]

    def _row(self, thread: str, stage: str, us: float) -> dict[str, Any]:
        return {
            "process": self.name,
            "thread": thread,
            "stage": stage,
            "us_per_turn": round(us, _DIGITS),
            "share": round(us / self.us_per_turn, _DIGITS) if us else 0.0,
        }


@dataclass
class _Function:
    us: float = 0.0
    us_of_line: Counter[int] = field(default_factory=Counter)

    def add(self, line: int, us: float) -> None:
        self.us += us
        self.us_of_line[line] += us  # type: ignore[assignment]  # a Counter adds fractions as well

    def lines(self) -> dict[str, float]:
        return {str(line): round(us, _DIGITS) for line, us in self.us_of_line.most_common(_LINES)}

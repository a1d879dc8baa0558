"""Room for large frames, which come in pieces: how much of them is kept at a time, and who waits. Pure: time comes in.

A process has a share, so that one that begins many large frames keeps nobody else waiting.
"""

from collections import Counter
from dataclasses import dataclass

# Bytes of large frames that are under way at a time: of all, and of one process. One frame fits in any case.
MOST_LARGE, MOST_OF_PROCESS = 64 << 20, 16 << 20
# How long a line may leave its large frame unsaid while others wait for its room.
MOST_SILENCE_S = 2.0


@dataclass
class _UnderWay:
    process: int
    size: int
    dry_since_s: float | None = None  # there has been nothing to read since then
    silence_s: float = 0.0  # before that


class LargeFrames:
    """Which lines have a large frame under way, and which are parked until there is room for theirs."""

    def __init__(self) -> None:
        self._under_way: dict[int, _UnderWay] = {}
        self._total = 0
        self._of_process: Counter[int] = Counter()
        # Lines that wait, longest first: whose they are, and for how much.
        self.parked: dict[int, tuple[int, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._under_way or self.parked)

    def is_parked(self, line: int) -> bool:
        """True while a line's large frame waits for room."""
        return line in self.parked

    def settle(self, line: int, process: int, size: int, now_s: float, *, dry: bool) -> list[int]:
        """A line was read: it has a large frame of so many bytes under way, or none (0); returns who may go on.

        dry: it has nothing more to say now.
        """
        frame = self._under_way.get(line)
        if frame is not None and frame.size != size:  # that one is whole, and another may have begun
            freed = self.forget(line)
            if size:
                freed += self.settle(line, process, size, now_s, dry=dry)
            return freed
        if frame is None:
            if not size:
                return []
            if self.parked.get(line) is None and not self._begin(line, process, size):
                self.parked[line] = process, size
            frame = self._under_way.get(line)
        if frame is not None:
            if frame.dry_since_s is not None:
                frame.silence_s += now_s - frame.dry_since_s
            frame.dry_since_s = now_s if dry else None
        return []

    def forget(self, line: int) -> list[int]:
        """A line has no large frame any more, or has ended; returns who may go on now."""
        self.parked.pop(line, None)
        frame = self._under_way.pop(line, None)
        if frame is None:
            return []
        self._total -= frame.size
        self._of_process[frame.process] -= frame.size
        if not self._of_process[frame.process]:
            del self._of_process[frame.process]
        begun = [number for number, (process, size) in [*self.parked.items()] if self._begin(number, process, size)]
        for number in begun:
            del self.parked[number]
        return begun

    def slow(self, now_s: float) -> list[int]:
        """Return the lines that keep others waiting and have said nothing for MOST_SILENCE_S, all in all."""
        if not self.parked:
            return []
        return [line for line, frame in self._under_way.items() if _silence(frame, now_s) > MOST_SILENCE_S]

    def _begin(self, line: int, process: int, size: int) -> bool:
        of_process = self._of_process[process]
        if (self._total and self._total + size > MOST_LARGE) or (of_process and of_process + size > MOST_OF_PROCESS):
            return False
        self._under_way[line] = _UnderWay(process, size)
        self._total += size
        self._of_process[process] += size
        return True


def _silence(frame: _UnderWay, now_s: float) -> float:
    return frame.silence_s + (0.0 if frame.dry_since_s is None else now_s - frame.dry_since_s)

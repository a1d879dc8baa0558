"""Whether a graph moves: the turns of all workers, read from their mapped books every few milliseconds, by no call."""

import mmap
import threading
import time
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.resident import resident_bytes
from caxton.store import book_layout as at

_PERIOD_S = 0.002
# Memory is looked at each so many times: that is a system call for each worker.
_MEMORY_EVERY = 10
TURNS = "run"


class MappedCounter:
    """One counter of a book, as its owner last committed it or is about to. Reading it costs about a microsecond."""

    def __init__(self, path: Path, name: str) -> None:
        """Map the book. Raises OSError for a file that is not there, Damage for one that is no book."""
        with path.open("rb") as file:
            self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._words = memoryview(self._mapped).cast("Q")
        front = at.HEAD_WORDS + at.check_head(self._words[: at.HEAD_WORDS])
        layout = at.read_layout(array("Q", self._words[:front]), len(self._mapped))
        self._places = [copy + layout.starts[name] for copy in layout.copies]

    def read(self) -> int:
        """Return the counter."""
        return self._words[self._places[self._words[at.AT_NEWEST] % 2]]

    def close(self) -> None:
        """Let go of the book."""
        self._words.release()
        self._mapped.close()


class Standstill:
    """The longest time in which one look after the other showed the same number of turns, from the first turn on.

    So it is never longer than the graph really stood still, and shorter by two periods at most. When `wanted` turns
    have run nothing waits any more, and what follows does not count: ended_s is when the last of them was seen.
    """

    def __init__(self, began_s: float, wanted: int) -> None:
        self.wanted = wanted
        self._moved_s = self._seen_s = began_s
        self._longest_s = 0.0
        self.turns = 0
        self.ended_s: float | None = None

    def look(self, now_s: float, turns: int) -> None:
        """Note how many turns have run by now."""
        if self.ended_s is not None:
            self.turns = turns
            return
        if turns != self.turns:
            if self.turns:
                self._longest_s = max(self._longest_s, self._seen_s - self._moved_s)
            self.turns, self._moved_s = turns, now_s
        self._seen_s = now_s
        if turns >= self.wanted:
            self.ended_s = self._moved_s

    @property
    def still_s(self) -> float:
        """How long no turn has run by the last look; 0 when all have."""
        return 0.0 if self.ended_s is not None else self._seen_s - self._moved_s

    @property
    def longest_s(self) -> float:
        """The longest standstill; where no turn ran at all, all of the time."""
        return max(self._longest_s, self.still_s)


class Pulse:
    """Looks from a thread of its own, so that a client that is busy sending does not keep it from looking.

    most_bytes: by worker, the most resident memory that was seen.
    """

    def __init__(self, standstill: Standstill, most_bytes: dict[str, int]) -> None:
        self.standstill = standstill
        self.most_bytes = most_bytes


@contextmanager
def beating(books: Sequence[Path], workers: Mapping[str, psutil.Process], wanted: int) -> Iterator[Pulse]:
    """Look at the books and the memory of the workers while the block runs, until `wanted` further turns have run.

    Raises OSError, Damage when there is a worker without a book.
    """
    counters = [MappedCounter(book, TURNS) for book in books]
    before = sum(counter.read() for counter in counters)
    pulse = Pulse(Standstill(time.monotonic(), wanted), dict.fromkeys(workers, 0))
    ended = threading.Event()

    def look() -> None:
        looks = 0
        while not ended.wait(_PERIOD_S):
            pulse.standstill.look(time.monotonic(), sum(counter.read() for counter in counters) - before)
            if looks % _MEMORY_EVERY == 0:
                for name, process in workers.items():
                    pulse.most_bytes[name] = max(pulse.most_bytes[name], resident_bytes(process))
            looks += 1

    thread = threading.Thread(target=look, name="pulse")
    thread.start()
    try:
        yield pulse
    finally:
        ended.set()
        thread.join()
        for counter in counters:
            counter.close()

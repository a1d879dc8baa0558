"""What sampled turns left, in a ring that whoever reads drains by number: the oldest make room, and that is counted."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from caxton.wire.spans import LeftSpan
from workers.worker_pass import SpawnLeft, TurnLeft

MOST_SPANS = 16_384
Left = TurnLeft | SpawnLeft | LeftSpan


class Spans:
    """Of a shard. last: the number of the last one, from 1. dropped: those that made room before anybody read them."""

    def __init__(self) -> None:
        self._left: deque[Left] = deque(maxlen=MOST_SPANS)
        self._read = 0
        self.last = self.dropped = 0

    def __len__(self) -> int:
        return len(self._left)

    def add(self, left: Iterable[Left]) -> None:
        """Keep what was left."""
        for each in left:
            if len(self._left) == MOST_SPANS and self.last - MOST_SPANS >= self._read:
                self.dropped += 1
            self.last += 1
            self._left.append(each)

    def behind(self, after: int, most: int) -> Iterator[tuple[int, Left]]:
        """Yield what was left after the number `after`, with its own, oldest first, at most so many."""
        first = self.last - len(self._left)
        begin = max(after, first)
        number = begin
        for number, each in enumerate(islice(self._left, begin - first, begin - first + most), begin + 1):
            yield number, each
        self._read = max(self._read, number)

"""The last of what came, each with a number: whoever reads knows where to go on, and how much was missed."""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from itertools import islice
from operator import itemgetter
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")
_number = itemgetter(0)


class Kept(NamedTuple, Generic[T]):
    """Something that came. missed: how many right before it are not there, of those that were asked for."""

    number: int
    item: T
    missed: int


class Ring(Generic[T]):
    """At most so many, of at most so many bytes; the oldest makes room. The first that comes has the number 1.

    last: the number of what came last. bytes: what is kept weighs. dropped: what made room, or was never kept.
    """

    __slots__ = ("_items", "_most", "_most_bytes", "bytes", "dropped", "last")

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._items: deque[tuple[int, int, T]] = deque()
        self.last = self.bytes = self.dropped = 0

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: T, weighs: int) -> None:
        """Keep what comes; the last one is kept whatever it weighs."""
        self.last += 1
        self._items.append((self.last, weighs, item))
        self.bytes += weighs
        while len(self._items) > self._most or (self.bytes > self._most_bytes and len(self._items) > 1):
            self.drop_oldest()

    def skip(self) -> None:
        """Something came that is not kept; it has its number all the same."""
        self.last += 1
        self.dropped += 1

    def drop_oldest(self) -> None:
        """Forget the oldest, if there is one."""
        if self._items:
            self.bytes -= self._items.popleft()[1]
            self.dropped += 1

    def behind(self, after: int) -> Iterator[Kept[T]]:
        """Yield what came after the number `after`, oldest first."""
        first = bisect_right(self._items, after, key=_number)
        for number, _, item in islice(self._items, first, None):
            yield Kept(number, item, number - after - 1)
            after = number

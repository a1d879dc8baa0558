"""What sampled turns left, in a ring that whoever reads drains by number: the oldest make room, and that is counted."""

from collections.abc import Iterable, Iterator
from itertools import islice
from sys import getsizeof

from caxton.ring import Ring
from caxton.wire.spans import LeftSpan
from workers.worker_pass import SpawnLeft, TurnLeft

# In number, and with what it takes to keep them, in bytes: as many turns, and fewer spans of clients with much to tell.
MOST_SPANS, MOST_SPAN_BYTES = 16_384, 16 << 20
# What one takes beside the texts of a client, and beside two of these.
_OF_SPAN, _OF_ATTRIBUTE = 800, 100
Left = TurnLeft | SpawnLeft | LeftSpan


class Spans:
    """Of a shard. last: the number of the last one, from 1. dropped: those that made room before anybody read them."""

    def __init__(self) -> None:
        self._ring: Ring[Left] = Ring(MOST_SPANS, MOST_SPAN_BYTES)
        self._read = 0
        self.last = self.dropped = 0

    def __len__(self) -> int:
        return len(self._ring)

    @property
    def bytes(self) -> int:
        """What it takes to keep them, about."""
        return self._ring.bytes

    def add(self, left: Iterable[Left]) -> None:
        """Keep what was left."""
        ring = self._ring
        before = max(ring.dropped, self._read)
        for each in left:
            ring.add(each, _weight(each) if isinstance(each, LeftSpan) else _OF_SPAN)
        self.last = ring.last
        self.dropped += max(0, ring.dropped - before)

    def behind(self, after: int, most: int) -> Iterator[tuple[int, Left]]:
        """Yield what was left after the number `after`, with its own, oldest first, at most so many."""
        number = 0
        for number, each, _ in islice(self._ring.behind(after), most):
            yield number, each
        self._read = max(self._read, number)


def _weight(span: LeftSpan) -> int:
    texts = (span.outcome, span.agent, *span.attributes, *span.attributes.values())
    return _OF_SPAN + _OF_ATTRIBUTE * len(span.attributes) + sum(map(getsizeof, texts))

"""Room for what bidders answer, until their negotiation ends: a bound in bytes that many of them share."""

from collections.abc import Callable

# Of the contents, in all negotiations of a client that are under way.
MOST_BID_BYTES = 64 << 20


class BidRoom:
    """Bytes of contents. most: in all; held: now. whole: the room of which this is a part, if it is one.

    refused: told of each answer that had no room here.
    """

    __slots__ = ("_refused", "held", "most", "whole")

    def __init__(
        self,
        most: int = MOST_BID_BYTES,
        whole: "BidRoom | None" = None,
        refused: Callable[[], None] = lambda: None,
    ) -> None:
        self.most = most
        self.held = 0
        self.whole = whole
        self._refused = refused

    def take(self, size: int) -> bool:
        """Keep so many bytes more; False, and nothing is kept, where there is no room for them."""
        if self.held + size > self.most:
            self._refused()
            return False
        if self.whole is not None and not self.whole.take(size):
            return False
        self.held += size
        return True

    def limit_of(self, size: int) -> int:
        """Return the limit that so many bytes more meet: of this room, or of the whole."""
        if self.whole is None or self.held + size > self.most:
            return self.most
        return self.whole.limit_of(size)

    def give_back(self, size: int) -> None:
        """So many bytes are kept no longer."""
        self.held -= size
        if self.whole is not None:
            self.whole.give_back(size)

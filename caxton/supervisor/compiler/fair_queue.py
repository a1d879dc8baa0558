"""Who is next, where some ask for more than others: one of each in turn, and the longest line gives way. Pure."""

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Bounded in all; everybody has a line of their own, and lines are served in turn."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lines: dict[Hashable, deque[T]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def put(self, owner: Hashable, item: T) -> T | None:
        """Add an item; returns the one that has no place, which may be this one.

        When there is no room, the last of the longest line gives way to somebody who has fewer.
        """
        refused: T | None = None
        if len(self) >= self._most:
            longest = max(self._lines, key=lambda one: len(self._lines[one]))
            if len(self._lines[longest]) <= len(self._lines.get(owner, ())) + 1:
                return item
            refused = self._lines[longest].pop()
        self._lines.setdefault(owner, deque()).append(item)
        return refused

    def take(self) -> T | None:
        """Return the next item, and let its owner's line be the last; None when there is none."""
        if not self._lines:
            return None
        owner = next(iter(self._lines))
        line = self._lines.pop(owner)
        item = line.popleft()
        if line:
            self._lines[owner] = line
        return item

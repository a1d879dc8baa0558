"""What waits for an agent on disk alone: the rest of each line of its mailbox, of which only the head is in memory."""

from array import array
from bisect import bisect_right

from caxton.delivery.dead_letter import Reason
from caxton.errors import CaxtonError


class DiskLine:
    """The rest of one line, in order. waits: how many messages, with those that the next commit stores.

    A message costs eight bytes here: where it stands in the file.
    """

    __slots__ = ("_first", "_places", "waits")

    def __init__(self) -> None:
        self._places = array("Q")
        self._first = 0
        self.waits = 0

    def stored(self, place: int) -> None:
        """The next message that waits stands at this place of the file, or will with the commit that is gathered."""
        self._places.append(place)

    def first(self, most: int, below: int) -> list[int]:
        """Return the places of the first that the file has, up to `most`: all places below a number are committed."""
        places: list[int] = []
        for place in self._places[self._first : self._first + most]:
            if place >= below:
                break
            places.append(place)
        return places

    def behind(self, place: int, most: int, below: int) -> list[int]:
        """Return up to `most` places behind one, of those that the file has: they grow along the line."""
        start = bisect_right(self._places, place, self._first)
        return [found for found in self._places[start : start + most] if found < below]

    def took(self, count: int) -> None:
        """The first so many wait here no longer."""
        self.waits -= count
        self._first += count
        if self._first * 2 > len(self._places):
            del self._places[: self._first]
            self._first = 0


class DiskMailbox:
    """What waits on disk for one receiver: lines by `line_of`, and what all of it weighs.

    ended: why nobody will handle it any more, and the reason that its dead letters are to give.
    """

    __slots__ = ("ended", "lines", "receiver", "weight")

    def __init__(self, receiver: int) -> None:
        self.receiver = receiver
        self.lines: dict[int, DiskLine] = {}
        self.weight = 0
        self.ended: tuple[CaxtonError, Reason] | None = None

    def line(self, key: int) -> DiskLine:
        """Return a line, made at its first message."""
        line = self.lines.get(key)
        if line is None:
            line = self.lines[key] = DiskLine()
        return line


def line_of(level: int, *, effects: bool) -> int:
    """Return the key of a line: the higher, the sooner its turns. Levels are those of the mailbox's queues."""
    return level << 1 | effects

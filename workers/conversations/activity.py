"""In how many active conversations each agent of this shard is: what balancing goes by, and a drain waits for."""

from collections.abc import Callable
from itertools import islice

from caxton.conversations.exchange import Exchange, Kept
from caxton.conversations.record import Record
from caxton.ids import SESSION_BIT


class Activity:
    """Owned by the table of conversations, which says what goes on.

    An agent is active in a conversation that goes on: where it has lines of a protocol, while one of them is open, and
    otherwise from when it was given a message there, or said something. owns: whether this shard has an agent of that
    id. of: by agent; who is in none is not there.
    """

    def __init__(self, owns: Callable[[int], bool]) -> None:
        self._owns = owns
        self.of: dict[int, int] = {}

    def begin(self, exchange: Exchange) -> None:
        """An exchange begins with what an agent of this shard is given; who gave it is a client, mostly.

        Where it has a line, that is the agent's, and open.
        """
        initiator, other, of = exchange.initiator, exchange.other, self.of
        of[other] = of.get(other, 0) + 1
        if initiator < SESSION_BIT and initiator != other and self._owns(initiator):
            self.change(initiator, 1)

    def enter(self, record: Record) -> None:
        """A conversation goes on, from now."""
        self.look(record)
        self._count_lines(record, 1)

    def leave(self, record: Kept) -> None:
        """A conversation goes on no more."""
        if type(record) is Exchange:
            self._end(record)
        else:
            self._uncount_parties(record)  # type: ignore[arg-type] # the only other one
            self._count_lines(record, -1)  # type: ignore[arg-type]

    def look(self, record: Kept) -> None:
        """Others may take part in a conversation than before, or it has lines now."""
        if not isinstance(record, Record):
            return
        if record.lines is not None:
            self._uncount_parties(record)
        elif record.counted < len(record.parties):
            self._count_parties(record, record.counted, len(record.parties), 1)
            record.counted = len(record.parties)

    def change(self, agent: int, by: int) -> None:
        """An agent is in so many more of them."""
        left = self.of.get(agent, 0) + by
        if left > 0:
            self.of[agent] = left
        else:
            self.of.pop(agent, None)

    def _end(self, exchange: Exchange) -> None:
        if exchange.position is not None and not exchange.is_open:
            return
        initiator, other, of = exchange.initiator, exchange.other, self.of
        left = of[other] - 1
        if left:
            of[other] = left
        else:
            del of[other]
        if initiator < SESSION_BIT and initiator != other and self._owns(initiator):
            self.change(initiator, -1)

    def _uncount_parties(self, record: Record) -> None:
        if record.counted:
            self._count_parties(record, 0, record.counted, -1)
            record.counted = 0

    def _count_parties(self, record: Record, first: int, end: int, by: int) -> None:
        for party in islice(record.parties, first, end):
            if party < SESSION_BIT and self._owns(party):
                self.change(party, by)

    def _count_lines(self, record: Record, by: int) -> None:
        if record.lines is not None:
            for agent, count in record.lines.open_of.items():
                if count:
                    self.change(agent, by)

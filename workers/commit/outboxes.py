"""The outboxes of this shard, by target; and whether a session that does not speak is still there."""

from collections.abc import Callable
from itertools import groupby
from typing import NamedTuple

from caxton.acl.envelope import Envelope
from caxton.ids import SESSION_BIT
from caxton.store.commit import OutboxRow, TargetRow
from workers.commit.outbox import Outbox, Packed

# Messages for one target, a shard or a session, that it has not acknowledged, at most: what is beyond dies.
MOST_UNREAD, MOST_BYTES = 65_536, 64 << 20
_NEW = TargetRow(0, 0, 0)


class Fullest(NamedTuple):
    """What the outbox that is nearest to its bound holds, of so much that it may. of: of what, and for whom."""

    holds: int
    most: int
    of: str


class Outboxes:
    """By target: a shard's number, or a session's.

    lives: tells whether a session's client still holds its lock. has_ended: whether the session was ended here: one
    that locks its file again gets no other outbox, which nobody would clear away.
    """

    def __init__(self, lives: Callable[[int], bool], has_ended: Callable[[int], bool]) -> None:
        self.by_target: dict[int, Outbox] = {}
        self.lives = lives
        self._has_ended = has_ended

    def restore(self, targets: dict[int, TargetRow], rows: list[OutboxRow]) -> None:
        """Take over what the file holds."""
        frames = {target: list(some) for target, some in groupby(rows, key=lambda row: row.target)}
        for target, row in targets.items():
            packed = [Packed(r.number, r.first, r.last, r.messages) for r in frames.get(target, [])]
            self.by_target[target] = Outbox(target, row, packed)

    def of(self, target: int) -> Outbox:
        """Return the outbox of a target, made at its first message."""
        outbox = self.by_target.get(target)
        if outbox is None:
            outbox = self.by_target[target] = Outbox(target, _NEW, [])
        return outbox

    def bytes_for(self, target: int) -> int:
        """Return what waits for a target, in bytes."""
        outbox = self.by_target.get(target)
        return 0 if outbox is None else outbox.bytes

    def session(self, number: int, waiting: list[Envelope] | None) -> Outbox | None:
        """Return the outbox of a session, None when its client has ended. `waiting`: gathered for it already."""
        outbox = self.by_target.get(number)
        if outbox is None and waiting is None and (self._has_ended(number) or not self.lives(number)):
            return None
        return outbox or self.of(number)

    def fullest(self) -> Fullest:
        """Return how the outbox for another shard stands that is nearest to its bound, in messages or in bytes."""
        shards = [outbox for outbox in self.by_target.values() if not outbox.is_session]
        messages = max(shards, key=lambda outbox: outbox.messages, default=None)
        size = max(shards, key=lambda outbox: outbox.bytes, default=None)
        if messages is None or size is None:
            return Fullest(0, MOST_UNREAD, "")
        if messages.messages * MOST_BYTES >= size.bytes * MOST_UNREAD:
            return Fullest(messages.messages, MOST_UNREAD, f"messages for shard {messages.target}")
        return Fullest(size.bytes, MOST_BYTES, f"bytes for shard {size.target}")

    @property
    def under_way(self) -> bool:
        """True while something that may go has not been acknowledged by who is there to do so."""
        return any(
            outbox.peer is not None and outbox.outgoing.greeted and outbox.frames for outbox in self.by_target.values()
        )

    def ended(self) -> list[int]:
        """Return the sessions that have an outbox and whose clients are gone."""
        return [n for n in self.by_target if n >= SESSION_BIT and not self.lives(n)]

    def send_all(self, own: int) -> None:
        """Send again what found no room."""
        for outbox in self.by_target.values():
            outbox.send(own)

"""Dead letters: durable messages that came to nothing, kept with their reason until they are requeued or purged."""

from collections import OrderedDict
from collections.abc import Iterable

import msgspec

from caxton.acl.envelope import Envelope
from caxton.delivery.dead_letter import Reason, reason_of
from caxton.errors import CaxtonError, to_fields
from caxton.store.commit import DeadRow
from caxton.wire.calls import Failed
from workers.commit.journal import Journal

_encode = msgspec.msgpack.Encoder().encode


class DeadLetters:
    """Those of this shard, oldest first, by number.

    capacity: at it durable messages of clients are refused; with `evicting` the oldest goes instead.
    """

    def __init__(self, journal: Journal, capacity: int, *, evicting: bool) -> None:
        self._journal = journal
        self.capacity = capacity
        self._evicting = evicting
        self._numbers: OrderedDict[int, None] = OrderedDict()

    def restore(self, numbers: Iterable[int]) -> None:
        """Know the dead letters that the file holds, oldest first."""
        self._numbers = OrderedDict.fromkeys(numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def full(self) -> bool:
        """True when clients are to be told that no more fit."""
        return len(self._numbers) >= self.capacity and not self._evicting

    def bury(
        self,
        message: Envelope,
        error: CaxtonError,
        *,
        attempts: int = 0,
        reason: Reason | None = None,
        term: str = "dead",
    ) -> None:
        """Keep a message that is finished. term: under what the ledger counts it: dead, dead_outbox or expired."""
        journal = self._journal
        number = journal.number()
        row = DeadRow(
            number=number,
            reason=(reason or reason_of(error)).value,
            error=Failed(type(error).__name__, to_fields(error)),
            attempts=attempts,
            died_ms=journal.wall_ms,
            sender=message.sender,
            receiver=message.receiver,
            content_bytes=len(message.content),
            message=_encode(message),
            requeued_from=self._origin(message),
        )
        journal.commit.dead.append(row)
        journal.counts[term] += 1
        journal.urgent = True
        self._numbers[number] = None
        if self._evicting and len(self._numbers) > self.capacity:
            oldest, _ = self._numbers.popitem(last=False)
            journal.commit.buried.append(oldest)
            journal.counts["evicted"] += 1

    def forget(self, numbers: Iterable[int], term: str) -> list[int]:
        """Delete those that are (still) there; returns which. term: requeued or purged."""
        gone = [number for number in numbers if number in self._numbers]
        for number in gone:
            del self._numbers[number]
        self._journal.commit.buried += gone
        self._journal.counts[term] += len(gone)
        self._journal.urgent = True
        return gone

    @staticmethod
    def _origin(message: Envelope) -> int | None:
        return None if message.rare is None else message.rare.requeued_from

"""Dead letters: durable messages that came to nothing, kept with their reason until they are requeued or purged."""

from collections import Counter, OrderedDict
from collections.abc import Iterable

import msgspec

from caxton.acl.envelope import Envelope
from caxton.delivery.dead_letter import Reason, reason_of
from caxton.errors import CaxtonError, ResourceExhausted, to_fields
from caxton.ids import SESSION_BIT
from caxton.store.commit import DeadRow
from caxton.store.recovered import Letter
from caxton.wire.calls import Failed
from workers.commit.journal import Journal

# One agent's share is a tenth of the capacity; what agents sent takes up half of it at most.
SHARES, HALVES = 10, 2
_encode = msgspec.msgpack.Encoder().encode


class DeadLetters:
    """Those of this shard, oldest first, by number. Each belongs to one agent: who sent it, or whom a client sent it.

    capacity: at it durable messages of clients are refused; with `evicting` the oldest goes instead. share: what one
    agent may have of it. At it clients' messages to this agent are refused; what the agent itself sent was promised to
    nobody outside, so of that its own oldest goes, and all agents' together keep to a half. What a client was told is
    safe goes only with `evicting`, so the capacity is exceeded by what had been taken when it was reached, and no more.
    """

    def __init__(self, journal: Journal, capacity: int, *, evicting: bool) -> None:
        self._journal = journal
        self.capacity = capacity
        self.share = max(1, capacity // SHARES)
        self.evicting = evicting
        # By number, whose it is: the agent's id, or ~id (below zero) of one that may go.
        self._owners: OrderedDict[int, int] = OrderedDict()
        # Of each agent: those that may go, oldest first; and how many stay.
        self._spare: dict[int, OrderedDict[int, None]] = {}
        self._kept: Counter[int] = Counter()
        self._spare_count = 0
        # Agents at their share, to which clients send in vain.
        self.crowded: set[int] = set()

    def restore(self, letters: Iterable[Letter]) -> None:
        """Know the dead letters that the file holds, oldest first."""
        for letter in letters:
            self._enter(letter.number, letter.sender, letter.receiver)

    def __len__(self) -> int:
        return len(self._owners)

    @property
    def full(self) -> bool:
        """True when no more fit for anybody: clients are refused."""
        return len(self._owners) >= self.capacity and not self.evicting

    @property
    def refuses(self) -> bool:
        """True when `refusal` is to be asked for each message of a client."""
        return bool(self.crowded) or self.full

    def refusal(self, receiver: int) -> ResourceExhausted | None:
        """Return why a durable message of a client to this agent is refused, or None."""
        if self.full:
            return ResourceExhausted("room for dead letters (requeue or purge some)", self.capacity)
        if receiver in self.crowded:
            whose = f"room for dead letters of agent {receiver:016x} (requeue or purge some)"
            return ResourceExhausted(whose, self.share)
        return None

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
        owner = self._enter(number, message.sender, message.receiver)
        if owner < 0:
            self._make_room(~owner)

    def forget(self, numbers: Iterable[int], term: str) -> list[int]:
        """Delete those that are (still) there; returns which. term: requeued or purged."""
        gone = [number for number in numbers if number in self._owners]
        for number in gone:
            self._leave(number)
        self._journal.commit.buried += gone
        self._journal.counts[term] += len(gone)
        self._journal.urgent = True
        return gone

    def _enter(self, number: int, sender: int, receiver: int) -> int:
        """Know one more; returns whose it is, as `_owners` has it."""
        from_agent = sender < SESSION_BIT
        agent_id = sender if from_agent else receiver
        if from_agent or self.evicting:
            self._spare.setdefault(agent_id, OrderedDict())[number] = None
            self._spare_count += 1
            owner = ~agent_id
        else:
            self._kept[agent_id] += 1
            if self._kept[agent_id] >= self.share:
                self.crowded.add(agent_id)
            owner = agent_id
        self._owners[number] = owner
        return owner

    def _leave(self, number: int) -> None:
        owner = self._owners.pop(number)
        if owner < 0:
            spare = self._spare[~owner]
            del spare[number]
            self._spare_count -= 1
            if not spare:
                del self._spare[~owner]
            return
        self._kept[owner] -= 1
        if self._kept[owner] < self.share:
            self.crowded.discard(owner)
        if not self._kept[owner]:
            del self._kept[owner]

    def _make_room(self, agent_id: int) -> None:
        """One came that may go: see that this agent keeps to its share, and all of them to the capacity."""
        spare = self._spare[agent_id]
        over = len(self._owners) > self.capacity
        if len(spare) > self.share or (not self.evicting and (over or self._spare_count > self.capacity // HALVES)):
            number = next(iter(spare))
        elif over:
            number = next(iter(self._owners))
        else:
            return
        self._leave(number)
        self._journal.commit.buried.append(number)
        self._journal.counts["evicted"] += 1

    @staticmethod
    def _origin(message: Envelope) -> int | None:
        return None if message.rare is None else message.rare.requeued_from

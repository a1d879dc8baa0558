"""Dead letters: durable messages that came to nothing, kept with their reason until they are requeued or purged."""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from caxton.acl.envelope import Envelope
from caxton.delivery.dead_letter import Reason, reason_of
from caxton.errors import CaxtonError, ResourceExhausted, to_fields
from caxton.ids import SESSION_BIT
from caxton.store.commit import DeadRow
from caxton.store.recovered import Letter
from caxton.wire.calls import Failed
from workers.commit.journal import Journal
from workers.durable.gathered import Gathered
from workers.queues.shares import Shares, named, principal_of

# One agent's share is a tenth of the capacity; what agents sent takes up half of it at most.
SHARES, HALVES = 10, 2
# Of contents, in all letters of a shard; each of the shares above is the same part of it.
MOST_BYTES = 4 << 30
# Of contents of agents' messages among those that one commit gathers, or a neighbour's commit would last as long as the
# writing of all: beyond it the agent that has the most of them loses its oldest.
MOST_GATHERED = 16 << 20
_NOBODY_ELSE: Mapping[str, int] = MappingProxyType({})
_encode = msgspec.msgpack.Encoder().encode


class DeadLetters:
    """Those of this shard, oldest first, by number. Each belongs to one agent: who sent it, or whom a client sent it.

    capacity: at it durable messages of clients are refused; with `evicting` the oldest goes instead. share: what one
    agent may have of it. At it clients' messages to this agent are refused; what the agent itself sent was promised to
    nobody outside, so of that its own oldest goes, and all agents' together keep to a half. What a client was told is
    safe goes only with `evicting`, so the capacity is exceeded by what had been taken when it was reached, and no more.
    Each of these bounds holds for the bytes of contents too. bytes: what all contents have.
    """

    def __init__(
        self, journal: Journal, capacity: int, *, evicting: bool, here: Mapping[str, int] = _NOBODY_ELSE
    ) -> None:
        self._journal = journal
        self.capacity = capacity
        self.share = max(1, capacity // SHARES)
        self.evicting = evicting
        # By number, whose it is: the agent's id, or ~id (below zero) of one that may go.
        self._owners: OrderedDict[int, int] = OrderedDict()
        # Of each agent: those that may go, oldest first; and how many stay.
        self._spare: dict[int, OrderedDict[int, None]] = {}
        self._kept: Counter[int] = Counter()
        self._spare_count = self._spare_bytes = self.bytes = 0
        # Of each letter the bytes of its content, and of each agent what its letters of either kind have.
        self._sizes: dict[int, int] = {}
        self._kept_bytes: Counter[int] = Counter()
        self._own_bytes: Counter[int] = Counter()
        # What clients sent in vain, by principal: letters, and bytes. Of those of earlier lives nobody knows whose.
        self.shares = Shares(here, capacity), Shares(here, MOST_BYTES)
        self._principals: dict[int, str] = {}
        # The commit that gathers, and of what agents sent what it has to write.
        self._commit = journal.commit
        self._gathered = Gathered()
        # Agents at their share, to which clients send in vain.
        self.crowded: set[int] = set()

    def restore(self, letters: Iterable[Letter]) -> None:
        """Know the dead letters that the file holds, oldest first."""
        for letter in letters:
            self._enter(letter.number, letter.sender, letter.receiver, letter.size)

    def __len__(self) -> int:
        return len(self._owners)

    @property
    def full(self) -> bool:
        """True when no more fit for anybody: clients are refused."""
        return (len(self._owners) >= self.capacity or self.bytes >= MOST_BYTES) and not self.evicting

    @property
    def refuses(self) -> bool:
        """True when `refusal` is to be asked for each message of a client."""
        return bool(self.crowded) or self.full or any(shares.are_wanted for shares in self.shares)

    def share_refusal(self, principal: str) -> ResourceExhausted | None:
        """Return why durable messages of a principal's clients are refused: what came of earlier ones; or None."""
        letters, contents = self.shares
        whose = f"dead letters of {named(principal)} (requeue or purge some)"
        if not self.evicting and letters.refuses(principal):
            return ResourceExhausted(f"room for {whose}", letters.share(principal))
        if not self.evicting and contents.refuses(principal):
            return ResourceExhausted(f"bytes of {whose}", contents.share(principal))
        return None

    def refusal(self, receiver: int) -> ResourceExhausted | None:
        """Return why a durable message of a client to this agent is refused, or None."""
        if self.full and len(self._owners) < self.capacity:
            return ResourceExhausted("bytes of dead letters (requeue or purge some)", MOST_BYTES)
        if self.full:
            return ResourceExhausted("room for dead letters (requeue or purge some)", self.capacity)
        if receiver in self.crowded:
            whose = f"dead letters of agent {receiver:016x} (requeue or purge some)"
            if self._kept[receiver] < self.share:
                return ResourceExhausted(f"bytes of {whose}", MOST_BYTES // SHARES)
            return ResourceExhausted(f"room for {whose}", self.share)
        return None

    def most_of_one(self, *, by_size: bool = False) -> tuple[int, int, int]:
        """Return the agent for which most letters of clients are kept, how many these are, and their bytes."""
        of = self._kept_bytes if by_size else self._kept
        most = max(of.values(), default=0)
        agent_id = next((each for each, count in of.items() if count == most), 0)
        return agent_id, self._kept[agent_id], self._kept_bytes[agent_id]

    def bury(
        self,
        message: Envelope,
        error: CaxtonError,
        attempts: int = 0,
        retry_reasons: tuple[str, ...] = (),
        *,
        reason: Reason | None = None,
        term: str = "dead",
    ) -> int:
        """Keep a message that is finished; returns its number.

        attempts, retry_reasons: how many turns failed, and why each did. term: under what the ledger counts it: dead,
        dead_outbox or expired.
        """
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
            retry_reasons=retry_reasons,
        )
        journal.commit.dead[number] = row
        journal.counts[term] += 1
        journal.urgent = True
        owner = self._enter(number, message.sender, message.receiver, len(message.content), principal_of(message))
        if owner < 0:
            self._make_room(~owner)
        if message.sender < SESSION_BIT and number in self._owners:
            self._gather(number, message.sender, len(message.content))
        return number

    def agents_of(self, numbers: Iterable[int]) -> Counter[int]:
        """Return how many of these that are there each agent has sent, or was to get."""
        owners = (self._owners[number] for number in numbers if number in self._owners)
        return Counter(owner if owner >= 0 else ~owner for owner in owners)

    def forget(self, numbers: Iterable[int], term: str) -> list[int]:
        """Delete those that are (still) there; returns which. term: requeued or purged."""
        gone = [number for number in numbers if number in self._owners]
        for number in gone:
            self._go(number)
        self._journal.counts[term] += len(gone)
        self._journal.urgent = True
        return gone

    def _enter(self, number: int, sender: int, receiver: int, size: int, principal: str | None = None) -> int:
        """Know one more; returns whose it is, as `_owners` has it. principal: None where nobody knows."""
        from_agent = sender < SESSION_BIT
        agent_id = sender if from_agent else receiver
        self._sizes[number] = size
        self.bytes += size
        if from_agent or self.evicting:
            self._spare.setdefault(agent_id, OrderedDict())[number] = None
            self._spare_count += 1
            self._spare_bytes += size
            self._own_bytes[agent_id] += size
            owner = ~agent_id
        else:
            self._kept[agent_id] += 1
            self._kept_bytes[agent_id] += size
            if self._is_crowded(agent_id):
                self.crowded.add(agent_id)
            owner = agent_id
        if principal is not None and owner >= 0:
            self._principals[number] = principal
        self._share(number, 1, size)
        self._owners[number] = owner
        return owner

    def _share(self, number: int, *amounts: int) -> None:
        """So many letters and bytes more, or less, are the principal's whose letter this is."""
        principal = self._principals.get(number)
        for shares, amount in zip(self.shares, amounts, strict=True):
            shares.add(principal, amount)

    def _leave(self, number: int) -> None:
        self._share(number, -1, -self._sizes[number])
        self._principals.pop(number, None)
        owner, size = self._owners.pop(number), self._sizes.pop(number)
        self.bytes -= size
        if owner < 0:
            spare = self._spare[~owner]
            del spare[number]
            self._spare_count -= 1
            self._spare_bytes -= size
            self._own_bytes[~owner] -= size
            if not spare:
                del self._spare[~owner], self._own_bytes[~owner]
            return
        self._kept[owner] -= 1
        self._kept_bytes[owner] -= size
        if not self._is_crowded(owner):
            self.crowded.discard(owner)
        if not self._kept[owner]:
            del self._kept[owner], self._kept_bytes[owner]

    def _is_crowded(self, agent_id: int) -> bool:
        return self._kept[agent_id] >= self.share or self._kept_bytes[agent_id] >= MOST_BYTES // SHARES

    def _go(self, number: int) -> None:
        """One goes: from the file, or with the commit that it came with, which then never writes it."""
        self._leave(number)
        commit = self._journal.commit
        row = commit.dead.pop(number, None)
        if row is None:
            commit.buried.append(number)
        elif commit is self._commit:
            self._gathered.leave(number, row.sender)

    def _make_room(self, agent_id: int) -> None:
        """One came that may go: see that this agent keeps to its share, and all of them to the capacity."""
        while (number := self._too_many(agent_id)) is not None:
            self._go(number)
            self._journal.counts["evicted"] += 1

    def _gather(self, number: int, agent_id: int, size: int) -> None:
        """The commit under way has one more to write that an agent sent: see that they do not come to too much."""
        if self._commit is not self._journal.commit:
            self._commit, self._gathered = self._journal.commit, Gathered()
        self._gathered.add(number, agent_id, size)
        while self._gathered.bytes > MOST_GATHERED:
            self._go(self._gathered.first_to_go())
            self._journal.counts["evicted"] += 1

    def _too_many(self, agent_id: int) -> int | None:
        """Return the number of the letter that goes first, None when none has to."""
        spare = self._spare.get(agent_id)
        over = len(self._owners) > self.capacity or self.bytes > MOST_BYTES
        if spare:
            own = len(spare) > self.share or self._own_bytes[agent_id] > MOST_BYTES // SHARES
            half = self._spare_count > self.capacity // HALVES or self._spare_bytes > MOST_BYTES // HALVES
            if own or (not self.evicting and (over or half)):
                return next(iter(spare))
        return next(iter(self._owners)) if over and self.evicting else None

    @staticmethod
    def _origin(message: Envelope) -> int | None:
        return None if message.rare is None else message.rare.requeued_from

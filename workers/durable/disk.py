"""Durable messages for which memory has no room: they wait in the file, and come back page by page."""

from collections import deque
from heapq import nsmallest
from itertools import chain
from typing import NamedTuple

from caxton.acl.envelope import AUTOMATIC, Envelope
from caxton.delivery.dead_letter import Reason
from caxton.delivery.levels import OVER_BELOW
from caxton.errors import CaxtonError, QueueFull
from caxton.ids import SESSION_BIT
from caxton.store.recovered import InUnfinished
from caxton.store.waiting import Waiting
from workers.agents.delivery import ROW_SPAN, Delivery
from workers.agents.disk_line import DiskLine, DiskMailbox, line_of
from workers.agents.mailbox import QUEUE_OF_LEVEL, Mailbox, weight
from workers.agents.registry import Agent, Registry
from workers.commit.journal import Journal
from workers.queues.admission import Admission, share_of
from workers.queues.bounds import (
    FROM_DISK,
    MOST_EFFECTS,
    MOST_QUEUED_BYTES,
    MOST_TO_DISK,
    OF_ONE_AT_REST,
)
from workers.queues.dispatcher import Dispatcher
from workers.queues.lines import QUANTUM
from workers.queues.shares import Shares, named, principal_of
from workers.worker_pass import Pass

# Messages of one read, mailboxes that one look goes through, and bytes of roots beyond which no more are read.
OF_READ, OF_LOOK, ROOT_BYTES = 1_024, 64, MOST_QUEUED_BYTES // 4


class Page(NamedTuple):
    """The next messages of one line, by their places in the file."""

    mailbox: DiskMailbox
    line: DiskLine
    key: int
    places: list[int]


class Disk:
    """Decides what waits on disk, and what is read next. messages: of all that waits there.

    shares: what that weighs, may weigh, and for which principals. of_one: what it may weigh for one receiver.
    refused_for: receivers for whom an effect was refused, because they had that much.

    A line of a mailbox that has a rest here gets nothing new in memory before the rest has been read: so each pair
    keeps its order. Clients' messages are only here from recovery on: later ones are bounded by their mailbox.
    """

    def __init__(
        self,
        registry: Registry,
        dispatcher: Dispatcher,
        admission: Admission,
        journal: Journal,
        shares: Shares,
        of_one: int,
    ) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._admission = admission
        self._journal = journal
        self._of: dict[int, DiskMailbox] = {}
        # All of them, also those of agents that are gone, in the order of their next looks.
        self._turns: deque[DiskMailbox] = deque()
        self.messages = 0
        self.shares, self.of_one = shares, of_one
        self.refused_for: set[int] = set()
        # Receivers that came near to what one may have.
        self._filling: set[int] = set()
        # While the file is read for the first time: what of it is in memory, by receiver and line, and in all.
        self._heads: dict[tuple[int, int], int] = {}
        self._in_memory = 0

    @property
    def weight(self) -> int:
        """What all that waits here weighs."""
        return self.shares.total

    @property
    def most(self) -> int:
        """What it may weigh, for all receivers."""
        return self.shares.most

    def no_room(self, agent: Agent, message: Envelope, a_pass: Pass) -> QueueFull | None:
        """Return why an effect for an agent may wait neither in memory nor on disk, or None."""
        journal, own = self._journal, self._of.get(agent.agent_id)
        if own is not None and own.weight >= self.of_one:
            a_pass.counts["full_receiver"] += 1
            self.refused_for.add(agent.agent_id)
            return QueueFull(agent.label, own.weight, self.of_one)
        if self.weight < self.most and journal.to_disk < MOST_TO_DISK:
            return self._no_share(agent, message, a_pass) if self.shares.is_half_used else None
        if own is None and self._admission.keeps(agent):
            return None
        a_pass.counts["full_shard"] += 1
        return QueueFull("the disk's share of this shard", self.weight, self.most)

    def _no_share(self, agent: Agent, message: Envelope, a_pass: Pass) -> QueueFull | None:
        """Return why a principal's effect does not wait on disk, because it has its share there; or None."""
        principal, shares = principal_of(message), self.shares
        is_free = message.flags & AUTOMATIC or (agent.agent_id not in self._of and self._admission.keeps(agent))
        if is_free or not shares.refuses(principal):
            return None
        a_pass.counts["full_principal"] += 1
        return QueueFull(f"{named(principal)}, of this shard's disk", shares.has(principal), shares.share(principal))

    @property
    def full(self) -> list[int]:
        """Return the receivers for whom effects are refused, because as much waits for them as may."""
        own = self._of
        self.refused_for = {each for each in self.refused_for if each in own and own[each].weight >= self.of_one}
        return sorted(self.refused_for)

    def most_of_one(self) -> tuple[int, int]:
        """Return the receiver that is nearest to what one may have here, and what that weighs; (0, 0) if none is."""
        own, least = self._of, self.of_one * OVER_BELOW
        self._filling = {each for each in self._filling if each in own and own[each].weight >= least}
        receiver = max(self._filling, key=lambda each: own[each].weight, default=0)
        return receiver, own[receiver].weight if receiver else 0

    def takes(self, agent: Agent, delivery: Delivery) -> bool:
        """Let a message wait on disk if it has to, from the moment it is stored; False when memory has room for it."""
        message, own = delivery.message, self._of.get(agent.agent_id)
        has_room = message.sender >= SESSION_BIT or self._admission.keeps(agent)
        if own is None and has_room:
            return False
        key = _key(message)
        if has_room and (own is None or key not in own.lines):
            return False
        mailbox = agent.mailbox or agent.open_mailbox()
        mailbox.depth += 1
        mailbox.away += message.sender < SESSION_BIT
        delivery.disk = self._add(self._mailbox(agent.agent_id), key, message)
        return True

    def end(self, receiver: int, error: CaxtonError, reason: Reason, deliveries: list[Delivery]) -> list[Delivery]:
        """An agent takes nothing more: all that waits for it here is going to be dead letters, page by page.

        So is what it had in memory, as far as it stands in shared rows; returns the rest.
        """
        own = self._of.pop(receiver, None)
        rest = [delivery for delivery in deliveries if delivery.number or not self._journal.has(delivery)]
        if own is None:
            if len(rest) == len(deliveries):
                return rest
            own = DiskMailbox(receiver)
            self._turns.append(own)
        own.ended = error, reason
        for delivery in deliveries:
            if not delivery.number and self._journal.has(delivery):
                delivery.disk = self._add(own, _key(delivery.message), delivery.message)
                self._journal.leave_on_disk(delivery)
        return rest

    def is_ending(self, receiver: int) -> bool:
        """True while what waited for an agent that was removed is on its way to the dead letters."""
        return any(own.receiver == receiver and own.ended is not None and own.lines for own in self._turns)

    def stays(self, at: InUnfinished, waiting: Waiting) -> bool:
        """While the file is read for the first time: whether a message stays there. On the store's thread."""
        message = waiting.message
        key = _key(message)
        line, weighs = (message.receiver, key), weight(len(message.content))
        own = self._of.get(message.receiver)
        if own is None or key not in own.lines:
            if self._heads.get(line, 0) < OF_ONE_AT_REST and self._in_memory < FROM_DISK:
                self._heads[line] = self._heads.get(line, 0) + weighs
                self._in_memory += weighs
                return False
            own = self._mailbox(message.receiver)
        self._add(own, key, message).stored(at.number * ROW_SPAN + at.place)
        return True

    def recovered(self) -> list[DiskMailbox]:
        """The file was read: return what stays there, by receiver."""
        self._heads.clear()
        for own in self._of.values():
            agent = self._registry.find(own.receiver)
            if agent is not None:
                mailbox = agent.mailbox or agent.open_mailbox()
                mailbox.depth += sum(line.waits for line in own.lines.values())
                mailbox.away += sum(line.waits for key, line in own.lines.items() if key & 1)
        return list(self._of.values())

    def pages(self) -> list[Page]:
        """Return what is to be read now; each mailbox that has something here comes to its turn."""
        pages: list[Page] = []
        left = OF_READ
        for _ in range(min(OF_LOOK, len(self._turns))):
            own = self._turns.popleft()
            if not own.lines:
                continue
            self._turns.append(own)
            for key in sorted(own.lines, reverse=True):
                places = own.lines[key].first(
                    min(left, self._wanted(own, key, pages)), self._journal.committed_below * ROW_SPAN
                )
                if places:
                    pages.append(Page(own, own.lines[key], key, places))
                    left -= len(places)
        return pages

    def behind(self, place: int, most: int, receiver: int | None = None) -> list[int]:
        """Return, lowest first, up to `most` places of the file behind one at which something waits for a receiver."""
        below = self._journal.committed_below * ROW_SPAN
        own = [self._of[receiver]] if receiver in self._of else () if receiver is not None else self._turns
        found = (line.behind(place, most, below) for mailbox in own for line in mailbox.lines.values())
        return nsmallest(most, chain.from_iterable(found))

    def took(self, page: Page, messages: list[Waiting]) -> None:
        """The first messages of a page were read, and wait here no longer."""
        own, count = page.mailbox, len(messages)
        weighs = sum(weight(len(waiting.message.content)) for waiting in messages)
        self.messages -= count
        for waiting in messages:
            self.shares.add(principal_of(waiting.message), -weight(len(waiting.message.content)))
        own.weight -= weighs
        page.line.took(count)
        if not page.line.waits:
            del own.lines[page.key]
            if not own.lines and self._of.get(own.receiver) is own:
                del self._of[own.receiver]
        agent = self._registry.find(own.receiver)
        if own.ended is None and agent is not None and agent.mailbox is not None:
            agent.mailbox.depth -= count
            agent.mailbox.away -= count * (page.key & 1)

    def _wanted(self, own: DiskMailbox, key: int, pages: list[Page]) -> int:
        """Return how many messages of a line memory has room for; some, if its agent would have no turns without."""
        agent = self._registry.find(own.receiver)
        if own.ended is not None or agent is None:
            return OF_READ // 4
        mailbox = agent.mailbox or agent.open_mailbox()
        if self._has_room(agent, mailbox, key):
            return OF_READ
        runs = agent.attached or not agent.holds
        line = mailbox.line(key >> 1, effects=bool(key & 1))
        if line or not runs or agent.set_aside_weight >= share_of(agent):
            return 0
        return 0 if pages and self._dispatcher.effects >= MOST_EFFECTS else QUANTUM

    def _has_room(self, agent: Agent, mailbox: Mailbox, key: int) -> bool:
        if not key & 1:
            return len(mailbox.line(key >> 1, effects=False)) < QUANTUM and self._dispatcher.queued_bytes < ROOT_BYTES
        inside = mailbox.weight + agent.set_aside_weight
        return inside < share_of(agent) // 2 and self._dispatcher.effects < FROM_DISK

    def _mailbox(self, receiver: int) -> DiskMailbox:
        own = self._of.get(receiver)
        if own is None:
            own = self._of[receiver] = DiskMailbox(receiver)
            self._turns.append(own)
        return own

    def _add(self, own: DiskMailbox, key: int, message: Envelope) -> DiskLine:
        weighs, line = weight(len(message.content)), own.line(key)
        line.waits += 1
        own.weight += weighs
        if own.weight >= self.of_one * OVER_BELOW:
            self._filling.add(own.receiver)
        self.messages += 1
        self.shares.add(principal_of(message), weighs)
        return line


def _key(message: Envelope) -> int:
    return line_of(QUEUE_OF_LEVEL[message.level], effects=message.sender < SESSION_BIT)

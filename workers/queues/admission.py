"""Whether a message has room: roots by the capacity of their receiver's mailbox, effects by the bounds of the shard."""

from caxton.acl.envelope import AUTOMATIC, Envelope
from caxton.errors import CaxtonError, QueueFull
from caxton.ids import AgentId
from workers.agents.mailbox import FULL_ROOT_BYTES, MOST_ROOT_BYTES
from workers.agents.registry import Agent
from workers.queues.backlogs import Backlogs, origin_of
from workers.queues.bounds import (
    MOST_EFFECTS,
    MOST_IN_ALL,
    MOST_ROOTS_BYTES,
    OF_LINK,
    OF_ONE,
    OF_ONE_AT_REST,
    OF_ONE_STORED,
    ROOTS_END_AT,
    TO_DISK,
    credit_ends,
)
from workers.queues.dispatcher import Dispatcher
from workers.queues.pressure import Pressure
from workers.queues.shares import RootShares
from workers.worker_pass import Pass


class Admission:
    """Returns why there is no room, None when there is. Nobody waits for room here, so nobody stands still for it."""

    def __init__(
        self, dispatcher: Dispatcher, backlogs: Backlogs, pressure: Pressure, shard: int, roots: RootShares
    ) -> None:
        self._dispatcher = dispatcher
        self._backlogs = backlogs
        self._pressed = pressure.pressed
        self._shard = shard
        self._roots = roots

    def crowded(self, principal: str, messages: list[Envelope]) -> QueueFull | None:
        """For what a client sends in one frame: why none of it may wait here, so much waits in all mailboxes.

        Or so much of this principal's, while others are here.
        """
        waiting = self._dispatcher.queued_bytes
        if waiting >= MOST_ROOTS_BYTES:
            return QueueFull(f"shard {self._shard}, in bytes", waiting, MOST_ROOTS_BYTES)
        return self._roots.refusal(principal, messages)

    def count_crowded(
        self, crowded: QueueFull | None, refused: list[tuple[int, Envelope, CaxtonError]], a_pass: Pass
    ) -> None:
        """Count what was refused because its principal has its share."""
        if crowded is not None and crowded is self._roots.told:
            a_pass.counts["full_principal"] += sum(error is crowded for _, _, error in refused)

    def root(self, agent: Agent, session: int) -> QueueFull | None:
        """For what a client sends: it may fill a mailbox, in number or bytes, whatever agents have sent.

        A mailbox that is filling is noted as pressed.
        """
        mailbox = agent.mailbox
        if mailbox is None:
            return None
        if mailbox.root_bytes >= FULL_ROOT_BYTES:
            self._pressed.append((agent, session))
            if mailbox.root_bytes >= MOST_ROOT_BYTES:
                return QueueFull(f"{agent.label}, in bytes", mailbox.root_bytes, MOST_ROOT_BYTES)
        if mailbox.depth >= mailbox.high:
            self._pressed.append((agent, session))
            roots = mailbox.depth - mailbox.effects - mailbox.away
            if roots >= mailbox.capacity:
                return QueueFull(agent.label, roots, mailbox.capacity)
        return None

    def effect(self, agent: Agent, message: Envelope, a_pass: Pass, *, credited: bool = False) -> QueueFull | None:
        """For what an agent sends on the volatile lane: shares of one receiver and one origin, a bound of the shard.

        credited: another shard sent it, which was given credit for it.
        """
        mailbox, effects, aside = agent.mailbox, self._dispatcher.effects, agent.set_aside_weight
        if effects + aside < OF_ONE and (mailbox is None or mailbox.depth < mailbox.hard):
            return None
        if mailbox is not None and (mailbox.weight + aside >= OF_ONE or mailbox.depth - mailbox.away >= mailbox.hard):
            a_pass.counts["full_receiver"] += 1
            return QueueFull(agent.label, mailbox.depth, mailbox.hard)
        most = MOST_IN_ALL if credited else MOST_EFFECTS
        if effects >= most:
            a_pass.counts["full_shard"] += 1
            return QueueFull(f"shard {self._shard}", effects, most)
        return self._of_origin(message, a_pass)

    def keeps(self, agent: Agent) -> bool:
        """Whether memory keeps one more durable effect for an agent; what it does not keep waits on disk."""
        mailbox = agent.mailbox
        inside = agent.set_aside_weight + (0 if mailbox is None else mailbox.weight)
        return inside < share_of(agent) and self._dispatcher.effects < TO_DISK

    def for_shard(self, shard: int, message: Envelope, a_pass: Pass) -> QueueFull | None:
        """For what is to wait for another shard."""
        waiting = self._backlogs.weight(shard)
        if waiting >= OF_LINK * ROOTS_END_AT:
            self._dispatcher.far.met(shard, origin_of(message, a_pass), a_pass.now_ns)
        if waiting >= OF_LINK:
            a_pass.counts["full_link"] += 1
            return QueueFull(f"shard {shard}", waiting, OF_LINK)
        return self._of_origin(message, a_pass)

    def has_room_for_roots(self, shard: int) -> bool:
        """Whether so little waits for another shard, on the volatile lane, that roots may begin again."""
        return not credit_ends(self._backlogs.weight(shard), int(OF_LINK * ROOTS_END_AT), ended=True)

    def _of_origin(self, message: Envelope, a_pass: Pass) -> QueueFull | None:
        if message.flags & AUTOMATIC:
            return None  # who is refused is to be told
        origin, dispatcher = origin_of(message, a_pass), self._dispatcher
        waiting = dispatcher.begun.get(origin, 0) + dispatcher.resting.get(origin, 0)
        if waiting < OF_ONE:
            return None
        a_pass.counts["full_origin"] += 1
        return QueueFull(f"what follows from messages to {AgentId(origin)}", waiting, OF_ONE)


def share_of(agent: Agent) -> int:
    """Return what memory keeps of durable effects for an agent: less while it has no turns here."""
    return OF_ONE_AT_REST if agent.holds else OF_ONE_STORED

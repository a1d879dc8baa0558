"""Whether a message has room: roots by the capacity of their receiver's mailbox, effects by the bounds of the shard."""

from caxton.acl.envelope import AUTOMATIC, DURABLE, Envelope
from caxton.errors import QueueFull
from caxton.ids import AgentId
from workers.agents.registry import Agent
from workers.queues.backlogs import Backlogs
from workers.queues.bounds import MOST_EFFECTS, MOST_IN_ALL, OF_LINK, OF_ONE, OF_ONE_STORED
from workers.queues.dispatcher import Dispatcher
from workers.queues.pressure import Pressure
from workers.worker_pass import Pass


class Admission:
    """Returns why there is no room, None when there is. Nobody waits for room here, so nobody stands still for it."""

    def __init__(self, dispatcher: Dispatcher, backlogs: Backlogs, pressure: Pressure, shard: int) -> None:
        self._dispatcher = dispatcher
        self._backlogs = backlogs
        self._pressed = pressure.pressed
        self._shard = shard

    def root(self, agent: Agent, session: int) -> QueueFull | None:
        """For what a client sends: it may fill a mailbox to its capacity, whatever agents have sent.

        A mailbox that is filling is noted as pressed.
        """
        mailbox = agent.mailbox
        if mailbox is not None and mailbox.depth >= mailbox.high:
            self._pressed.append((agent, session))
            roots = mailbox.depth - mailbox.effects
            if roots >= mailbox.capacity:
                return QueueFull(agent.label, roots, mailbox.capacity)
        return None

    def effect(self, agent: Agent, message: Envelope, a_pass: Pass, *, credited: bool = False) -> QueueFull | None:
        """For what an agent sends: there are shares of one receiver and one origin, and a bound of the shard.

        credited: another shard sent it, which was given credit for it.
        """
        mailbox, effects, aside = agent.mailbox, self._dispatcher.effects, agent.set_aside_weight
        if effects + aside < OF_ONE and (mailbox is None or mailbox.depth < mailbox.hard):
            return None
        share = OF_ONE_STORED if message.flags & DURABLE else OF_ONE
        if mailbox is not None and (mailbox.weight + aside >= share or mailbox.depth >= mailbox.hard):
            a_pass.counts["full_receiver"] += 1
            return QueueFull(agent.label, mailbox.depth, mailbox.hard)
        most = MOST_IN_ALL if credited else MOST_EFFECTS
        if effects >= most:
            a_pass.counts["full_shard"] += 1
            return QueueFull(f"shard {self._shard}", effects, most)
        return self._of_origin(message, a_pass, share)

    def for_shard(self, shard: int, message: Envelope, a_pass: Pass) -> QueueFull | None:
        """For what is to wait for another shard."""
        waiting = self._backlogs.weight(shard)
        if waiting >= OF_LINK:
            a_pass.counts["full_link"] += 1
            return QueueFull(f"shard {shard}", waiting, OF_LINK)
        return self._of_origin(message, a_pass, OF_ONE)

    def _of_origin(self, message: Envelope, a_pass: Pass, share: int) -> QueueFull | None:
        if message.flags & AUTOMATIC:
            return None  # who is refused is to be told
        origin, dispatcher = origin_of(message, a_pass), self._dispatcher
        waiting = dispatcher.begun.get(origin, 0) + dispatcher.resting.get(origin, 0)
        if waiting < share:
            return None
        a_pass.counts["full_origin"] += 1
        return QueueFull(f"what follows from messages to {AgentId(origin)}", waiting, share)


def origin_of(message: Envelope, a_pass: Pass) -> int:
    """Return the agent whose roots an effect goes back to: the one that sent it, if nobody knows better."""
    return a_pass.origin or (message.receiver if message.flags & AUTOMATIC else message.sender)

"""One message: is its receiver here, does it take messages, is there room? Into its mailbox, or back with the reason."""

from caxton.acl.envelope import Envelope
from caxton.errors import (
    AgentNotFound,
    AgentNotRunning,
    CaxtonError,
    MessageTooLarge,
    QueueFull,
    SecurityError,
    ShardUnavailable,
)
from caxton.ids import AgentId
from caxton.placement.slot_table import SlotTable
from workers.dispatcher import Dispatcher
from workers.mailbox import NORMAL, QUEUE_OF_LEVEL, Mailbox
from workers.pressure import Pressure
from workers.registry import Agent, Registry
from workers.worker_pass import NS_PER_MS


class Placing:
    """Puts messages into mailboxes. Nothing waits here: what cannot be placed is returned as an error.

    pressed: as in `Pressure`.
    """

    def __init__(  # noqa: PLR0913 (the composition root is the only caller)
        self, registry: Registry, dispatcher: Dispatcher, pressure: Pressure, shard: int, table: SlotTable
    ) -> None:
        self._agents = registry.agents
        self._dispatcher = dispatcher
        self.shard = shard
        self.table = table
        self.pressed = pressure.pressed

    def from_session(
        self, messages: list[Envelope], source: int, first: int, now_ns: int
    ) -> list[tuple[int, CaxtonError]]:
        """Place a client's messages, numbered from `first`; returns (sequence, why) of those that were not placed."""
        refused: list[tuple[int, CaxtonError]] = []
        find, ready, pressed = self._agents.get, self._dispatcher.ready, self.pressed
        size = 0
        for sequence, message in enumerate(messages, first):
            agent = find(message.receiver)
            if (
                agent is None
                or not agent.takes
                or len(message.content) > agent.max_content
                or message.sender != source
            ):
                refused.append((sequence, self._why_not(agent, message, source)))
                continue
            mailbox = agent.mailbox or agent.open_mailbox()
            if mailbox.depth >= mailbox.high:
                pressed.append((agent, source))
                if mailbox.depth >= mailbox.capacity:
                    refused.append((sequence, QueueFull(agent.label, mailbox.depth, mailbox.capacity)))
                    continue
            # What `Dispatcher.enqueue` does, written out: a call for each message would cost as much as all of this.
            level = QUEUE_OF_LEVEL[message.level]
            queue = mailbox.normal if level == NORMAL else mailbox.queue(level)
            if not queue.in_line:
                queue.in_line = True
                ready[level].append(agent)
            queue.append((message, source, sequence, now_ns + message.timeout_ms * NS_PER_MS))
            mailbox.depth += 1
            size += len(message.content)
        self._dispatcher.queued += len(messages) - len(refused)
        self._dispatcher.queued_bytes += size
        return refused

    def from_agent(
        self, message: Envelope, root: tuple[int, int], source: int, now_ns: int
    ) -> tuple[Agent, Mailbox] | CaxtonError:
        """Place what an agent of this shard (source 0) or another worker sent; returns where, or why not.

        Such messages may go beyond the capacity, up to `Mailbox.hard`: their senders slow down when told.
        """
        agent = self._agents.get(message.receiver)
        if agent is None or not agent.takes or len(message.content) > agent.max_content:
            return self._why_not(agent, message, message.sender)
        mailbox = agent.mailbox or agent.open_mailbox()
        if mailbox.depth >= mailbox.high:
            self.pressed.append((agent, source))
            if mailbox.depth >= mailbox.hard:
                return QueueFull(agent.label, mailbox.depth, mailbox.capacity)
        self._dispatcher.enqueue(agent, mailbox, message, root[0], root[1], now_ns)
        return agent, mailbox

    def _why_not(self, agent: Agent | None, message: Envelope, source: int) -> CaxtonError:
        if message.sender != source:
            return SecurityError(f"the sender {message.sender:016x} is not who sent this, {source:016x}")
        if agent is not None and not agent.takes:
            return AgentNotRunning(agent.label, agent.state.value)
        if agent is not None:
            return MessageTooLarge.of(len(message.content), agent.max_content)
        owner = self.table.shard_of(message.receiver)
        if owner != self.shard:
            return ShardUnavailable(owner, f"not here: this is shard {self.shard}, table version {self.table.version}")
        return AgentNotFound(f"{message.receiver:016x}" if not message.receiver else str(AgentId(message.receiver)))



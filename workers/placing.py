"""One message: is its receiver here, does it take messages, is there room? To its mailbox, or back with the reason."""

from typing import TypeGuard

from caxton.acl.envelope import AUTOMATIC, Envelope
from caxton.errors import (
    AgentNotFound,
    AgentNotRunning,
    CaxtonError,
    MessageTooLarge,
    QueueFull,
    SecurityError,
    ShardUnavailable,
)
from caxton.ids import SESSION_BIT, AgentId
from caxton.placement.slot_table import SlotTable
from workers.dispatcher import Dispatcher
from workers.mailbox import NORMAL, QUEUE_OF_LEVEL
from workers.pressure import HERE, Pressure
from workers.registry import Agent, Registry
from workers.worker_pass import NS_PER_MS, Pass

Root = tuple[int, int]


class Placing:
    """Puts messages into mailboxes. Nothing waits here: what cannot be placed is returned as an error.

    pressed: as in `Pressure`.
    """

    def __init__(
        self, registry: Registry, dispatcher: Dispatcher, pressure: Pressure, shard: int, table: SlotTable
    ) -> None:
        self._agents = registry.agents
        self._dispatcher = dispatcher
        self.shard = shard
        self.table = table
        self.pressed = pressure.pressed

    def from_peer(
        self, messages: list[Envelope], source: int, first: int, a_pass: Pass
    ) -> list[tuple[int, Envelope, CaxtonError]]:
        """Place a frame's messages, numbered from `first`; returns (sequence, message, why) of those that were not.

        A client may fill a mailbox to its capacity; what agents of other workers sent may go beyond it, up to
        `Mailbox.hard`, because they slow down as soon as they are told.
        """
        refused: list[tuple[int, Envelope, CaxtonError]] = []
        find, ready, pressed, now_ns = self._agents.get, self._dispatcher.ready, self.pressed, a_pass.now_ns
        is_session = source >= SESSION_BIT
        placed = size = 0
        for sequence, message in enumerate(messages, first):
            agent = find(message.receiver)
            if (
                agent is None
                or not agent.takes
                or len(message.content) > agent.max_content
                or message.flags & AUTOMATIC
                or (is_session and message.sender != source)
            ):
                if not message.flags & AUTOMATIC or is_session:
                    refused.append((sequence, message, self._why_not(agent, message, source)))
                    continue
                if not _reads_failures(agent, a_pass):
                    continue
            mailbox = agent.mailbox or agent.open_mailbox()
            if mailbox.depth >= mailbox.high:
                pressed.append((agent, source))
                if mailbox.depth >= (mailbox.capacity if is_session else mailbox.hard):
                    refused.append((sequence, message, QueueFull(agent.label, mailbox.depth, mailbox.capacity)))
                    continue
            # What `Dispatcher.enqueue` does, written out: a call for each message would cost as much as all of this.
            level = QUEUE_OF_LEVEL[message.level]
            queue = mailbox.normal if level == NORMAL else mailbox.queue(level)
            if not queue.in_line:
                queue.in_line = True
                ready[level].append(agent)
            queue.append((message, source, sequence, now_ns + message.timeout_ms * NS_PER_MS))
            mailbox.depth += 1
            placed += 1
            size += len(message.content)
        self._dispatcher.queued += placed
        self._dispatcher.queued_bytes += size
        return refused

    def from_agent(self, agent: Agent | None, message: Envelope, root: Root, a_pass: Pass) -> CaxtonError | None:
        """Place what an agent of this shard, or the runtime itself, sent to `agent`; returns why not, or None."""
        if agent is None or not agent.takes or len(message.content) > agent.max_content or message.flags & AUTOMATIC:
            if not message.flags & AUTOMATIC:
                return self._why_not(agent, message, HERE)
            if not _reads_failures(agent, a_pass):
                return None
        mailbox = agent.mailbox or agent.open_mailbox()
        if mailbox.depth >= mailbox.high:
            self.pressed.append((agent, HERE))
            if mailbox.depth >= mailbox.hard:
                return QueueFull(agent.label, mailbox.depth, mailbox.capacity)
        self._dispatcher.enqueue(agent, mailbox, message, root[0], root[1], a_pass.now_ns)
        a_pass.counts["local"] += 1
        return None

    def _why_not(self, agent: Agent | None, message: Envelope, source: int) -> CaxtonError:
        if source >= SESSION_BIT and message.sender != source:
            return SecurityError(f"the sender {message.sender:016x} is not who sent this, {source:016x}")
        if message.flags & AUTOMATIC:
            return SecurityError("only the runtime marks a message as automatic")
        if agent is not None and not agent.takes:
            return AgentNotRunning(agent.label, agent.state.value)
        if agent is not None:
            return MessageTooLarge.of(len(message.content), agent.max_content)
        owner = self.table.shard_of(message.receiver)
        if owner != self.shard:
            return ShardUnavailable(owner, f"not here: this is shard {self.shard}, table version {self.table.version}")
        return AgentNotFound(f"{message.receiver:016x}" if not message.receiver else str(AgentId(message.receiver)))


def _reads_failures(agent: Agent | None, a_pass: Pass) -> TypeGuard[Agent]:
    """True when an automatic message is worth placing: a content agent could not tell it from any other."""
    if agent is not None and agent.takes and not agent.content_only:
        return True
    a_pass.counts["failures_dropped"] += 1
    return False

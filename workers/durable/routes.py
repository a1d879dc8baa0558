"""Where durable messages go: a mailbox here, or the outbox; what neither keeps is a dead letter. Nothing waits."""

from caxton.acl.envelope import Envelope
from caxton.errors import CaxtonError, QueueFull, SessionNotFound, Unsupported
from caxton.ids import BROADCAST, SESSION_BIT, AgentId
from caxton.placement.slots import SLOT_MASK
from workers.agents.registry import Registry
from workers.commit.journal import Journal
from workers.commit.outbox import Outbox
from workers.commit.outboxes import MOST_BYTES, MOST_UNREAD, Outboxes
from workers.durable.attempts import Attempts
from workers.durable.placing import DurablePlacing
from workers.worker_pass import Pass

Root = tuple[int, int]
_NO_ROOT: Root = (0, 0)


class DurableRoutes:
    """Sends, with the commit that is being gathered. What cannot be placed is a dead letter, and its sender is told."""

    def __init__(
        self,
        registry: Registry,
        placing: DurablePlacing,
        journal: Journal,
        outboxes: Outboxes,
        attempts: Attempts,
        owners: bytes | list[int] | tuple[int, ...],
        shard: int,
    ) -> None:
        self._agents = registry.agents
        self._placing = placing
        self._journal = journal
        self._outboxes = outboxes
        self._attempts = attempts
        self._owners = owners
        self._shard = shard

    def send(self, messages: list[Envelope], root: Root, a_pass: Pass) -> None:
        """Send messages on their way."""
        for message in messages:
            receiver = message.receiver
            if receiver >= SESSION_BIT:
                self._to_session(message)
            elif (shard := self._owners[receiver & SLOT_MASK]) == self._shard:
                self._here(message, root, a_pass)
            else:
                self._to_shard(message, shard)

    def send_again(self, message: Envelope, a_pass: Pass) -> None:
        """Send a message that was a dead letter; the ledger counted it when it was taken from these."""
        journal = self._journal
        if message.receiver < SESSION_BIT and self._owners[message.receiver & SLOT_MASK] == self._shard:
            error = self._placing.from_agent(self._agents.get(message.receiver), message, _NO_ROOT, a_pass)
            if error is not None:
                self.refuse(message, error)
            return
        journal.counts["accepted_agents"] -= 1  # counted there once more, and requeued already
        self.send([message], _NO_ROOT, a_pass)

    def _here(self, message: Envelope, root: Root, a_pass: Pass) -> None:
        self._journal.counts["accepted_agents"] += 1
        error = self._placing.from_agent(self._agents.get(message.receiver), message, root, a_pass)
        if error is not None:
            self.refuse(message, error)

    def _to_shard(self, message: Envelope, shard: int) -> None:
        self._emit(message, self._outboxes.of(shard), f"shard {shard}")

    def _to_session(self, message: Envelope) -> None:
        number = message.receiver
        if number == BROADCAST:
            self._die(message, Unsupported("broadcast", "name each receiver"))
            return
        outbox = self._outboxes.session(number, self._journal.emitted.get(number))
        if outbox is None:
            self._die(message, SessionNotFound(str(AgentId(number))))
        else:
            self._emit(message, outbox, str(AgentId(number)))

    def _emit(self, message: Envelope, outbox: Outbox, label: str) -> None:
        """Let a message go to whom the outbox is for, if there is room in it with what this commit gathers."""
        journal, target = self._journal, outbox.target
        unread = outbox.messages + len(journal.emitted.get(target, ()))
        if unread >= MOST_UNREAD or outbox.bytes + journal.emitted_bytes[target] >= MOST_BYTES:
            self._die(message, QueueFull(label, unread, MOST_UNREAD))
        else:
            journal.emit(target, message)

    def _die(self, message: Envelope, error: CaxtonError) -> None:
        self._journal.counts["accepted_agents"] += 1
        self.refuse(message, error)

    def refuse(self, message: Envelope, error: CaxtonError) -> None:
        """Let a message of an agent, which nobody takes, become a dead letter."""
        self._attempts.bury(message, error, None)

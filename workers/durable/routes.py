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
from workers.queues.backlogs import origin_of
from workers.queues.bounds import ROOTS_END_AT, credit_ends
from workers.queues.far_shards import FarShards
from workers.watching.watchers import Watchers
from workers.worker_pass import Pass

Root = tuple[int, int]
_NO_ROOT: Root = (0, 0)


class DurableRoutes:
    """Sends, with the commit that is being gathered. What cannot be placed is a dead letter, and its sender is told."""

    def __init__(  # noqa: PLR0913, PLR0917 (whom it asks; the composition root is the only caller)
        self,
        registry: Registry,
        placing: DurablePlacing,
        journal: Journal,
        outboxes: Outboxes,
        attempts: Attempts,
        owners: bytes | list[int] | tuple[int, ...],
        shard: int,
        far: FarShards,
        watchers: Watchers,
    ) -> None:
        self._agents = registry.agents
        self._far = far
        self._placing = placing
        self._journal = journal
        self._outboxes = outboxes
        self._attempts = attempts
        self._owners = owners
        self._shard = shard
        self._watchers = watchers

    def send(self, messages: list[Envelope], root: Root, a_pass: Pass) -> None:
        """Send messages on their way."""
        if self._watchers.is_on:
            self._watchers.sent(messages, a_pass.wall_ms)
        for message in messages:
            receiver = message.receiver
            if receiver >= SESSION_BIT:
                self._to_session(message, a_pass)
            elif (shard := self._owners[receiver & SLOT_MASK]) == self._shard:
                self._here(message, root, a_pass)
            else:
                self._emit(message, self._outboxes.of(shard), a_pass)

    def send_again(self, message: Envelope, a_pass: Pass) -> None:
        """Send a message that was a dead letter; the ledger counted it when it was taken from these."""
        journal = self._journal
        if message.receiver < SESSION_BIT and self._owners[message.receiver & SLOT_MASK] == self._shard:
            if self._watchers.is_on:
                self._watchers.sent([message], a_pass.wall_ms)
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

    def _to_session(self, message: Envelope, a_pass: Pass) -> None:
        number = message.receiver
        if number == BROADCAST:
            self.die(message, Unsupported("broadcast", "name each receiver"))
            return
        outbox = self._outboxes.session(number, self._journal.emitted.get(number))
        if outbox is None:
            self.die(message, SessionNotFound(str(AgentId(number))))
        else:
            self._emit(message, outbox, a_pass)

    def _emit(self, message: Envelope, outbox: Outbox, a_pass: Pass) -> None:
        """Let a message go to whom the outbox is for, if there is room in it with what this commit gathers."""
        journal, target = self._journal, outbox.target
        unread = outbox.messages + len(journal.emitted.get(target, ()))
        size = outbox.bytes + journal.emitted_bytes[target]
        crowds = outbox.peer is not None and outbox.peer.crowds
        if (unread >= MOST_UNREAD * ROOTS_END_AT or size >= MOST_BYTES * ROOTS_END_AT) and not outbox.is_session:
            self._far.met(target, origin_of(message, a_pass), a_pass.now_ns)
        if crowds or unread >= MOST_UNREAD or size >= MOST_BYTES:
            label = str(AgentId(target)) if outbox.is_session else f"shard {target}"
            a_pass.counts["session_full" if outbox.is_session else "full_link"] += 1
            self.die(message, QueueFull(label, unread, MOST_UNREAD))
        else:
            journal.emit(target, message)

    def has_room_for_roots(self, shard: int) -> bool:
        """Whether so little waits for another shard, on the durable lane, that roots may begin again."""
        journal, outbox = self._journal, self._outboxes.of(shard)
        unread = outbox.messages + len(journal.emitted.get(shard, ()))
        size = outbox.bytes + journal.emitted_bytes[shard]
        return not (
            credit_ends(unread, int(MOST_UNREAD * ROOTS_END_AT), ended=True)
            or credit_ends(size, int(MOST_BYTES * ROOTS_END_AT), ended=True)
        )

    def die(self, message: Envelope, error: CaxtonError) -> None:
        """Let a message that an agent here has just sent become a dead letter."""
        self._journal.counts["accepted_agents"] += 1
        self.refuse(message, error)

    def has_left(self, session: int) -> bool:
        """True when a client has ended, so that nothing can be sent to it."""
        return self._outboxes.session(session, self._journal.emitted.get(session)) is None

    def refuse(self, message: Envelope, error: CaxtonError) -> None:
        """Let a message of an agent, which nobody takes, become a dead letter."""
        self._attempts.bury(message, error, None)

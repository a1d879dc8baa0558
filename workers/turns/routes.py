"""Where a turn's messages go: a mailbox here, another worker, a client; or back, refused. Nothing waits for room."""

from collections.abc import Iterable

from msgspec import structs

from caxton.acl.capability import is_nobody
from caxton.acl.envelope import AUTOMATIC, DURABLE, MAX_HOPS, RECEIPT_PROTOCOL, Envelope, Rare, called
from caxton.acl.escalation import ESCALATED, escalation
from caxton.acl.failure import report
from caxton.acl.performative import Performative
from caxton.delivery.causes import Works, after, counter_of, pass_waiters_on
from caxton.errors import (
    CaxtonError,
    HopLimitExceeded,
    InvalidMessageFormat,
    MessageExpired,
    NotUnderstood,
    RetryLimitExceeded,
    SessionNotFound,
    Unsupported,
    ValidationError,
    WorkLimitExceeded,
)
from caxton.ids import BROADCAST, SESSION_BIT, AgentId, AgentNames, UuidSource
from caxton.placement.slots import SLOT_MASK
from workers.agents.mailbox import WEIGHT_SHIFT
from workers.agents.registry import Agent, Registry
from workers.capabilities.alternatives import Alternatives, for_each
from workers.conversations.conversations import Conversations
from workers.conversations.openings import of_same, opener_of
from workers.durable.advertising import Advertising
from workers.durable.attempts import Letter
from workers.durable.routes import DurableRoutes
from workers.peers.peers import Peers
from workers.queues.admission import Admission
from workers.queues.backlogs import Backlogs, origin_of
from workers.sandbox.guest_messages import Advertised, Everyone, Pick
from workers.turns.traced import follow, in_trace
from workers.turns.words import word_of_end, word_of_overdue
from workers.volatile.placing import Placing
from workers.watching.watchers import Watchers
from workers.worker_pass import Pass

_FAILURE, _CONFIRM = int(Performative.FAILURE), int(Performative.CONFIRM)
_NOT_UNDERSTOOD = int(Performative.NOT_UNDERSTOOD)
_RECEIPT = Rare(protocol=RECEIPT_PROTOCOL)
Root = tuple[int, int]
_NO_ROOT: Root = (0, 0)
# A number beyond that of every session.
BEYOND_ALL = 1 << 64


class Routes:
    """Sends what agents send. It never waits, and no agent waits for it: what the shard does not keep is refused.

    straight_from: who has this number or a higher one may be answered in this pass without `send_effects`; nobody where
    what goes by is looked at. watchers: who is shown what goes by. durable: where messages of the durable lane go.
    advertising: what agents say that they can do. pick: returns an agent for (a capability's key, balancing, sender).
    """

    durable: DurableRoutes
    advertising: Advertising
    pick: Pick
    everyone: Everyone

    def __init__(  # noqa: PLR0913, PLR0917 (whom it asks; the composition root is the only caller)
        self,
        registry: Registry,
        peers: Peers,
        placing: Placing,
        admission: Admission,
        backlogs: Backlogs,
        shard: int,
        names: AgentNames,
        alternatives: Alternatives,
        conversations: Conversations,
        works: Works,
        watchers: Watchers,
    ) -> None:
        self.watchers = watchers
        self._alternatives = alternatives
        self._registry = registry
        self._peers = peers
        self._placing = placing
        self._admission = admission
        self._backlogs = backlogs
        self._shard = shard
        self._names = names
        self._conversations = conversations
        self._works = works
        self.ids = UuidSource(0)
        self.straight_from = SESSION_BIT
        self.a_pass = Pass(0, 0)

    def begin(self, a_pass: Pass) -> None:
        """Send what follows as part of `a_pass`."""
        self.a_pass = a_pass
        watchers = self.watchers
        self.straight_from = BEYOND_ALL if watchers.is_asked and watchers.begin() else SESSION_BIT
        self.ids.renew(a_pass.wall_ms)

    def send_effects(self, messages: list[Envelope], root: Root, agent: Agent, handled: Envelope) -> None:
        """Send what an agent sent while it handled a message; what would go on too far, or too long, is refused."""
        cause, weighs, plain = after(handled), 0, True
        for message in messages:
            message.cause = cause
            if message.receiver < SESSION_BIT:
                weighs += 1 + (len(message.content) >> WEIGHT_SHIFT)
            if message.conversation_id is not None or message.rare is not None:
                plain = False
        if self.a_pass.context:
            follow(messages, self.a_pass.context, handled)
        if handled.cause is not None and handled.cause.waiters is not None:
            pass_waiters_on(handled, messages)
        if weighs:  # first of all, so that what is refused for another reason has been counted too
            error = self._works.refusal(cause, weighs, agent.manifest.limits.max_hops)
            if error is not None:
                self._end_here([message for message in messages if message.receiver < SESSION_BIT], error, handled)
                messages = [message for message in messages if message.receiver >= SESSION_BIT]
        if not plain:
            messages = self._fitting(messages, handled)
        self.send(messages, root)

    def send(self, messages: list[Envelope], root: Root) -> None:
        """Send a turn's messages on their way, in order."""
        if messages and messages[0].flags & DURABLE:
            self.durable.send(messages, root, self.a_pass)
            return
        if self.watchers.is_on:
            self.watchers.sent(messages, self.a_pass.wall_ms)
        owners, own = self._placing.table.owners, self._shard
        if self.a_pass.origin:
            self.a_pass.origins.append((self.a_pass.origin, messages))
        for message in messages:
            receiver = message.receiver
            if receiver >= SESSION_BIT:
                self._to_session(message)
            elif (shard := owners[receiver & SLOT_MASK]) == own:
                self._here(message, root)
            else:
                self._to_worker(message, shard)

    def advertise(self, agent: Agent, said: Advertised) -> None:
        """Let an agent have other capabilities, as it says itself. Raises InvalidMessageFormat, ResourceExhausted."""
        try:
            self.advertising.change(agent.agent_id, said.add, said.remove)
        except ValidationError as error:
            raise InvalidMessageFormat("output", str(error)) from None

    def go_on(self, shard: int) -> None:
        """The worker of a shard is there, or gave credit: what waits for it goes, as far as that allows."""
        if shard in self._backlogs:
            number = self._peers.workers[shard]
            peer = self._peers.by_number.get(number)
            if peer is not None:
                waiting, outgoing = self.a_pass.emitted.setdefault(number, []), peer.link.outgoing
                waiting += self._backlogs.take(shard, outgoing.room() - len(waiting), outgoing.fits)

    def fail(self, message: Envelope, error: CaxtonError) -> None:
        """Tell the sender of `message` that it came to nothing. An automatic message is never answered."""
        counts = self.a_pass.counts
        if message.conversation_id is not None:
            self._conversations.came_to_nothing(message)
        if message.flags & AUTOMATIC or not 0 < message.sender < BROADCAST:
            counts["failures_dropped"] += 1
            return
        if message.receiver >= SESSION_BIT and message.cause is not None:
            # No turn was refused for it, so what it brings forth is counted here.
            weighs = 1 + (len(message.content) >> WEIGHT_SHIFT)
            beyond = self._works.refusal(message.cause, weighs, MAX_HOPS)
            if beyond is not None:
                counts["failures_dropped"] += 1
                counts[counter_of(beyond)] += 1
                return
        counts["failures_sent"] += 1
        self._tell(message, _NOT_UNDERSTOOD if isinstance(error, NotUnderstood) else _FAILURE, report(error), None)

    def confirm(self, message: Envelope) -> None:
        """Tell the sender of `message`, who asked for it, that it was handled; one that is gone is counted."""
        sender, durable = message.sender, message.flags & DURABLE
        gone = durable and sender >= SESSION_BIT and self.durable.has_left(sender)
        if gone or message.flags & AUTOMATIC or not 0 < sender < BROADCAST:
            self.a_pass.counts["failures_dropped"] += 1
            return
        self.a_pass.counts["confirmations_sent"] += 1
        self._tell(message, _CONFIRM, b"", _RECEIPT)

    def escalate(self, agent: Agent, message: Envelope, error: CaxtonError, letter: Letter) -> None:
        """Send a message that its agent failed on for good to whom the agent's manifest names, with the same commit.

        What it is sent as is automatic: it has no dead letter and escalates to nobody, whatever becomes of it.
        """
        manifest = agent.manifest
        if manifest.escalate_to is None:
            return
        self.a_pass.counts["escalated"] += 1
        last = RetryLimitExceeded(str(AgentId(agent.agent_id)), letter.attempts, str(error))
        number = f"{self._shard}-{letter.number}"
        told = Envelope(
            self.ids.next(),
            _FAILURE,
            agent.agent_id,
            self._names.id_of(manifest.escalate_to),
            escalation(message, manifest.name, last, letter.attempts, letter.retry_reasons, number),
            None,
            None,
            message.conversation_id,
            self.a_pass.wall_ms,
            message.level,
            flags=AUTOMATIC | DURABLE,
            rare=ESCALATED,
            cause=after(message),
        )
        self.durable.send([told], _NO_ROOT, self.a_pass)

    def _fitting(self, messages: list[Envelope], handled: Envelope) -> list[Envelope]:
        """Return what of these fits its conversation, and names no protocol that is none; the rest is refused."""
        looked_at = [m for m in messages if m.conversation_id is None or not is_nobody(m.receiver)]
        refused = self._conversations.send(looked_at, handled)
        if not refused:
            return messages
        self._refuse_all(refused, durable=messages[0].flags & DURABLE)
        unfit = {id(message) for message, _ in refused}
        return [message for message in messages if id(message) not in unfit]

    def _refuse_all(self, refused: Iterable[tuple[Envelope, CaxtonError]], *, durable: int) -> None:
        """Refuse what a turn sent, before any of it is part of a conversation."""
        refuse = self.durable.die if durable else self.refuse
        self._conversations.is_refusing = True
        for message, error in refused:
            refuse(message, error)
        self._conversations.is_refusing = False

    def tell_of_ends(self) -> None:
        """Tell who takes part in conversations that have come to a limit. It is told of as of a failure."""
        untold, self._conversations.untold = self._conversations.untold, []
        for record, error in untold:
            for party in list(record.parties):
                self._say(word_of_end(record, error, party, self.ids.next(), self.a_pass.wall_ms))

    def tell_of_overdue(self) -> None:
        """Tell agents that what they waited for by their protocol was not said in time, as a failure of who did not.

        Who was asked something by a client that is gone is told by its cancel.
        """
        rules = self._conversations.rules
        overdue, rules.overdue = rules.overdue, []
        for one in overdue:
            told = word_of_overdue(one, self.ids.next(), self.a_pass.wall_ms)
            if one.performative is Performative.CANCEL:
                rules.cancelled(one.record, (one.agent, one.other), told.message_id)
            self._say(told)

    def _tell(self, message: Envelope, performative: int, content: bytes, rare: Rare | None) -> None:
        """Send the sender of a message the runtime's own word about it, on the same lane."""
        told = Envelope(
            self.ids.next(),
            performative,
            message.receiver,
            message.sender,
            content,
            None,
            message.reply_with or message.message_id,
            message.conversation_id,
            self.a_pass.wall_ms,
            message.level,
            flags=AUTOMATIC | (message.flags & DURABLE),
            rare=rare if message.conversation_id is None else of_same(rare, opener_of(message)),
            cause=after(message) if message.sender < SESSION_BIT else None,
        )
        if message.rare is not None and message.rare.trace_context is not None:
            told.rare = in_trace(told.rare, message, self.a_pass.context)
        self._say(told)

    def _say(self, told: Envelope) -> None:
        """Send the runtime's own word on its way."""
        receiver = told.receiver
        if told.flags & DURABLE:
            self.durable.send([told], _NO_ROOT, self.a_pass)
            return
        if self.watchers.is_on:
            self.watchers.sent([told], self.a_pass.wall_ms)
        if receiver >= SESSION_BIT:
            self._to_session(told)
        elif (shard := self._placing.table.shard_of(receiver)) == self._shard:
            self._here(told, _NO_ROOT)
        else:
            self._to_worker(told, shard)

    def _end_here(
        self, effects: list[Envelope], error: HopLimitExceeded | WorkLimitExceeded, handled: Envelope
    ) -> None:
        """Refuse what a turn sent to agents. What answers a failure is dropped: it would be answered by another one."""
        self.a_pass.counts[counter_of(error)] += len(effects)
        if not handled.flags & AUTOMATIC:
            self._refuse_all([(message, error) for message in effects], durable=handled.flags & DURABLE)

    def _here(self, message: Envelope, root: Root) -> None:
        error = self._placing.from_agent(self._registry.agents.get(message.receiver), message, root, self.a_pass)
        if error is not None:
            self.refuse(message, error)

    def _to_worker(self, message: Envelope, shard: int) -> None:
        peers, backlogs, a_pass = self._peers, self._backlogs, self.a_pass
        number = peers.workers[shard] if shard < len(peers.workers) else 0
        peer = peers.by_number.get(number)
        if peer is not None and shard not in backlogs:
            waiting = a_pass.emitted.get(number)
            if waiting is None:
                waiting = a_pass.emitted[number] = []
            if peer.link.outgoing.room() > len(waiting):
                waiting.append(message)
                return
        full = self._admission.for_shard(shard, message, a_pass)
        if full is None:
            backlogs.add(shard, message, a_pass.now_ns, origin_of(message, a_pass))
        else:
            self.refuse(message, full)

    def _to_session(self, message: Envelope) -> None:
        number = message.receiver
        waiting = self.a_pass.emitted.get(number)
        if waiting is None:
            if self._peers.find(number) is None:
                self._no_session(message)
                return
            waiting = self.a_pass.emitted[number] = []
        message.cause = None  # no client need know whom an agent worked for
        waiting.append(message)

    def _no_session(self, message: Envelope) -> None:
        if message.receiver == BROADCAST:
            self.refuse(message, Unsupported("broadcast", "name each receiver"))
            return
        self.a_pass.counts["session_gone"] += 1
        self.fail(message, SessionNotFound(str(AgentId(message.receiver))))

    def refuse(self, message: Envelope, error: CaxtonError) -> None:
        """Count a message that was not placed, and tell its sender; one to a capability may go to another agent."""
        if message.rare is not None and message.rare.capability is not None:
            left = self._alternatives.take(message, error, self)
            if left is None:
                return
            error = left
        self.give_up(message, error)

    def send_on(self, message: Envelope, *, was_letter: bool = False) -> None:
        """Send a message to another agent that has its capability; it may have been a dead letter meanwhile."""
        if message.conversation_id is not None and message.rare is not None and message.rare.tried:
            before = structs.replace(message, receiver=message.rare.tried[-1])
            self._conversations.came_to_nothing(before)  # with the one that was tried last
        if message.conversation_id is not None and message.sender < SESSION_BIT:
            refused = self._conversations.send([message])
            if refused:
                self._end_redirected(message, refused[0][1], was_letter=was_letter)
                return
        self.a_pass.counts["rerouted"] += 1
        if was_letter:
            self.durable.send_again(message, self.a_pass)
        else:
            self.send([message], _NO_ROOT)

    def refusal(self, message: Envelope, receivers: int) -> CaxtonError | None:
        """Return why so many may not be sent one like it: the first of them is what its turn sent, others are more."""
        weighs = (receivers - 1) * (1 + (len(message.content) >> WEIGHT_SHIFT))
        return None if message.cause is None else self._works.refusal(message.cause, weighs, MAX_HOPS)

    def send_to_each(self, message: Envelope, receivers: list[int], *, was_letter: bool = False) -> None:
        """Send each of these one like it, instead of it; it may have been a dead letter meanwhile."""
        first, *others = for_each(message, receivers, self.ids.next)
        self.send_on(first, was_letter=was_letter)
        for other in others:
            self.send_on(other)

    def _end_redirected(self, message: Envelope, error: CaxtonError, *, was_letter: bool) -> None:
        """A message may not go to another agent, who cannot be let into its conversation."""
        if not message.flags & DURABLE:
            self.give_up(message, error)
        elif was_letter:
            self.durable.refuse(message, error)
        else:
            self.durable.die(message, error)

    def give_up(self, message: Envelope, error: CaxtonError) -> None:
        """Count a message that was not placed with anybody, and tell its sender."""
        self.a_pass.counts["refused"] += 1
        self.fail(message, error)

    def has_room_for_roots(self, shard: int) -> bool:
        """Whether so little waits for another shard, on either lane, that roots may begin whose effects go there."""
        return self.durable.has_room_for_roots(shard) and self._admission.has_room_for_roots(shard)

    def expire(self, message: Envelope) -> None:
        """A message waited too long for another shard."""
        self.a_pass.counts["given_up"] += 1
        self.fail(message, MessageExpired(called(message), message.timeout_ms / 1000))

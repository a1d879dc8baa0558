"""Agents whose turns a client runs: it is given what waits in their mailboxes, and gives back what came of it."""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

from msgspec import structs

from caxton.acl.capability import Balancing, is_nobody
from caxton.acl.envelope import AUTOMATIC, DURABLE, MAX_CONTENT, Envelope
from caxton.acl.order import HandlerOrder
from caxton.agents.lifecycle import AgentState
from caxton.errors import (
    AgentNotFound,
    AgentNotRunning,
    AgentTakenOver,
    CaxtonError,
    HandlerFailed,
    LeaseEnded,
    MessageTooLarge,
    ResourceExhausted,
    ValidationError,
    to_fields,
)
from caxton.ids import BROADCAST
from caxton.wire.calls import LEASE_S, Deliveries, Ended, Exchange, Failed
from caxton.wire.delivery import AskSeal, Delivery, Sealed
from workers.agents.group import MOST_MEMBERS, Group, Homes
from workers.agents.mailbox import Entry
from workers.agents.registry import Agent, Registry
from workers.durable.lane import DurableLane
from workers.operations.attachment import Attachment, check_free
from workers.operations.giving import Giving
from workers.operations.questions import Questions
from workers.queues.claims import Claims
from workers.queues.dispatcher import Dispatcher
from workers.queues.pressure import Pressure
from workers.turns.routes import Routes
from workers.turns.traced import traced_end
from workers.turns.turn import Turns

# So many sessions that an agent was taken from are told so.
MOST_REPLACED = MOST_MEMBERS + 8
NO_STATE = "programs that share an agent keep none: each would have another one"
_NS = 1_000_000_000


class Attached:
    """Exchanges messages with the sessions that run agents; one exchange at a time for each agent counts, the last.

    wake: lets a pass release what an exchange causes.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (whom it asks; the loop is the only caller)
        self,
        registry: Registry,
        dispatcher: Dispatcher,
        pressure: Pressure,
        routes: Routes,
        turns: Turns,
        durable: DurableLane,
        claims: Claims,
        wake: Callable[[], None],
    ) -> None:
        self._registry = registry
        self._routes = routes
        self._turns = turns
        self._durable = durable
        self._claims = claims
        self._wake = wake
        self._giving = Giving(dispatcher, pressure, routes, turns, durable, claims)
        self._questions = Questions(registry, self._giving)
        self._homes = Homes()
        # Who runs agents, by session and agent.
        self._of: dict[int, dict[int, Attachment]] = {}
        # Who is to be heard of again in time: who has messages, or is one of a group.
        self._leased: set[Attachment] = set()

    async def exchange(self, session: int, asked: Exchange) -> Deliveries:
        """Take what ended, and give what comes next. Raises AgentNotFound, AgentNotRunning when it is not attached.

        One that was superseded while it waited gives nothing: nobody listens to it any more. Raises ValidationError for
        a state where several programs share the agent.
        """
        own = self._runs(session, asked.agent_id)
        agent = own.agent
        self._check_state(own, asked)
        self._supersede(own)
        own.latest = asked
        if own.member is not None:
            own.member.is_there, own.member.credit = asked.most > 0, asked.concurrency
        agent.concurrency = asked.concurrency if agent.group is None else agent.group.credit
        given: list[Delivery] = []
        try:
            is_stored = any(self._is_stored(agent, ended) for ended in asked.ended)
            refused = self._end_all(own, asked.ended)
            self._take_back(own, asked)
            if is_stored:
                await self._durable.journal.committed_after(self._wake)
            elif asked.ended:
                self._wake()  # what it sent leaves with a pass, as what a guest sends does
            await self._questions.wait(own, asked, lambda: self._runs(session, asked.agent_id))
            if own.latest is asked:
                given, own.hand = own.hand, []
        finally:
            if own.latest is asked:
                own.latest = None
        own.heard_ns = self._durable.journal.now_ns
        self._leased.add(own)
        not_sent = [Failed(type(error).__name__, to_fields(error)) for error in refused]
        state = agent.saved if asked.wants_state else None
        before = own.before if given else max(own.numbers, default=0)
        return Deliveries(given, not_sent, self._giving.last, before, state)

    def seal(self, session: int, asked: AskSeal) -> Sealed:
        """Return by what any worker knows that what a session sends follows from what it handles.

        Raises AgentNotFound, AgentNotRunning when the session has the agent, or the delivery, no more.
        """
        own = self._attached_to(session, asked.agent_id)
        if asked.delivery not in own.numbers:
            raise AgentNotRunning(own.agent.label, "not handling that message")
        return Sealed(self._claims.seal(session, own.agent.drawn[asked.delivery][0]))

    def attach(self, session: int, agent: Agent, order: HandlerOrder | None = None, *, replace: bool = False) -> None:
        """Let a session run an agent's turns, alone, or in a group that keeps this order.

        Raises AlreadyAttached for one that others have otherwise, and ResourceExhausted for a group that has no room,
        unless these are to be replaced: then they are told when they ask, and what they were given waits again.
        """
        if not replace:
            check_free(agent, session, order)
        group = agent.group
        joins = group is not None and order == group.order and not (replace and group.members.keys() - {session})
        stays = group is None and order is None and agent.attached == session
        if not (joins or stays):
            self._replace(session, agent)
            group = agent.group = None if order is None else Group(order, self._homes)
        member = None if group is None else group.join(session)
        own = self._of.setdefault(session, {}).get(agent.agent_id)
        if own is None or own.agent is not agent:
            own = Attachment(agent, session, member, self._durable.journal.now_ns)
            self._of[session][agent.agent_id] = own
        if member is not None:
            self._leased.add(own)
        agent.attach(agent.attached if joins else session)

    def detach(self, session: int, agent_id: int) -> None:
        """Let a session run an agent's turns no more; what it was given and has not ended waits again, or goes on."""
        self._part(self._attached_to(session, agent_id))

    def session_ended(self, session: int) -> None:
        """A client is gone: so are its handlers."""
        for own in list(self._of.get(session, {}).values()):
            if self._registry.find(own.agent.agent_id) is own.agent:
                self._part(own)
            else:
                self._forget(own)

    def tick(self) -> None:
        """Take back what a program has that was silent for `LEASE_S`: it may never come to it."""
        now_ns = self._durable.journal.now_ns
        for own in list(self._leased):
            if not (self._is_present(own) and (own.is_busy or own.member is not None)):
                self._leased.discard(own)
            elif own.latest is None and now_ns - own.heard_ns >= LEASE_S * _NS:
                self._leased.discard(own)
                self._end_lease(own)

    def arrived(self, agents: AbstractSet[int]) -> None:
        """Messages came for agents that no turn runs here, or they were stopped or removed: who waits looks again."""
        self._questions.look_again(agents)

    def _runs(self, session: int, agent_id: int) -> Attachment:
        own = self._attached_to(session, agent_id)
        if own.agent.state is AgentState.STOPPED:
            raise AgentNotRunning(own.agent.label, "stopped")  # whoever waits for its messages would wait for ever
        return own

    def _attached_to(self, session: int, agent_id: int) -> Attachment:
        agent = self._registry.find(agent_id)
        own = self._of.get(session, {}).get(agent_id)
        if agent is None:
            if own is not None:
                self._forget(own)
            raise AgentNotFound(f"{agent_id:016x}")
        if own is None or own.agent is not agent:
            if session in agent.replaced:
                raise AgentTakenOver(agent.label)
            raise AgentNotRunning(agent.label, "not attached to this session")
        return own

    @staticmethod
    def _check_state(own: Attachment, asked: Exchange) -> None:
        if own.member is not None and (asked.wants_state or any(ended.state is not None for ended in asked.ended)):
            raise ValidationError("state", NO_STATE)

    def _supersede(self, own: Attachment) -> None:
        """End its question; what it was about to be answered with waits again."""
        own.latest = None
        own.tell(look=False)
        if own.hand:
            numbers = {delivery.delivery for delivery in own.hand}
            own.hand = []
            self._put_back(own, numbers, numbers)

    def _part(self, own: Attachment) -> None:
        """A session has an agent no longer: what it had waits again, for the others of its group if there are any."""
        agent = own.agent
        self._let_go(own)
        agent.attach(0 if agent.group is None else next(iter(agent.group.members)))
        self.arrived({agent.agent_id})

    def _replace(self, session: int, agent: Agent) -> None:
        """Nobody has an agent any more; all but this session are told so when they ask."""
        having = [agent.attached] if agent.group is None else list(agent.group.members)
        others = tuple(each for each in having if each not in {0, session})
        if others:
            agent.count("taken_over")
            agent.replaced = (*others, *agent.replaced)[:MOST_REPLACED]
        for each in having:
            own = self._of.get(each, {}).get(agent.agent_id)
            if own is not None and own.agent is agent:
                self._let_go(own)

    def _let_go(self, own: Attachment) -> None:
        """Let what a session had wait again, and forget it."""
        self._supersede(own)
        had = own.take_all()
        self._forget(own)
        self._giving.put_back(own.agent, had)

    def _end_lease(self, own: Attachment) -> None:
        """A program was not heard of for long: what it has waits again, and nothing waits for it any more."""
        if own.is_busy:
            own.agent.count("leases_ended")
            own.late = set(own.numbers)
            self._giving.put_back(own.agent, own.take_all())
        if own.member is not None:
            own.member.is_there = False
            self.arrived({own.agent.agent_id})

    @staticmethod
    def _is_stored(agent: Agent, ended: Ended) -> bool:
        """Whether something of an end goes to the file: of a volatile message only the state that it left."""
        entry = agent.drawn.get(ended.delivery)
        return ended.state is not None or entry is None or bool(entry[0].flags & DURABLE)

    def _end_all(self, own: Attachment, all_ended: list[Ended]) -> list[CaxtonError]:
        """Take the ends of deliveries; returns why what they sent was not sent.

        Once a state is not kept, those that the program made of it are not kept either: their messages come again too.
        """
        refused: list[CaxtonError] = []
        unkept: ResourceExhausted | None = None
        for ended in all_ended:
            error = self._end(own, ended, unkept)
            unkept = error if isinstance(error, ResourceExhausted) else unkept
            refused += [] if error is None else [error]
        return refused

    def _no_room(self, agent: Agent, state: bytes) -> ResourceExhausted | None:
        try:
            self._turns.check_state(agent, state)
        except ResourceExhausted as error:
            return error
        return None

    def _end(self, own: Attachment, ended: Ended, unkept: ResourceExhausted | None) -> CaxtonError | None:
        """Take the end of one delivery; returns why what it sent was not sent. unkept: why no state is kept."""
        began_ns = own.began.get(ended.delivery)
        agent, entry = own.agent, own.take(ended.delivery)
        if entry is None:  # of an earlier exchange: it waits again
            return self._too_late(own, ended.delivery)
        self._giving.leave(agent)
        agent.run += 1
        if began_ns is None:
            return self._ended(agent, entry, ended, unkept)
        with traced_end(self._routes.a_pass, agent, entry, began_ns, has_failed=ended.error is not None):
            return self._ended(agent, entry, ended, unkept)

    def _ended(self, agent: Agent, entry: Entry, ended: Ended, unkept: ResourceExhausted | None) -> CaxtonError | None:
        message, source, sequence, _, delivery, origin = entry
        if ended.error is not None:
            exception, _, detail = ended.error.partition(": ")
            self._fail(agent, entry, HandlerFailed(agent.label, exception, detail or "it says no more"))
            return None
        if ended.state is not None and (unkept := unkept or self._no_room(agent, ended.state)) is not None:
            self._fail(agent, entry, unkept)
            return unkept
        durable = message.flags & DURABLE
        if ended.state is not None:
            self._turns.save(agent, ended.state)
        if durable:
            self._durable.attempts.done(agent, delivery)
        wrong = _wrong(ended.messages)
        sent = [] if wrong is not None else [self._stamped(agent, m, message) for m in ended.messages]
        if durable:
            self._durable.keys.answered(message, sent)
        if message.rare is not None and message.rare.receipt:
            self._routes.confirm(message)
        if sent:
            self._routes.a_pass.origin = origin
            self._routes.send_effects(sent, (source, sequence), agent, message)
            self._routes.a_pass.origin = 0
        return wrong

    def _fail(self, agent: Agent, entry: Entry, error: CaxtonError) -> None:
        message, source, sequence, _, delivery, _ = entry
        agent.count("failed")
        if message.flags & DURABLE:
            if delivery is not None:
                delivery.deliveries -= 1  # `failed` counts it
            self._durable.attempts.failed(agent, message, (source, sequence), error, delivery)
        elif not message.flags & AUTOMATIC:
            self._routes.fail(message, error)

    @staticmethod
    def _too_late(own: Attachment, number: int) -> CaxtonError | None:
        if number not in own.late:
            return None
        own.late.remove(number)
        own.agent.count("late")
        return LeaseEnded(own.agent.label, LEASE_S)

    def _forget(self, own: Attachment) -> None:
        """A session has an agent no longer. Nobody has a group that nobody is a member of."""
        of_session, group = self._of[own.session], own.group
        del of_session[own.agent.agent_id]
        if not of_session:
            del self._of[own.session]
        if group is not None:
            group.leave(own.session)
            if not group.members:
                own.agent.group = None

    def _is_present(self, own: Attachment) -> bool:
        return self._of.get(own.session, {}).get(own.agent.agent_id) is own

    def _stamped(self, agent: Agent, message: Envelope, handled: Envelope) -> Envelope:
        message.message_id = self._routes.ids.next()
        message.sender = agent.agent_id
        message.created_at = self._routes.a_pass.wall_ms
        message.flags = handled.flags & DURABLE
        message.cause = None
        rare = message.rare
        if rare is not None:  # a key, an origin and an initiator are for those who can vouch for them
            opening = rare.conversation
            if opening is not None:
                opening = structs.replace(opening, initiator=0, opened_ms=0)
            message.rare = structs.replace(
                rare, idempotency_key=None, requeued_from=None, tried=(), conversation=opening
            )
            if rare.capability is not None and is_nobody(message.receiver):
                how = rare.balancing or Balancing.LEAST_CONNECTIONS
                message.receiver = self._routes.pick(rare.capability, how, agent.agent_id, message.conversation_id)
        return message

    def _take_back(self, own: Attachment, asked: Exchange) -> None:
        """Take back what the program does not have any more, as far as it speaks of it."""
        kept = set(asked.kept)
        gone = [n for n in own.numbers if n not in kept and (asked.seen is None or n <= asked.seen)]
        self._put_back(own, gone, set(asked.returned))

    def _put_back(self, own: Attachment, numbers: Iterable[int], unbegun: AbstractSet[int]) -> None:
        """Let what it was given wait again; of the volatile lane what was not begun."""
        taken = ((number, own.take(number)) for number in numbers)
        self._giving.put_back(own.agent, {number: entry for number, entry in taken if entry is not None}, unbegun)


def _wrong(messages: list[Envelope]) -> CaxtonError | None:
    """Return why none of what a handler sent can be sent, or None."""
    for message in messages:
        if not 0 < message.receiver < BROADCAST:
            return ValidationError("receiver", f"{message.receiver} is not an agent to send to; nothing of it was sent")
        if len(message.content) > MAX_CONTENT:
            return MessageTooLarge.of(len(message.content), MAX_CONTENT)
    return None

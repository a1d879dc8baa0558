"""Agents whose turns a client runs: it is given what waits in their mailboxes, and gives back what came of it."""

import asyncio
from collections.abc import Callable

from msgspec import structs

from caxton.acl.envelope import AUTOMATIC, DURABLE, MAX_CONTENT, Envelope
from caxton.agents.lifecycle import AgentState
from caxton.errors import (
    AgentNotFound,
    AgentNotRunning,
    CaxtonError,
    HandlerFailed,
    MessageTooLarge,
    ValidationError,
    to_fields,
)
from caxton.ids import BROADCAST
from caxton.wire.calls import FULL_DELIVERIES_BYTES, Deliveries, Delivery, Ended, Exchange, Failed
from workers.agents.mailbox import Entry
from workers.agents.registry import Agent, Hold, Registry
from workers.durable.lane import DurableLane
from workers.queues.dispatcher import Dispatcher
from workers.queues.pressure import Pressure
from workers.turns.routes import Routes
from workers.turns.turn import Turns

_MS = 0.001


class Attached:
    """Exchanges messages with the sessions that run agents; one exchange at a time for each agent counts, the last.

    wake: lets a pass release what an exchange causes.
    """

    def __init__(
        self,
        registry: Registry,
        dispatcher: Dispatcher,
        pressure: Pressure,
        routes: Routes,
        turns: Turns,
        durable: DurableLane,
        wake: Callable[[], None],
    ) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._pressure = pressure
        self._routes = routes
        self._turns = turns
        self._durable = durable
        self._wake = wake
        self._numbers = 0
        # The exchange that waits for an agent's messages.
        self._waiting: dict[int, asyncio.Future[bool]] = {}
        # The last exchange of each agent, while it is under way.
        self._latest: dict[int, Exchange] = {}

    async def exchange(self, session: int, asked: Exchange) -> Deliveries:
        """Take what ended, and give what comes next. Raises AgentNotFound, AgentNotRunning when it is not attached.

        One that was superseded while it waited gives nothing: nobody listens to it any more.
        """
        agent = self._agent(session, asked.agent_id)
        self._supersede(agent)
        self._latest[agent.agent_id] = asked
        try:
            refused = [error for ended in asked.ended if (error := self._end(agent, ended)) is not None]
            self._put_back(agent)
            if asked.ended:
                await self._durable.journal.committed_after(self._wake)
            entries = self._draw_for(session, asked)
            if not entries and asked.most and self._is_latest(asked) and await self._arrived(agent, asked.wait_ms):
                entries = self._draw_for(session, asked)
        finally:
            if self._is_latest(asked):
                del self._latest[agent.agent_id]
        not_sent = [Failed(type(error).__name__, to_fields(error)) for error in refused]
        return Deliveries([self._given(agent, entry) for entry in entries], not_sent)

    def detach(self, session: int, agent_id: int) -> None:
        """Let nobody run an agent's turns; what was given and has not ended waits again."""
        agent = self._attached_to(session, agent_id)
        self._supersede(agent)
        agent.attach(0)
        self._put_back(agent)

    def session_ended(self, session: int) -> None:
        """A client is gone: so are its handlers."""
        for agent in [a for a in self._registry.agents.values() if a.attached == session]:
            self._supersede(agent)
            agent.attach(0)
            self._put_back(agent)

    def arrived(self, agents: set[int]) -> None:
        """Messages came for agents that no turn runs here, or they were stopped or removed: who waits looks again."""
        for agent_id in agents:
            waiting = self._waiting.pop(agent_id, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(True)

    def _agent(self, session: int, agent_id: int) -> Agent:
        agent = self._attached_to(session, agent_id)
        if agent.state is AgentState.STOPPED:
            raise AgentNotRunning(agent.label, "stopped")  # whoever waits for its messages would wait for ever
        return agent

    def _attached_to(self, session: int, agent_id: int) -> Agent:
        agent = self._registry.find(agent_id)
        if agent is None:
            raise AgentNotFound(f"{agent_id:016x}")
        if agent.attached != session:
            raise AgentNotRunning(agent.label, "not attached to this session")
        return agent

    def _supersede(self, agent: Agent) -> None:
        self._latest.pop(agent.agent_id, None)
        waiting = self._waiting.pop(agent.agent_id, None)
        if waiting is not None:
            _answer_no(waiting)

    async def _arrived(self, agent: Agent, wait_ms: int) -> bool:
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[agent.agent_id] = future
        timer = asyncio.get_running_loop().call_later(wait_ms * _MS, _answer_no, future)
        try:
            return await future
        finally:
            timer.cancel()
            if self._waiting.get(agent.agent_id) is future:
                del self._waiting[agent.agent_id]

    def _draw_for(self, session: int, asked: Exchange) -> list[Entry]:
        """Draw, if this exchange is still the last one, and its session still has the agent."""
        agent = self._agent(session, asked.agent_id)
        return self._draw(agent, asked.most) if self._is_latest(asked) else []

    def _is_latest(self, asked: Exchange) -> bool:
        """True while nobody asked after it: one that was superseded does not wait in the place of the next."""
        return self._latest.get(asked.agent_id) is asked

    def _draw(self, agent: Agent, most: int) -> list[Entry]:
        if agent.holds & (Hold.PAUSED | Hold.BROKEN | Hold.FAILED):
            return []
        drawn: list[Entry] = []
        while not drawn and (entries := self._dispatcher.draw(agent, most, FULL_DELIVERIES_BYTES)):
            drawn = [entry for entry in entries if not self._is_withheld(agent, entry)]
        return drawn

    def _is_withheld(self, agent: Agent, entry: Entry) -> bool:
        """Let what is too old expire, and what comes behind a retry of its pair wait there; count a try of the rest."""
        message, _, _, expires_ns, delivery, _ = entry
        if expires_ns <= self._durable.journal.now_ns:
            self._leave(agent)
            self._turns.expire(agent, message, delivery)
            return True
        if self._waits_behind(agent, entry):
            return True
        if delivery is not None:
            delivery.deliveries += 1
        return False

    def _waits_behind(self, agent: Agent, entry: Entry) -> bool:
        waits = entry[4] is not None and agent.waits_aside(entry[0].sender)
        if waits:
            agent.set_aside(entry)
        return waits

    def _given(self, agent: Agent, entry: Entry) -> Delivery:
        self._numbers += 1
        agent.drawn[self._numbers] = entry
        delivery = entry[4]
        return Delivery(self._numbers, 1 if delivery is None else delivery.deliveries, entry[0])

    def _end(self, agent: Agent, ended: Ended) -> CaxtonError | None:
        """Take the end of one delivery; returns why what it sent was not sent."""
        entry = agent.drawn.pop(ended.delivery, None)
        if entry is None:
            return None  # of an earlier exchange: it waits again
        message, source, sequence, _, delivery, origin = entry
        self._leave(agent)
        agent.run += 1
        durable, attempts = message.flags & DURABLE, self._durable.attempts
        if ended.error is not None:
            exception, _, detail = ended.error.partition(": ")
            error = HandlerFailed(agent.label, exception, detail or "it says no more")
            agent.count("failed")
            if durable:
                if delivery is not None:
                    delivery.deliveries -= 1  # `failed` counts it
                attempts.failed(agent, message, (source, sequence), error, delivery)
            elif not message.flags & AUTOMATIC:
                self._routes.fail(message, error)
            return None
        if durable:
            attempts.done(agent, delivery)
        wrong = _wrong(ended.messages)
        sent = [] if wrong is not None else [self._stamped(agent, m, message) for m in ended.messages]
        if durable:
            self._durable.keys.answered(message, sent)
        if sent:
            self._routes.a_pass.origin = origin
            self._routes.send(sent, (source, sequence))
            self._routes.a_pass.origin = 0
        return wrong

    def _stamped(self, agent: Agent, message: Envelope, handled: Envelope) -> Envelope:
        message.message_id = self._routes.ids.next()
        message.sender = agent.agent_id
        message.created_at = self._routes.a_pass.wall_ms
        message.flags = handled.flags & DURABLE
        if message.rare is not None:  # a key and an origin are for those who can vouch for them
            message.rare = structs.replace(message.rare, idempotency_key=None, requeued_from=None)
        return message

    def _put_back(self, agent: Agent) -> None:
        """What was given and has not ended waits again, in its order, in front; on the volatile lane it is over."""
        entries = agent.drawn_out()
        durable = [entry for entry in entries if entry[4] is not None]
        for message, _, _, _, delivery, _ in entries:
            if delivery is None:  # it may have been handled, and is never given twice
                self._leave(agent)
                self._routes.a_pass.counts["discarded"] += 1
                self._routes.fail(message, AgentNotRunning(agent.label, "detached"))
        if durable:
            self._dispatcher.put_back(agent, durable)

    def _leave(self, agent: Agent) -> None:
        self._dispatcher.leave(agent, 1, self._pressure.room)


def _answer_no(future: "asyncio.Future[bool]") -> None:
    if not future.done():
        future.set_result(False)


def _wrong(messages: list[Envelope]) -> CaxtonError | None:
    """Return why none of what a handler sent can be sent, or None."""
    for message in messages:
        if not 0 < message.receiver < BROADCAST:
            return ValidationError("receiver", f"{message.receiver} is not an agent to send to; nothing of it was sent")
        if len(message.content) > MAX_CONTENT:
            return MessageTooLarge.of(len(message.content), MAX_CONTENT)
    return None

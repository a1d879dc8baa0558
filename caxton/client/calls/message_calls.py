"""What a client says to agents, and what they say to it. Calls that carry many messages cost per batch."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar, overload

from caxton.acl.capability import NOBODY, Capability, Everyone
from caxton.acl.envelope import DURABLE, Envelope, is_over
from caxton.acl.message import Message
from caxton.acl.options import DEFAULT_OPTIONS, DeliveryOptions, Lane, with_key
from caxton.acl.performative import Performative
from caxton.client.calls.arguments import as_typed, envelopes_of, seconds
from caxton.client.calls.cancel_calls import CancelCalls
from caxton.client.calls.capable_sends import send_capable
from caxton.client.calls.sendings import ToEach, submit
from caxton.client.calls.stamps import KNOWN, REQUESTED, SENT, stamped, too_late
from caxton.client.connection import Agent
from caxton.client.interactions.bids import Bids, batch_of
from caxton.client.interactions.questions import Answering, check_opening, is_agreeing
from caxton.client.routes.backlog import RECEIVER_WINDOW, Entry
from caxton.client.routes.batches import Batch, settled
from caxton.client.routes.handled_now import be_sealed, cause_now
from caxton.client.routes.inbox import Inbox
from caxton.client.routes.receipts import Receipt
from caxton.client.session.session import Session
from caxton.errors import CaxtonError, QueueFull, ValidationError
from caxton.ids import AgentId, ConversationId, SecretUuidSource

# Of a list that is given: whoever has one of ids may give it as it is.
SomeAgent = TypeVar("SomeAgent", bound=Agent)
T = TypeVar("T")

BATCH_TIMEOUT_S = 30.0
# Messages of a batch that are sent before others have the loop.
SENT_AT_ONCE = 1_024
REQUEST_TIMEOUT_S = 5.0


class MessageCalls(CancelCalls):
    """`send` and `request`, one or many, and the inbox. Ids and time are stamped here.

    A message to a name carries it (`Message.receiver_name`), so that errors and dead letters tell it.
    """

    _ids: SecretUuidSource | None = None

    @overload
    async def send(
        self,
        to: Agent | Capability,
        content: object,
        *,
        performative: Performative | str = ...,
        encoding: str | None = ...,
        options: DeliveryOptions = ...,
        idempotency_key: str | None = ...,
        conversation_id: ConversationId | None = ...,
        wait: bool = ...,
        timeout_s: float = ...,
    ) -> Receipt: ...

    @overload
    async def send(
        self,
        to: list[Agent] | tuple[Agent, ...] | Everyone,
        content: object,
        *,
        performative: Performative | str = ...,
        encoding: str | None = ...,
        options: DeliveryOptions = ...,
        idempotency_key: str | None = ...,
        conversation_id: ConversationId | None = ...,
        wait: bool = ...,
        timeout_s: float = ...,
    ) -> list[Receipt | CaxtonError]: ...

    @overload
    async def send(
        self,
        to: list[SomeAgent],
        content: object,
        *,
        performative: Performative | str = ...,
        encoding: str | None = ...,
        options: DeliveryOptions = ...,
        idempotency_key: str | None = ...,
        conversation_id: ConversationId | None = ...,
        wait: bool = ...,
        timeout_s: float = ...,
    ) -> list[Receipt | CaxtonError]: ...

    async def send(  # noqa: PLR0913 (by name, each with a default)
        self,
        to: Agent | Capability | Everyone | list[SomeAgent] | tuple[Agent, ...],
        content: object,
        *,
        performative: Performative | str = Performative.INFORM,
        encoding: str | None = None,
        options: DeliveryOptions = DEFAULT_OPTIONS,
        idempotency_key: str | None = None,
        conversation_id: ConversationId | None = None,
        wait: bool = True,
        timeout_s: float = BATCH_TIMEOUT_S,
    ) -> Receipt | list[Receipt | CaxtonError]:
        """Send one message, durable unless the options say otherwise; returns when it is acknowledged.

        Durable: it or its effects are committed and fsynced; it is never lost from then on, and waits for workers that
        are being restarted. Volatile: it is in its receiver's mailbox, or run. idempotency_key: as in the options.
        conversation_id: the conversation that it belongs to; see `new_conversation`. encoding: "json" or "msgpack" for
        content that is a value and no bytes; see `Message`. Raises SerializationError for one that has no such form.

        wait=False raises QueueFull instead of waiting for room. Raises AgentNotFound, AgentNotRunning, QueueFull,
        MessageTooLarge, ShardUnavailable, StorageError (the shard's disk is full): then it had no effect. Raises
        Timeout, NetworkError: then it is unknown.

        A list or tuple of agents: each is sent a message of its own, with an id of its own, and nothing of the above is
        raised but is the result of that one; the results are in order. Raises ValidationError when one can be no agent:
        then nothing was sent. `Everyone`: the same for all who have a capability now, in the order of their names;
        raises NoCapableAgents when nobody has.

        A `Capability`: the message goes to one agent that has it, and when that one refuses it to another, up to
        `max_retries` times; so does a durable one that ends as a dead letter. With an idempotency key the key chooses,
        so that the same one goes to the same agent while that is there. Raises NoCapableAgents.
        """
        options = with_key(options, idempotency_key)
        if isinstance(to, Capability):
            message = Message(
                to,
                content,
                performative=performative,
                encoding=encoding,
                conversation_id=conversation_id,
                delivery_options=options,
            )
            return await self._send_to_one(message, wait=wait, timeout_s=seconds(timeout_s))
        said = ToEach(content, performative, encoding, options, conversation_id)
        if isinstance(to, Everyone):
            everyone = await self._everyone(to)
            return await self._send_each(everyone, said, wait=wait, timeout_s=timeout_s)
        if isinstance(to, list | tuple):
            return await self._send_each(to, said, wait=wait, timeout_s=timeout_s)
        agent_id, name = self._meant(to)
        message = Message(
            agent_id,
            content,
            performative=performative,
            encoding=encoding,
            conversation_id=conversation_id,
            receiver_name=name,
            delivery_options=options,
        )
        if not wait:
            self._check_room(message.envelope, to)
        (result,) = await self.send_batch([message], timeout_s=timeout_s)
        if isinstance(result, CaxtonError):
            raise as_typed(result, to, agent_id)
        return result

    async def _send_to_one(self, message: Message, *, wait: bool, timeout_s: float) -> Receipt:
        """Send a message to a capability."""

        async def send(messages: list[Message]) -> list[Receipt | CaxtonError]:
            (going,) = messages
            try:
                if not wait:
                    self._check_room(going.envelope, going.receiver)
            except QueueFull as full:
                return [full]
            return await self.send_batch([going], timeout_s=timeout_s)

        capable = self._reach().capable
        batch: Batch[Receipt] = Batch(1, "send", timeout_s, self._open().loop)
        await send_capable(capable, [(0, message.envelope)], batch, send, timeout_s)
        (result,) = await settled(batch)
        if isinstance(result, CaxtonError):
            raise result
        return result

    async def _send_each(
        self,
        to: Sequence[Agent],
        said: ToEach,
        *,
        wait: bool,
        timeout_s: float,
    ) -> list[Receipt | CaxtonError]:
        meant = [self._meant(agent) for agent in to]
        messages = [said.to(agent_id, name) for agent_id, name in meant]
        full = {} if wait else self._without_room(messages, to)
        going = [message for place, message in enumerate(messages) if place not in full]
        sent = iter(await self.send_batch(going, timeout_s=timeout_s) if going else ())
        results = [full.get(place) or next(sent) for place in range(len(messages))]
        return [
            as_typed(result, agent, agent_id) if isinstance(result, CaxtonError) else result
            for result, agent, (agent_id, _) in zip(results, to, meant, strict=True)
        ]

    async def send_batch(
        self, messages: Iterable[Message], *, timeout_s: float = BATCH_TIMEOUT_S
    ) -> list[Receipt | CaxtonError]:
        """Send messages, waiting for room; returns when each is acknowledged, or has its error, in order.

        Each is durable unless its delivery options say otherwise. timeout_s: the longest time in which none of them
        gets anywhere; what is left then ends as Timeout. Raises ValidationError when one is no Message: then nothing
        was sent.
        """
        await be_sealed(self._open().number)
        session, line = self._open(), self._reach()
        envelopes = envelopes_of(messages)
        batch: Batch[Receipt] = Batch(len(envelopes), "send", seconds(timeout_s), session.loop)
        unresolved: list[tuple[int, Envelope]] = []
        try:
            for first in range(0, len(envelopes), SENT_AT_ONCE):
                if first:
                    await asyncio.sleep(0)
                some = envelopes[first : first + SENT_AT_ONCE]
                unresolved += self._submit_some(line.session, some, batch, first)
        except BaseException:
            batch.cancel()
            raise
        if not unresolved:
            return await settled(batch)
        send = partial(self.send_batch, timeout_s=timeout_s)
        return await self._settled_capable(unresolved, batch, send, timeout_s)

    def _submit_some(
        self, session: Session, envelopes: list[Envelope], batch: Batch[Receipt], first: int
    ) -> list[tuple[int, Envelope]]:
        """Send those of a batch from a place on, and return the ones to capabilities, which nobody is chosen for."""
        number, now_ms = session.number, time.time_ns() // 1_000_000
        next_id, cause = self._next_id(now_ms), cause_now(number)
        by_lane: tuple[list[Entry], list[Entry]] = ([], [])
        unresolved: list[tuple[int, Envelope]] = []
        for place, e in enumerate(envelopes, first):
            if e.rare is not None:
                if is_over(e.rare, now_ms):
                    batch.end(place, too_late(e, now_ms))
                    continue
                if e.receiver == NOBODY:
                    unresolved.append((place, e))
                    continue
            flags = SENT[e.flags & KNOWN]
            entry = (stamped(e, next_id(), number, e.reply_with, now_ms, flags, cause), batch, place, True)
            by_lane[flags & DURABLE > 0].append(entry)
        submit(session, by_lane, self._tracing)
        return unresolved

    async def request(  # noqa: PLR0913 (by name, each with a default)
        self,
        to: Agent | Capability,
        content: object,
        *,
        timeout_s: float = REQUEST_TIMEOUT_S,
        performative: Performative | str = Performative.REQUEST,
        encoding: str | None = None,
        options: DeliveryOptions = DEFAULT_OPTIONS,
        idempotency_key: str | None = None,
        conversation_id: ConversationId | None = None,
        protocol: str | None = None,
    ) -> Message:
        """Send a request, volatile unless the options say otherwise or there is a key, and return the reply.

        Raises what `send` raises, and AgentFailure (WasmExecutionFailed, ResourceLimitExceeded, AgentError) when the
        agent took it and failed. Timeout: whether it happened is unknown. idempotency_key: one that is known gets the
        answer to the first request with it, whatever it was; AnswerNotKept where that was a send, or has no answer. A
        `Capability` as with `send`.

        protocol: "fipa-request", "fipa-request-when" or "fipa-query" (see `query`): an agree is not the reply then but
        says that it follows, within the same `timeout_s`; a refuse is returned. It has a conversation of its own unless
        one is given. Raises UnknownProtocol, and ValidationError for a performative that does not begin the protocol.
        """
        options = with_key(options, idempotency_key)
        agent_id, name = (to, None) if isinstance(to, Capability) else self._meant(to)
        message = Message(
            agent_id,
            content,
            performative=performative,
            encoding=encoding,
            protocol=protocol,
            conversation_id=conversation_id if protocol is None else conversation_id or self._new_conversation(),
            receiver_name=name,
            delivery_options=options,
        )
        if protocol is not None:
            check_opening(protocol, message.performative)
        (result,) = await self.request_many([message], timeout_s=timeout_s)
        if isinstance(result, CaxtonError):
            raise result if isinstance(agent_id, Capability) else as_typed(result, to, agent_id)
        return result

    async def request_many(
        self, messages: Iterable[Message], *, timeout_s: float = BATCH_TIMEOUT_S, deadline_s: float | None = None
    ) -> list[Message | CaxtonError]:
        """Send requests; returns the reply to each, in order, or its error. reply_with is stamped here.

        A `Message` whose protocol is one of those that `request` names has its reply after an agree.

        Each is volatile unless its delivery options say otherwise. timeout_s: the longest time in which none of them
        ends; what is left then ends as Timeout. deadline_s: in place of that, the time that all have together. Raises
        ValidationError as `send_batch` does, and for a receipt.
        """
        return await self._request_many(messages, timeout_s, deadline_s)

    async def _request_many(
        self, messages: Iterable[Message], timeout_s: float, deadline_s: float | None, bids: Bids | None = None
    ) -> list[Message | CaxtonError]:
        """As `request_many`; bids: the negotiation, with a deadline, for whose calls the answers are."""
        await be_sealed(self._open().number)
        session = self._open()
        envelopes = envelopes_of(messages)
        rare = [e.rare for e in envelopes if e.rare is not None]
        if any(fields.receipt for fields in rare):
            raise ValidationError("receipt", "a request has its answer instead; send it, or ask for no receipt")
        strict = deadline_s is not None
        patience_s = seconds(timeout_s) if deadline_s is None else seconds(deadline_s, "deadline_s")
        batch = batch_of(len(envelopes), patience_s, session.loop, rare, bids, strict=strict)
        number, now_ms = session.number, time.time_ns() // 1_000_000
        next_id, waiting, cause = self._next_id(now_ms), session.answers.waiting, cause_now(number)
        by_lane: tuple[list[Entry], list[Entry]] = ([], [])
        unresolved: list[tuple[int, Envelope]] = []
        for place, e in enumerate(envelopes):
            if e.rare is not None:
                if is_over(e.rare, now_ms):
                    batch.end(place, too_late(e, now_ms))
                    continue
                if e.receiver == NOBODY:
                    unresolved.append((place, e))
                    continue
            token = next_id()
            flags = REQUESTED[e.flags & KNOWN]
            waiting[token] = entry = (stamped(e, token, number, token, now_ms, flags, cause), batch, place, False)
            by_lane[flags & DURABLE > 0].append(entry)
        if isinstance(batch, Answering):
            batch.wait = self._wait
            batch.entries = {entry[2]: entry for lane in by_lane for entry in lane if is_agreeing(entry[0])}
        submit(session, by_lane, self._tracing)
        results: list[Message | CaxtonError] = []
        try:
            if unresolved:
                send = partial(self.request_many, timeout_s=timeout_s)
                results = await self._settled_capable(unresolved, batch, send, timeout_s)
            else:
                results = await settled(batch)
        except asyncio.CancelledError:
            self._cancel_asked([*by_lane[0], *by_lane[1]])
            raise
        finally:
            if {*map(type, results)} != {Message}:  # who got its answer is waited for no longer
                session.answers.forget([*by_lane[0], *by_lane[1]])
        return results

    def _wait(self, entry: Entry) -> None:
        """Wait for one more answer to a request, in whichever session there is now."""
        self._reach().session.answers.waiting[entry[0].message_id] = entry

    def inbox(self) -> Inbox:
        """Return the messages that nobody asked for, to be iterated with `async for`. It may be awaited, too.

        A durable one is acknowledged when it is taken from here.
        """
        return self._open().answers.inbox

    async def _settled_capable(
        self,
        unresolved: list[tuple[int, Envelope]],
        batch: Batch[T],
        send: Callable[[list[Message]], Awaitable[list[T | CaxtonError]]],
        timeout_s: float,
    ) -> list[T | CaxtonError]:
        """Wait for a batch in which some messages are for capabilities."""
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(send_capable(self._reach().capable, unresolved, batch, send, timeout_s))
            try:
                return await settled(batch)
            finally:
                sending.cancel()

    def _without_room(self, messages: list[Message], to: Sequence[Agent]) -> dict[int, CaxtonError]:
        """Return which of these would have to wait, by their places."""
        full: dict[int, CaxtonError] = {}
        for place, message in enumerate(messages):
            try:
                self._check_room(message.envelope, to[place])
            except QueueFull as error:
                full[place] = error
        return full

    def _check_room(self, e: Envelope, to: Agent) -> None:
        lane = Lane.DURABLE if SENT[e.flags & KNOWN] & DURABLE else Lane.VOLATILE
        session = self._open()
        session.pump_due()  # what was sent before in this turn of the loop takes its room first
        route = session.route_of(e.receiver).lane(lane)
        if not route.has_room(e.receiver):
            load = route.backlog.load(e.receiver)
            # Below the window it is the mailbox, or the way to it, that has no room: how full it is its shard knows.
            full = QueueFull(str(AgentId(e.receiver)), load, RECEIVER_WINDOW if load >= RECEIVER_WINDOW else 0)
            raise as_typed(full, to, AgentId(e.receiver))

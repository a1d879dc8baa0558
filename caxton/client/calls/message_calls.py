"""What a client says to agents, and what they say to it. Calls that carry many messages cost per batch."""

import time
from collections.abc import Callable, Iterable

from caxton.acl.envelope import AUTOMATIC, DURABLE, LANE_OPEN, Envelope
from caxton.acl.message import Content, Message
from caxton.acl.options import (
    DEFAULT_LANE_OF_REQUEST,
    DEFAULT_LANE_OF_SEND,
    DEFAULT_OPTIONS,
    DeliveryOptions,
    Lane,
    with_key,
)
from caxton.acl.performative import Performative
from caxton.client.calls.arguments import as_typed, listed, not_messages, seconds
from caxton.client.connection import Connection
from caxton.client.routes.backlog import RECEIVER_WINDOW, Entry
from caxton.client.routes.batches import Batch, settled
from caxton.client.routes.inbox import Inbox
from caxton.client.routes.receipts import Receipt
from caxton.client.session.session import Session
from caxton.errors import CaxtonError, QueueFull
from caxton.ids import AgentId, UuidSource

BATCH_TIMEOUT_S = 30.0
REQUEST_TIMEOUT_S = 5.0


class MessageCalls(Connection):
    """`send` and `request`, one or many, and the inbox. Ids and time are stamped here."""

    _ids: UuidSource | None = None

    async def send(
        self,
        to: AgentId | int | str,
        content: Content,
        *,
        performative: Performative | str = Performative.INFORM,
        options: DeliveryOptions = DEFAULT_OPTIONS,
        idempotency_key: str | None = None,
        wait: bool = True,
        timeout_s: float = BATCH_TIMEOUT_S,
    ) -> Receipt:
        """Send one message, durable unless the options say otherwise; returns when it is acknowledged.

        Durable: it or its effects are committed and fsynced; it is never lost from then on, and waits for workers that
        are being restarted. Volatile: it is in its receiver's mailbox, or run. idempotency_key: as in the options.

        wait=False raises QueueFull instead of waiting for room. Raises AgentNotFound, AgentNotRunning, QueueFull,
        MessageTooLarge, ShardUnavailable, StorageError (the shard's disk is full): then it had no effect. Raises
        Timeout, NetworkError: then it is unknown.
        """
        options = with_key(options, idempotency_key)
        agent_id = self.id_of(to)
        message = Message(agent_id, content, performative=performative, delivery_options=options)
        if not wait:
            self._check_room(message.envelope, to)
        (result,) = await self.send_batch([message], timeout_s=timeout_s)
        if isinstance(result, CaxtonError):
            raise as_typed(result, to, agent_id)
        return result

    async def send_batch(
        self, messages: Iterable[Message], *, timeout_s: float = BATCH_TIMEOUT_S
    ) -> list[Receipt | CaxtonError]:
        """Send messages, waiting for room; returns when each is acknowledged, or has its error, in order.

        Each is durable unless its delivery options say otherwise. timeout_s: the longest time in which none of them
        gets anywhere; what is left then ends as Timeout. Raises ValidationError when one is no Message: then nothing
        was sent.
        """
        session = self._open()
        envelopes = _envelopes(messages)
        batch: Batch[Receipt] = Batch(len(envelopes), "send", seconds(timeout_s), session.loop)
        number, now_ms = session.number, time.time_ns() // 1_000_000
        next_id = self._next_id(now_ms)
        by_lane: tuple[list[Entry], list[Entry]] = ([], [])
        for place, e in enumerate(envelopes):
            flags = _SENT[e.flags & _KNOWN]
            entry = (_stamped(e, next_id(), number, e.reply_with, now_ms, flags), batch, place, True)
            by_lane[flags & DURABLE > 0].append(entry)
        _submit(session, by_lane)
        return await settled(batch)

    async def request(
        self,
        to: AgentId | int | str,
        content: Content,
        *,
        timeout_s: float = REQUEST_TIMEOUT_S,
        performative: Performative | str = Performative.REQUEST,
        options: DeliveryOptions = DEFAULT_OPTIONS,
        idempotency_key: str | None = None,
    ) -> Message:
        """Send a request, volatile unless the options say otherwise or there is a key, and return the reply.

        Raises what `send` raises, and AgentFailure (WasmExecutionFailed, ResourceLimitExceeded, AgentError) when the
        agent took it and failed. Timeout: whether it happened is unknown. idempotency_key: one that is known gets the
        answer to the first request with it, whatever it was; AnswerNotKept where that was a send, or has no answer.
        """
        options = with_key(options, idempotency_key)
        agent_id = self.id_of(to)
        message = Message(agent_id, content, performative=performative, delivery_options=options)
        (result,) = await self.request_many([message], timeout_s=timeout_s)
        if isinstance(result, CaxtonError):
            raise as_typed(result, to, agent_id)
        return result

    async def request_many(
        self, messages: Iterable[Message], *, timeout_s: float = BATCH_TIMEOUT_S
    ) -> list[Message | CaxtonError]:
        """Send requests; returns the reply to each, in order, or its error. reply_with is stamped here.

        Each is volatile unless its delivery options say otherwise. timeout_s: the longest time in which none of them
        ends; what is left then ends as Timeout. Raises ValidationError as `send_batch` does.
        """
        session = self._open()
        envelopes = _envelopes(messages)
        batch: Batch[Message] = Batch(len(envelopes), "request", seconds(timeout_s), session.loop)
        number, now_ms = session.number, time.time_ns() // 1_000_000
        next_id, waiting = self._next_id(now_ms), session.answers.waiting
        by_lane: tuple[list[Entry], list[Entry]] = ([], [])
        for place, e in enumerate(envelopes):
            token = next_id()
            flags = _REQUESTED[e.flags & _KNOWN]
            waiting[token] = entry = (_stamped(e, token, number, token, now_ms, flags), batch, place, False)
            by_lane[flags & DURABLE > 0].append(entry)
        _submit(session, by_lane)
        results: list[Message | CaxtonError] = []
        try:
            results = await settled(batch)
        finally:
            if {*map(type, results)} != {Message}:  # who got its answer is waited for no longer
                session.answers.forget([*by_lane[0], *by_lane[1]])
        return results

    def inbox(self) -> Inbox:
        """Return the messages that nobody asked for, to be iterated with `async for`. It may be awaited, too.

        A durable one is acknowledged when it is taken from here.
        """
        return self._open().answers.inbox

    def _check_room(self, e: Envelope, to: AgentId | int | str) -> None:
        lane = Lane.DURABLE if _SENT[e.flags & _KNOWN] & DURABLE else Lane.VOLATILE
        session = self._open()
        session.pump_due()  # what was sent before in this turn of the loop takes its room first
        route = session.route_of(e.receiver).lane(lane)
        if not route.has_room(e.receiver):
            load = route.backlog.load(e.receiver)
            # Below the window it is the mailbox, or the way to it, that has no room: how full it is its shard knows.
            full = QueueFull(str(AgentId(e.receiver)), load, RECEIVER_WINDOW if load >= RECEIVER_WINDOW else 0)
            raise as_typed(full, to, AgentId(e.receiver))

    def _next_id(self, now_ms: int) -> Callable[[], bytes]:
        if self._ids is None:
            self._ids = UuidSource(now_ms)
        self._ids.renew(now_ms)
        return self._ids.next


def _envelopes(messages: Iterable[Message]) -> list[Envelope]:
    given = listed(messages, Message, "messages")
    try:
        return [message.envelope for message in given]
    except AttributeError:
        wrong = not_messages(given)
        if wrong is None:
            raise
        raise wrong from None


_KNOWN = AUTOMATIC | DURABLE | LANE_OPEN


def _decided(default: Lane) -> tuple[int, ...]:
    """Return, by the flags of a message, those that it travels with when an open lane becomes `default`."""
    open_lane = DURABLE if default is Lane.DURABLE else 0
    return tuple((flags & ~LANE_OPEN) | (open_lane if flags & LANE_OPEN else 0) for flags in range(_KNOWN + 1))


_SENT = _decided(DEFAULT_LANE_OF_SEND)
_REQUESTED = _decided(DEFAULT_LANE_OF_REQUEST)


def _submit(session: Session, by_lane: tuple[list[Entry], list[Entry]]) -> None:
    volatile, durable = by_lane
    if volatile:
        session.submit(volatile, Lane.VOLATILE)
    if durable:
        session.submit(durable, Lane.DURABLE)


def _stamped(
    e: Envelope, message_id: bytes, sender: int, reply_with: bytes | None, now_ms: int, flags: int
) -> Envelope:
    return Envelope(
        message_id,
        e.performative,
        sender,
        e.receiver,
        e.content,
        reply_with,
        e.in_reply_to,
        e.conversation_id,
        now_ms,
        e.level,
        e.timeout_ms,
        flags,
        e.rare,
    )

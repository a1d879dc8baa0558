"""Subscriptions to what agents tell, in one call (FIPA SC00035)."""

import time
from contextlib import suppress

from msgspec.structs import replace

from caxton.acl.capability import NOBODY, Capability
from caxton.acl.envelope import DURABLE
from caxton.acl.message import Message
from caxton.acl.options import DEFAULT_OPTIONS, DeliveryOptions, Lane
from caxton.acl.performative import Performative
from caxton.client.calls.arguments import as_typed, check_whole, seconds
from caxton.client.calls.capable_sends import send_capable
from caxton.client.calls.message_calls import REQUEST_TIMEOUT_S, MessageCalls
from caxton.client.calls.stamps import KNOWN, REQUESTED, stamped
from caxton.client.connection import Agent
from caxton.client.interactions.subscription import (
    MOST_UNREAD,
    MOST_UNREAD_BYTES,
    PROTOCOL,
    QUIET_S,
    News,
    Subscription,
    may_go_on,
)
from caxton.client.routes.batches import Batch, settled
from caxton.errors import CaxtonError, ValidationError
from caxton.ids import MessageId

# How long the end of a subscription waits until its cancel is on its way, in seconds.
CANCEL_TIMEOUT_S = 5.0


class SubscriptionCalls(MessageCalls):
    """`subscribe`."""

    def subscribe(
        self,
        to: Agent | Capability,
        content: object = b"",
        *,
        encoding: str | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
        quiet_s: float = QUIET_S,
        most_unread: int = MOST_UNREAD,
        options: DeliveryOptions = DEFAULT_OPTIONS,
    ) -> Subscription:
        """Return a `Subscription` to what an agent tells about `content`: its informs, in an `async for`.

        encoding: "json" or "msgpack" for content that is a value and no bytes. timeout_s: for its first word, which is
        agree, inform, or refuse. quiet_s: how long it may tell nothing. most_unread: of the messages that wait here to
        be read, from 1 to 1,000, and 16 MiB. Volatile unless the options say otherwise. Raises ValidationError for
        arguments that are none, SerializationError.
        """
        check_whole("most_unread", most_unread, 1, MOST_UNREAD)
        first_s, quiet_s = seconds(timeout_s), seconds(quiet_s, "quiet_s")
        if options.idempotency_key is not None or options.receipt:
            raise ValidationError("options", "a subscription takes neither an idempotency key nor a receipt")
        agent_id, name = (to, None) if isinstance(to, Capability) else self._meant(to)
        message = Message(
            agent_id,
            content,
            performative=Performative.SUBSCRIBE,
            encoding=encoding,
            protocol=PROTOCOL,
            conversation_id=self._new_conversation(),
            receiver_name=name,
            delivery_options=options,
        )

        async def begin() -> News:
            result = await self._begun(message, first_s, most_unread)
            if isinstance(result, CaxtonError):
                raise result if isinstance(agent_id, Capability) else as_typed(result, to, agent_id)
            return result

        return Subscription(begin, self._cancelled, quiet_s)

    async def _begun(self, message: Message, timeout_s: float, most: int) -> News | CaxtonError:
        """Subscribe and wait for the first word; at an agent that has the capability, if that is what was named."""

        async def ask(messages: list[Message]) -> list[News | CaxtonError]:
            return [await self._asked(going, timeout_s, most) for going in messages]

        if message.envelope.receiver != NOBODY:
            return await self._asked(message, timeout_s, most)
        batch: Batch[News] = Batch(1, "subscribe", timeout_s, self._open().loop, strict=True)
        await send_capable(self._reach().capable, [(0, message.envelope)], batch, ask, timeout_s)
        (result,) = await settled(batch)
        return result

    async def _asked(self, message: Message, timeout_s: float, most: int) -> News | CaxtonError:
        session, now_ms = self._open(), time.time_ns() // 1_000_000
        news = News(timeout_s, session.loop, most=most, most_bytes=MOST_UNREAD_BYTES)
        envelope, token = message.envelope, self._next_id(now_ms)()
        flags = REQUESTED[envelope.flags & KNOWN]
        news.entry = entry = (stamped(envelope, token, session.number, token, now_ms, flags), news, 0, False)
        news.wait = self._wait
        self._tracing.mark([entry])
        session.answers.waiting[token] = entry
        session.submit([entry], Lane.DURABLE if flags & DURABLE else Lane.VOLATILE)
        try:
            error = await news.opened()
        except BaseException:
            await self._cancelled(news)
            raise
        if error is None:
            return news
        await self._cancelled(news)
        return error

    async def _cancelled(self, news: News) -> None:
        """End a subscription; tell the agent, unless it was the agent that ended it or it is gone."""
        entry, is_over = news.entry, not may_go_on(news.ended)
        news.cancel()
        if entry is None:
            return
        subscribed = Message.of(entry[0])
        with suppress(CaxtonError):  # the client is closed; or the agent is gone, or learns it from its deadline
            answers = self._reach().session.answers
            answers.forget([entry])
            answers.hush(entry[0].message_id)
            if is_over:
                return
            reply_with = self._next_id(time.time_ns() // 1_000_000)()
            answers.hush(reply_with)
            cancel = Message(
                subscribed.receiver,
                performative=Performative.CANCEL,
                protocol=PROTOCOL,
                conversation_id=subscribed.conversation_id,
                in_reply_to=subscribed.message_id,
                reply_with=MessageId(reply_with),
                delivery_options=replace(subscribed.delivery_options, expires_at=None, conversation=None),
            )
            await self.send_batch([cancel], timeout_s=CANCEL_TIMEOUT_S)

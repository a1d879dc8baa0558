"""`caxton.client.calls.message_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any, overload

from caxton.acl.capability import Capability, Everyone
from caxton.acl.message import Message
from caxton.acl.options import DEFAULT_OPTIONS, DeliveryOptions
from caxton.acl.performative import Performative
from caxton.client.calls.message_calls import BATCH_TIMEOUT_S, REQUEST_TIMEOUT_S, SomeAgent
from caxton.client.connection import Agent
from caxton.client.routes.receipts import Receipt
from caxton.errors import CaxtonError
from caxton.ids import ConversationId
from caxton.sync.calls.cancel_calls import CancelCalls
from caxton.sync.returned import Inbox


class MessageCalls(CancelCalls):
    """`send` and `request`, one or many, and the inbox. Ids and time are stamped here.

    A message to a name carries it (`Message.receiver_name`), so that errors and dead letters tell it.
    """

    @overload
    def send(
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
    def send(
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
    def send(
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

    def send(  # noqa: PLR0913 (by name, each with a default)
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
        send: Callable[..., Coroutine[Any, Any, Receipt | list[Receipt | CaxtonError]]] = self._client.send
        return self._run(
            send(
                to,
                content,
                performative=performative,
                encoding=encoding,
                options=options,
                idempotency_key=idempotency_key,
                conversation_id=conversation_id,
                wait=wait,
                timeout_s=timeout_s,
            )
        )

    def send_batch(
        self, messages: Iterable[Message], *, timeout_s: float = BATCH_TIMEOUT_S
    ) -> list[Receipt | CaxtonError]:
        """Send messages, waiting for room; returns when each is acknowledged, or has its error, in order.

        Each is durable unless its delivery options say otherwise. timeout_s: the longest time in which none of them
        gets anywhere; what is left then ends as Timeout. Raises ValidationError when one is no Message: then nothing
        was sent.
        """
        return self._run(self._client.send_batch(messages, timeout_s=timeout_s))

    def request(  # noqa: PLR0913 (by name, each with a default)
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
        return self._run(
            self._client.request(
                to,
                content,
                timeout_s=timeout_s,
                performative=performative,
                encoding=encoding,
                options=options,
                idempotency_key=idempotency_key,
                conversation_id=conversation_id,
                protocol=protocol,
            )
        )

    def request_many(
        self, messages: Iterable[Message], *, timeout_s: float = BATCH_TIMEOUT_S, deadline_s: float | None = None
    ) -> list[Message | CaxtonError]:
        """Send requests; returns the reply to each, in order, or its error. reply_with is stamped here.

        A `Message` whose protocol is one of those that `request` names has its reply after an agree.

        Each is volatile unless its delivery options say otherwise. timeout_s: the longest time in which none of them
        ends; what is left then ends as Timeout. deadline_s: in place of that, the time that all have together. Raises
        ValidationError as `send_batch` does, and for a receipt.
        """
        return self._run(self._client.request_many(messages, timeout_s=timeout_s, deadline_s=deadline_s))

    def inbox(self) -> Inbox:
        """Return the messages that nobody asked for, to be iterated with `for`.

        A durable one is acknowledged when it is taken from here.
        """
        return Inbox(self._thread, self._made(partial(self._client.inbox)))

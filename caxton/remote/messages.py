"""What a client on another machine says to agents: send and request, one or many."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from caxton.acl.capability import Capability, Everyone
from caxton.acl.json_form import message_values
from caxton.acl.message import Message
from caxton.acl.options import Lane
from caxton.client.calls.arguments import listed, not_messages, seconds
from caxton.client.calls.interaction_calls import InteractionCalls
from caxton.client.calls.message_calls import BATCH_TIMEOUT_S
from caxton.client.connection import Agent
from caxton.client.interactions.bids import Bids
from caxton.client.routes.receipts import Receipt
from caxton.errors import (
    CaxtonError,
    ConfigurationError,
    FailedTooOften,
    NetworkError,
    RuntimeNotFound,
    SecurityError,
    Timeout,
    TokenMissing,
    TokenRefused,
    Unsupported,
    ValidationError,
)
from caxton.forms.message_form import read_told
from caxton.forms.receipt_form import ReceiptForm
from caxton.ids import AgentId, MessageId
from caxton.printable import shown
from caxton.remote.connection import NAMED, RemoteConnection
from caxton.remote.inbox import RemoteInbox
from caxton.remote.problems import Problem, of_problem

# For how long a gateway lets a request wait for an agent.
LONGEST_MESSAGE_S = 30.0
# Beside that, for the way there and back.
_WAY_S = 15.0
# Of one request: messages, and bytes of their JSON, of which a gateway takes 24 MiB.
_BATCH, _BATCH_BYTES = 1_000, 16 << 20
# Errors that all messages would have, whatever they are.
_OF_ALL = (TokenMissing, TokenRefused, FailedTooOften, RuntimeNotFound, SecurityError, ConfigurationError)
# Requests that wait for answers at the same time: each has a connection, of which a gateway has 512 for all.
_REQUESTS_AT_ONCE = 24


class _Outcome(msgspec.Struct, frozen=True):
    receipt: ReceiptForm | None = None
    problem: Problem | None = None


class _Batch(msgspec.Struct, frozen=True):
    results: list[_Outcome]


class RemoteMessages(RemoteConnection, InteractionCalls):
    """Every call raises what the one of the same name of `caxton.Client` does.

    A gateway waits at most 30 s for an answer: a longer timeout is a ValidationError.
    """

    async def send_batch(
        self, messages: Iterable[Message], *, timeout_s: float = BATCH_TIMEOUT_S
    ) -> list[Receipt | CaxtonError]:
        """Send messages; returns when each is acknowledged, or has its error, in order.

        They go in requests of up to 1,000, one after the other. Where one of these fails as a whole, each of its
        messages has the error: after a Timeout or NetworkError they may have been sent, and those behind were not
        (RuntimeNotFound); after anything else that is wrong with it none of them was sent, and those behind are.
        """
        given = _checked(messages)
        within_s = _allowed(timeout_s)
        if any(message.delivery_options.receipt for message in given):
            await self._heard()
        results: list[Receipt | CaxtonError] = []
        for some in _batches(given):
            try:
                answer = await self._gateway().post(
                    "/v1/messages/batch",
                    _Batch,
                    {"messages": some},
                    params={"timeout_s": within_s},
                    timeout_s=within_s + _WAY_S,
                )
                if len(answer.results) != len(some):
                    raise NetworkError(self._address.url, f"it told of {len(answer.results)} of {len(some)} messages")
            except CaxtonError as error:
                results += [error] * len(some)
                if (behind := self._of_those_behind(error)) is not None:
                    return results + [behind] * (len(given) - len(results))
            else:
                results += map(_result, answer.results)
        return results

    def _of_those_behind(self, error: CaxtonError) -> CaxtonError | None:
        """Return what those have that come behind a request with this error; None where they are to be sent."""
        if isinstance(error, Timeout | NetworkError):
            not_sent = RuntimeNotFound(self._address.url)
            return not_sent.suggesting("this was not sent: messages before it were not answered; send it again")
        return error if isinstance(error, _OF_ALL) else None

    async def request_many(
        self, messages: Iterable[Message], *, timeout_s: float = BATCH_TIMEOUT_S, deadline_s: float | None = None
    ) -> list[Message | CaxtonError]:
        """Send requests, each with one of HTTP; returns the reply to each, in order, or its error.

        Two dozen wait for their answers at the same time.
        """
        return await self._request_many(messages, timeout_s, deadline_s)

    async def _request_many(
        self, messages: Iterable[Message], timeout_s: float, deadline_s: float | None, bids: Bids | None = None
    ) -> list[Message | CaxtonError]:
        given = _checked(messages)
        within_s = _allowed(timeout_s if deadline_s is None else deadline_s)
        room = asyncio.Semaphore(_REQUESTS_AT_ONCE)

        async def ask(message: Message) -> Message | CaxtonError:
            try:
                async with room:
                    values: dict[str, Any] = await self._gateway().post(
                        "/v1/messages/request",
                        dict[str, Any],
                        _values(message),
                        params={"timeout_s": within_s},
                        timeout_s=within_s + _WAY_S,
                    )
                answer = read_told(values)
                return answer if bids is None else bids.admitted(answer)
            except CaxtonError as error:
                return error

        return await asyncio.gather(*map(ask, given))

    def inbox(self) -> RemoteInbox:
        """Return the messages that nobody asked for, from when they are read from the gateway on.

        One client reads for a token: this raises ConfigurationError where it is iterated when another one does.
        """
        line = self._gateway()
        if self._inbox is None:
            self._inbox = RemoteInbox(line)
            self._reading = self._tasks.create_task(self._inbox.read())
        return self._inbox

    async def _heard(self) -> None:
        """Return when messages that nobody asked for are read: what comes before is lost."""
        inbox = self.inbox()
        try:
            async with asyncio.timeout(_WAY_S):
                await inbox.opened.wait()
        except TimeoutError:
            raise Timeout("the stream of unasked messages", _WAY_S) from None
        if inbox.error is not None:
            raise inbox.error

    async def _send_to_one(self, message: Message, *, wait: bool, timeout_s: float) -> Receipt:
        """Send a message to a capability: the gateway chooses who gets it, and tries others."""
        if not wait:
            raise Unsupported("wait=False, from another machine", "leave it out")
        (result,) = await self.send_batch([message], timeout_s=timeout_s)
        if isinstance(result, CaxtonError):
            raise result
        return result

    async def _each_of(
        self, to: Sequence[Agent] | Capability | Everyone, most: int
    ) -> list[tuple[AgentId, str | None]]:
        """Return who is meant: those that are named are looked up, because results are told by ids."""
        if not isinstance(to, Capability | Everyone):
            to = listed(to, AgentId, "to")
            unknown = [agent for agent in to[:most] if self._meant(agent)[0] == NAMED]
            for error in await self.lookup(unknown):
                if isinstance(error, CaxtonError):
                    raise error
        return await super()._each_of(to, most)


def _checked(messages: Iterable[Message]) -> Sequence[Message]:
    given = listed(messages, Message, "messages")
    if (wrong := not_messages(given)) is not None:
        raise wrong
    return given


def _allowed(timeout_s: float) -> float:
    found = seconds(timeout_s)
    if found > LONGEST_MESSAGE_S:
        problem = f"{shown(timeout_s)} is more than the {LONGEST_MESSAGE_S:g} s that a gateway waits"
        raise ValidationError("timeout_s", problem)
    return found or 0.001


def _values(message: Message) -> dict[str, object]:
    """Return a message as it is posted; of one whose receiver is named, without the id that nobody knows here."""
    values = message_values(message)
    if message.receiver_name is not None and message.receiver == NAMED:
        del values["receiver"]
    return values


def _batches(messages: Sequence[Message]) -> Iterable[list[msgspec.Raw]]:
    """Yield messages as JSON, so many as one request takes."""
    some: list[msgspec.Raw] = []
    size = 0
    for message in messages:
        raw = msgspec.json.encode(_values(message))
        if some and (len(some) == _BATCH or size + len(raw) > _BATCH_BYTES):
            yield some
            some, size = [], 0
        some.append(msgspec.Raw(raw))
        size += len(raw)
    if some:
        yield some


def _result(outcome: _Outcome) -> Receipt | CaxtonError:
    form = outcome.receipt
    if form is None:
        return of_problem(outcome.problem or Problem("nothing"), 0)
    return Receipt(
        bytes(MessageId.parse(form.message_id)),
        Lane.of(form.reliability),
        form.is_new,
        None if form.agent is None else AgentId.parse(form.agent),
        tuple(map(AgentId.parse, form.tried)),
    )

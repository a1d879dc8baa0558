"""One turn of an attached agent: what its handler is given, and what becomes of what it returns."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import msgspec

from caxton.acl.content import as_bytes
from caxton.acl.envelope import AUTOMATIC, DURABLE, LANE_OPEN, MAX_CONTENT, Envelope, Rare
from caxton.acl.message import Content, Message
from caxton.acl.performative import Performative
from caxton.agents.limits import MAX_STATE
from caxton.errors import MessageTooLarge, ValidationError
from caxton.wire.calls import Ended
from caxton.wire.delivery import Delivery

# What one turn may send, in messages and in bytes of content: all of it goes back in one frame.
MOST_MESSAGES, MOST_BYTES = 256, 12 << 20
_MOST_ERROR = 255


# None: handled, nothing to say. bytes: the content of an answer, if the message asks for one. Messages: sent as they
# are, in order; sender, id and time are stamped by the runtime.
Sent: TypeAlias = Content | list[Message] | tuple[Message, ...] | None


class Delivered(msgspec.Struct, frozen=True):
    """A message for an attached agent. delivery_count: 2 and more mean that it may have been handled before.

    state: the agent's, if it keeps one, as of the turn before; empty before the first that saved one.
    """

    message: Message
    delivery_count: int = 1
    state: bytes = b""


class Saved(msgspec.Struct, frozen=True):
    """What a handler of an agent that keeps a state returns to change it: the state, and what it says besides.

    state: at most 64 KiB, committed with the end of the message and with what is said; empty: none from now on. said:
    whatever a handler without a state returns.
    """

    state: bytes
    said: object = None


Said: TypeAlias = Sent | Saved
EachHandler: TypeAlias = Callable[[Delivered], Awaitable[Said]]
# None: all are handled, nothing to say; otherwise what is said to each, in order.
BatchHandler: TypeAlias = Callable[[list[Delivered]], Awaitable[Sequence[Said] | None]]
# Where an encoding is named, any other value is the content of an answer too.
ValueHandler: TypeAlias = Callable[[Delivered], Awaitable[object]]
ValuesHandler: TypeAlias = Callable[[list[Delivered]], Awaitable[Sequence[object] | None]]


def delivered(delivery: Delivery, state: bytes = b"") -> Delivered:
    """Show a delivery to a handler."""
    return Delivered(Message.of(delivery.message), delivery.attempts, state)


def ended(delivery: Delivery, said: object, *, keeps_state: bool = False, encoding: str | None = None) -> Ended:
    """Return the end of a turn whose handler returned `said`. encoding: in which a value is sent, None for no values.

    Raises ValidationError for what is not fit to be sent, and for a state where none is kept, or one that is none.
    """
    if not isinstance(said, Saved):
        return Ended(delivery.delivery, _messages(delivery.message, said, encoding))
    if not keeps_state:
        raise ValidationError("what the handler returned", "a state, and this agent was attached without state=True")
    if not isinstance(said.state, bytes):
        raise ValidationError("state", f"{type(said.state).__name__} where bytes are wanted")
    if len(said.state) > MAX_STATE:
        raise ValidationError("state", f"{len(said.state):,} bytes, and the limit is {MAX_STATE:,}")
    return Ended(delivery.delivery, _messages(delivery.message, said.said, encoding), None, said.state)


def failed(delivery: Delivery, error: BaseException) -> Ended:
    """Return the end of a turn whose handler raised: nothing is sent, and it is tried again, as its message says."""
    text = f"{type(error).__name__}: {_text_of(error)}".encode("utf-8", "replace").decode()
    return Ended(delivery.delivery, [], text[:_MOST_ERROR])


def _text_of(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "what it waited for was cancelled"
    try:
        return str(error)
    except Exception as wrong:  # noqa: BLE001 (whatever a handler raises is the end of its turn, and of no more)
        return f"its text cannot be had: {type(wrong).__name__}"


def each_said(said: Sequence[Said] | None, count: int) -> Sequence[Said]:
    """Return what a batch handler says to each of `count` messages; raises ValidationError when it is not so many."""
    if said is None:
        return [None] * count
    if not isinstance(said, list | tuple) or len(said) != count:
        raise ValidationError("what the handler returned", f"not a list of {count}, one for each message, and not None")
    return said


def size_of(end: Ended) -> int:
    """Return the bytes of content that a turn sends, and of the state that it saves."""
    size = 0 if end.state is None else len(end.state)
    for message in end.messages:  # `sum` over a generator takes three times as long, and here are all messages
        size += len(message.content)
    return size


def is_value(said: object) -> bool:
    """Whether this is a value, where an encoding is named: neither nothing, nor bytes, nor messages."""
    if isinstance(said, list | tuple):
        return not (said and all(isinstance(one, Message) for one in said))
    return not (said is None or isinstance(said, bytes | bytearray | memoryview | Message))


def not_sendable(said: object) -> ValidationError:
    """Return the error for what a handler returned and nobody can be sent."""
    problem = f"{type(said).__name__}; give None, bytes, or messages, or attach it with an encoding for values"
    return ValidationError("what the handler returned", problem)


def _messages(handled: Envelope, said: object, encoding: str | None) -> list[Envelope]:
    if said is None:
        return []
    if encoding is not None and is_value(said):
        content, language = as_bytes(said, encoding)
        return _answered(handled, content, encoding, language)
    if isinstance(said, bytes | bytearray | memoryview):
        return _answered(handled, bytes(said))
    if not isinstance(said, list | tuple):
        raise not_sendable(said)
    if len(said) > MOST_MESSAGES:
        raise ValidationError("what the handler returned", f"{len(said)} messages, and the limit is {MOST_MESSAGES}")
    messages = [_sent(handled, message) for message in said]
    size = sum(len(message.content) for message in messages)
    if size > MOST_BYTES:
        raise MessageTooLarge.of(size, MOST_BYTES, "what the handler returned")
    return messages


def _answered(
    handled: Envelope, content: bytes, encoding: str | None = None, language: str | None = None
) -> list[Envelope]:
    """Return the answer to a message that asks for one; what the runtime made is never answered."""
    if handled.reply_with is None or handled.flags & AUTOMATIC or not handled.sender:
        return []
    if len(content) > MAX_CONTENT:
        raise MessageTooLarge.of(len(content), MAX_CONTENT)
    rare = handled.rare
    reply_to = None if rare is None else rare.reply_to
    protocol = None if rare is None else rare.protocol
    answer = Envelope(
        bytes(16),
        int(Performative.INFORM),
        0,
        reply_to or handled.sender,
        content,
        None,
        handled.reply_with,
        handled.conversation_id,
        level=handled.level,
        flags=handled.flags & DURABLE,
        rare=None if protocol is encoding is None else Rare(language, encoding, protocol=protocol),
    )
    return [answer]


def _sent(handled: Envelope, message: object) -> Envelope:
    """Return a message as the runtime takes it: what a turn on the durable lane sends is durable, as it asks or not."""
    if not isinstance(message, Message):
        raise ValidationError("what the handler returned", f"{type(message).__name__} among the messages")
    e = message.envelope
    flags = e.flags & ~(LANE_OPEN | AUTOMATIC) | handled.flags & DURABLE
    return Envelope(
        bytes(16),
        e.performative,
        0,
        e.receiver,
        e.content,
        e.reply_with,
        e.in_reply_to,
        e.conversation_id,
        0,
        e.level,
        e.timeout_ms,
        flags,
        e.rare,
    )

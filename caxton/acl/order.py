"""Which messages for one agent are handled one after the other, where its handler takes several at a time."""

from collections.abc import Container
from typing import Literal, TypeAlias

from caxton.acl.envelope import Envelope

# conversation: those of a conversation; of what has none, a request is one of its own, since who asks waits for its
# answer, and the rest goes by its sender. sender: those of a sender. none: any two may be handled at once. all: no two.
Order: TypeAlias = Literal["conversation", "sender", "none", "all"]
# Of these, what a program may ask for by this name; it gets "all" by a concurrency of 1.
HandlerOrder: TypeAlias = Literal["conversation", "sender", "none"]
Key: TypeAlias = int | bytes


def key_of(order: Order, message: Envelope) -> Key:
    """Return what two messages have in common that are not to be handled at once."""
    if order == "conversation":
        return message.conversation_id or (message.sender if message.reply_with is None else message.message_id)
    if order == "sender":
        return message.sender
    return message.message_id if order == "none" else 0


def comes_back(message: Envelope, held: Container[bytes]) -> bool:
    """Whether one of these, by their ids, waits for what becomes of a message."""
    cause = message.cause
    return cause is not None and cause.waiters is not None and any(one in held for one in cause.waiters.deliveries)


def key_beside(order: Order, message: Envelope, held: Container[bytes]) -> Key:
    """Return the key of a message beside others, of which the ids are given: behind what waits for it it would not end.

    So what one of them waits for has a key of its own.
    """
    return message.message_id if comes_back(message, held) else key_of(order, message)

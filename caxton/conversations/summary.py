"""What a conversation remembers of a message: who said how much to whom, and what only if that was asked for."""

from typing import Annotated

import msgspec

from caxton.acl.envelope import AUTOMATIC, Envelope, Id, UuidBytes

# A message whose content is as short as this, and that has nothing of any size beside it, is remembered as it is: that
# is quicker than to make a summary of it.
SMALL = 128
# What of a content is kept where contents are: a longer one is left out.
MAX_KEPT_CONTENT = 4_096


class Summary(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One message. sent_at: ms since 1970, by its sender's clock. size: bytes of its content.

    content: what it says, where the conversation keeps that and it is no longer than 4,096 bytes. automatic: it is the
    runtime's own word, such as that a message failed, and its sender only who that is about.
    """

    message_id: UuidBytes
    performative: Annotated[int, msgspec.Meta(ge=0, le=21)]
    sender: Id
    receiver: Id
    sent_at: Id
    size: Id
    in_reply_to: UuidBytes | None = None
    content: bytes | None = None
    automatic: bool = False


Remembered = Envelope | Summary


def remembered(message: Envelope, *, with_content: bool = False) -> Remembered:
    """Return what is remembered of a message: itself, where that takes some 780 bytes at most, or else its summary."""
    cause = message.cause
    is_plain = message.rare is None and (cause is None or (cause.waiters is None and not cause.principal))
    return message if is_plain and len(message.content) <= SMALL else summary_of(message, with_content=with_content)


def summary_of(one: Remembered, *, with_content: bool = False) -> Summary:
    """Return the summary of a message; with_content: as far as it is kept."""
    if type(one) is Summary:
        return one
    m: Envelope = one  # type: ignore[assignment] # the only other one
    content, size = None, len(m.content)
    if with_content and size <= MAX_KEPT_CONTENT:
        content = m.content
    return Summary(
        m.message_id,
        m.performative,
        m.sender,
        m.receiver,
        m.created_at,
        size,
        m.in_reply_to,
        content,
        m.flags & AUTOMATIC > 0,
    )

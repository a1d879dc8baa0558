"""What a client writes on what it sends: the lane that was left open, ids, the time."""

from caxton.acl.envelope import AUTOMATIC, DURABLE, LANE_OPEN, Cause, Envelope
from caxton.acl.options import DEFAULT_LANE_OF_REQUEST, DEFAULT_LANE_OF_SEND, Lane
from caxton.errors import MessageExpired
from caxton.ids import AgentId, ConversationId
from caxton.protocols import is_checked

# Flags that a message which is given may have.
KNOWN = AUTOMATIC | DURABLE | LANE_OPEN


def decided(default: Lane) -> tuple[int, ...]:
    """Return, by the flags of a message, those that it travels with when an open lane becomes `default`."""
    open_lane = DURABLE if default is Lane.DURABLE else 0
    return tuple((flags & ~LANE_OPEN) | (open_lane if flags & LANE_OPEN else 0) for flags in range(KNOWN + 1))


# By these flags, those that a message is sent or requested with.
SENT = decided(DEFAULT_LANE_OF_SEND)
REQUESTED = decided(DEFAULT_LANE_OF_REQUEST)


def stamped(
    e: Envelope,
    message_id: bytes,
    sender: int,
    reply_with: bytes | None,
    now_ms: int,
    flags: int,
    cause: Cause | None = None,
) -> Envelope:
    """Return the message as it leaves: under this id, from this sender, at this time, following from this.

    What follows a protocol is a conversation: one of its own where it names none.
    """
    conversation_id = e.conversation_id
    if conversation_id is None and e.rare is not None and is_checked(e.rare.protocol):
        conversation_id = bytes(ConversationId.of_session(sender, now_ms))
    return Envelope(
        message_id,
        e.performative,
        sender,
        e.receiver,
        e.content,
        reply_with,
        e.in_reply_to,
        conversation_id,
        now_ms,
        e.level,
        e.timeout_ms,
        flags,
        e.rare,
        cause,
    )


def too_late(e: Envelope, now_ms: int) -> MessageExpired:
    """Return the error for a message that is not worth delivering any more."""
    expires_at = 0 if e.rare is None else e.rare.expires_at or 0
    return MessageExpired(str(AgentId(e.receiver)), (expires_at - now_ms) / 1_000)

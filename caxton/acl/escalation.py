"""What an agent is told when another one's retries are at an end: a failure, with the message for it to see to."""

from typing import Any

import msgspec

from caxton.acl.envelope import AUTOMATIC, Envelope, Rare
from caxton.acl.message import Message
from caxton.acl.performative import ACTS, Performative
from caxton.errors import CaxtonError, InvalidMessageFormat, from_fields, to_fields

ESCALATION_PROTOCOL = "caxton:escalation"
ESCALATED = Rare(protocol=ESCALATION_PROTOCOL)
# Of the message: an agent with the default limits takes this and what is told beside it.
MOST_CONTENT = (1 << 20) - (1 << 14)


class Original(msgspec.Struct, frozen=True, omit_defaults=True):
    """The message as FIPA names its fields. content: None when it was too large; content_bytes: its size."""

    performative: str
    sender: int
    receiver: int
    message_id: bytes
    content_bytes: int
    content: bytes | None = None
    reply_with: bytes | None = None
    in_reply_to: bytes | None = None
    conversation_id: bytes | None = None
    created_at: int = 0
    language: str | None = None
    encoding: str | None = None
    ontology: str | None = None
    protocol: str | None = None
    reply_to: int | None = None
    reply_by: int | None = None


class _Report(msgspec.Struct, frozen=True):
    """A msgpack map: that of any failure, and more."""

    error: str
    fields: dict[str, Any]
    message: str
    agent: str
    attempts: int
    retry_reasons: tuple[str, ...]
    dead_letter: str
    original: Original


class Escalation(msgspec.Struct, frozen=True):
    """A message that came to nothing, and is among the dead letters as `dead_letter`, such as 0-17.

    agent: the name of who could not handle it. error: a RetryLimitExceeded. retry_reasons: why each attempt failed, as
    in `caxton.delivery.retry_reason`. content_bytes: the size of the message's content, which is empty here when it
    has more than 1,032,192 bytes; the dead letter has it.
    """

    agent: str
    error: CaxtonError
    attempts: int
    retry_reasons: tuple[str, ...]
    dead_letter: str
    content_bytes: int
    message: Message


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Report).decode


def escalation(
    message: Envelope,
    agent: str,
    error: CaxtonError,
    attempts: int,
    retry_reasons: tuple[str, ...],
    dead_letter: str,
) -> bytes:
    """Return the content that tells of a message that is dead."""
    rare, size = message.rare or Rare(), len(message.content)
    original = Original(
        ACTS[message.performative],
        message.sender,
        message.receiver,
        message.message_id,
        size,
        message.content if size <= MOST_CONTENT else None,
        message.reply_with,
        message.in_reply_to,
        message.conversation_id,
        message.created_at,
        rare.language,
        rare.encoding,
        rare.ontology,
        rare.protocol,
        rare.reply_to,
        rare.reply_by,
    )
    told = type(error).__name__, to_fields(error), str(error)
    return _encode(_Report(*told, agent, attempts, retry_reasons, dead_letter, original))


def read_escalation(message: Message) -> Escalation | None:
    """Return what an escalation tells, None of any other message. Raises InvalidMessageFormat for what is none."""
    if not message.envelope.flags & AUTOMATIC or message.protocol != ESCALATION_PROTOCOL:
        return None
    try:
        told = _decode(message.content)
        of = told.original
        rare = Rare(of.language, of.encoding, of.ontology, of.protocol, of.reply_to, of.reply_by)
        original = Envelope(
            of.message_id,
            int(Performative.parse(of.performative)),
            of.sender,
            of.receiver,
            of.content or b"",
            of.reply_with,
            of.in_reply_to,
            of.conversation_id,
            of.created_at,
            rare=None if rare == Rare() else rare,
        )
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InvalidMessageFormat("escalation", str(error)) from None
    return Escalation(
        told.agent,
        from_fields(told.error, told.fields),
        told.attempts,
        told.retry_reasons,
        told.dead_letter,
        of.content_bytes,
        Message.of(original),
    )

"""Messages and dead letters as `-o json` prints them."""

import base64
from typing import Any

from caxton.acl.message import Message
from caxton.forms.moments import moment
from caxton.wire.calls import DeadLetter
from caxton.wire.kept import KeptMessage


def message_values(message: Message) -> dict[str, Any]:
    """Return a message's values: `content` when it is text, `content_base64` when it is not."""
    return head_values(message) | content_values(message.content)


def content_values(content: bytes) -> dict[str, str]:
    """Return content under the name that says how it is written."""
    try:
        return {"content": content.decode()}
    except UnicodeDecodeError:
        return {"content_base64": base64.b64encode(content).decode()}


def name_of(letter: DeadLetter) -> str:
    """Return how a dead letter is named on the command line: its shard and its number."""
    return f"{letter.shard}-{letter.number}"


def letter_values(letter: DeadLetter, *, with_content: bool) -> dict[str, Any]:
    """Return a dead letter's values."""
    message = letter.message
    requeued_from = letter.requeued_from
    values = {
        "id": name_of(letter),
        "reason": letter.reason,
        "error": {"error": letter.error.error, "fields": letter.error.fields},
        "attempts": letter.attempts,
        "retry_reasons": letter.retry_reasons,
        "died_at": moment(letter.died_at),
        "sent_at": moment(message.created_at),
        "receiver": str(message.receiver),
        "receiver_name": message.receiver_name,
        "capability": None if message.capability is None else list(message.capability.names),
        "tried": [str(agent) for agent in message.tried],
        "content_bytes": letter.content_bytes,
        "requeued_from": None if requeued_from is None else f"{letter.shard}-{requeued_from}",
        "trace_context": message.trace_context,
        **head_values(message),
    }
    return values | content_values(message.content) if with_content else values


def kept_values(kept: KeptMessage, *, with_content: bool) -> dict[str, Any]:
    """Return the values of a message that is kept."""
    message = kept.message
    values = {
        "state": kept.state,
        "shard": kept.shard,
        "dead_letter": kept.dead_letter,
        "attempts": kept.attempts,
        "retry_reasons": kept.retry_reasons,
        "sent_at": moment(message.created_at),
        "receiver": str(message.receiver),
        "reliability": message.delivery_options.reliability,
        "content_bytes": kept.content_bytes,
        "cursor": kept.cursor,
        **head_values(message),
    }
    return values | content_values(message.content) if with_content else values


def head_values(message: Message) -> dict[str, Any]:
    """Return what a message is, without whom it is for and what it says."""
    ids = {name: getattr(message, name) for name in ("message_id", "conversation_id", "in_reply_to")}
    return {
        "performative": message.performative.act,
        "sender": None if message.sender is None else str(message.sender),
        **{name: None if value is None else str(value) for name, value in ids.items()},
    }

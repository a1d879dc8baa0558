"""How an answer names what it answers."""

from caxton.acl.envelope import Envelope


def ids_of(message: Envelope) -> bytes:
    """Return the ids by which an answer may name a message: its reply_with, if it has one, and its own."""
    return message.message_id if message.reply_with is None else message.reply_with + message.message_id


def names(named: bytes | None, ids: bytes) -> bool:
    """Whether `named`, an in_reply_to, is one of a message's ids; of no message it never is."""
    return bool(ids) and (ids[:16] == named or ids[16:] == named)

"""What is told of a message that its agent failed on for good, and read again."""

import msgspec
import pytest

from caxton.acl.envelope import AUTOMATIC, DURABLE, Envelope, Rare
from caxton.acl.escalation import ESCALATED, MOST_CONTENT, escalation, read_escalation
from caxton.acl.message import Message
from caxton.errors import InvalidMessageFormat, RetryLimitExceeded, to_fields

ERROR = RetryLimitExceeded("5", 3, "it trapped")
REASONS = ("timeout", "agent_failed", "agent_failed")
SENT = Envelope(
    b"m" * 16, 18, 1 << 63 | 9, 5, b"order 17", b"r" * 16, None, b"c" * 16, 1_000, rare=Rare(language="l", reply_by=7)
)


def told(message=SENT, content=None):
    """An escalation as an agent gets it."""
    content = escalation(message, "tally", ERROR, 3, REASONS, "0-17") if content is None else content
    return Message.of(Envelope(b"e" * 16, 6, 5, 8, content, flags=AUTOMATIC | DURABLE, rare=ESCALATED))


def test_what_is_told_is_read_again():
    """The agent, the error, the attempts, the dead letter, and the message with the fields that FIPA has for it."""
    found = read_escalation(told())
    assert (found.agent, found.attempts, found.retry_reasons, found.dead_letter) == ("tally", 3, REASONS, "0-17")
    assert to_fields(found.error) == to_fields(ERROR)
    assert (found.content_bytes, found.message.content) == (8, b"order 17")
    assert found.message == Message.of(SENT)


def test_it_is_a_failure_like_any_other():
    """Whoever reads no more of it reads the error."""
    assert to_fields(told().failure()) == to_fields(ERROR)


def test_agents_read_it_by_names():
    """A map, with the message as a map in it."""
    plain = msgspec.msgpack.decode(told().content)
    assert (plain["error"], plain["agent"], plain["dead_letter"]) == ("RetryLimitExceeded", "tally", "0-17")
    assert plain["original"] == {
        "performative": "request",
        "sender": 1 << 63 | 9,
        "receiver": 5,
        "message_id": b"m" * 16,
        "content_bytes": 8,
        "content": b"order 17",
        "reply_with": b"r" * 16,
        "conversation_id": b"c" * 16,
        "created_at": 1_000,
        "language": "l",
        "reply_by": 7,
    }


@pytest.mark.parametrize(("size", "kept"), [(MOST_CONTENT, True), (MOST_CONTENT + 1, False)])
def test_a_large_content_is_left_out(size, kept):
    """So that an agent with the default limits takes what is left; its size is told."""
    message = msgspec.structs.replace(SENT, content=bytes(size))
    found = read_escalation(told(message))
    assert (len(found.message.content), found.content_bytes) == (size if kept else 0, size)
    assert len(told(message).content) <= 1 << 20


def test_other_messages_are_none():
    """Also one whose sender only says that it is one, and a failure of another kind."""
    plain = told().envelope
    for flags, rare in ((0, ESCALATED), (AUTOMATIC, None)):
        assert read_escalation(Message.of(msgspec.structs.replace(plain, flags=flags, rare=rare))) is None


@pytest.mark.parametrize("content", [b"", b"\x80", b"\xc1", b"\x91" * 5_000])
def test_what_cannot_be_read_is_an_error(content):
    """Another release may have made it."""
    with pytest.raises(InvalidMessageFormat):
        read_escalation(told(content=content))

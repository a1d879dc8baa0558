import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.acl.envelope import AUTOMATIC, DURABLE, LANE_OPEN, MAX_CONTENT, Envelope, Rare
from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions
from caxton.acl.performative import Performative
from caxton.client.attached.turns import MOST_MESSAGES, Saved, each_said, ended, failed
from caxton.errors import MessageTooLarge, SerializationError, ValidationError
from caxton.ids import MessageId
from caxton.wire.delivery import Delivery

TOKEN = b"r" * 16


def given_message(**changed):
    fields = {"message_id": bytes(16), "performative": 18, "sender": 9, "receiver": 5, "content": b""}
    return Delivery(1, 1, Envelope(**(fields | {"flags": DURABLE, "reply_with": TOKEN} | changed)))


def test_bytes_answer_who_asked():
    """The answer goes to the sender, or to reply_to, with what it answers and the conversation, on the same lane."""
    (plain,) = ended(given_message(conversation_id=b"c" * 16, level=8), b"yes").messages
    assert (plain.receiver, plain.content, plain.in_reply_to, plain.conversation_id) == (9, b"yes", TOKEN, b"c" * 16)
    assert (plain.performative, plain.level, plain.flags) == (int(Performative.INFORM), 8, DURABLE)
    (other,) = ended(given_message(rare=Rare(reply_to=11), flags=0), b"yes").messages
    assert (other.receiver, other.flags) == (11, 0)


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_what_holds_bytes_answers_too(kind):
    """An answer may be any of what a message's content may be, and is a copy of it."""
    buffer = bytearray(b"yes")
    (answer,) = ended(given_message(), kind(buffer)).messages
    buffer[0] = 0
    assert answer.content == b"yes"


def test_bytes_answer_in_the_protocol():
    """An answer that is bytes names the protocol of what it answers, and nothing where there is none."""
    (answer,) = ended(given_message(rare=Rare(protocol="fipa-request", language="l")), b"done").messages
    assert answer.rare == Rare(protocol="fipa-request")


@pytest.mark.parametrize("changed", [{"reply_with": None}, {"flags": AUTOMATIC}, {"sender": 0}], ids=str)
def test_bytes_answer_nobody_who_did_not_ask(changed):
    """A message without reply_with, one that the runtime made, and one of nobody are not answered."""
    end = ended(given_message(**changed), b"yes")
    assert (end.messages, end.error) == ([], None)


@pytest.mark.parametrize(
    "value", [{"price": 7}, [], [1, 2], ("a", None), "text", 7, 1.5, False, {"nested": [{"x": b"y".hex()}]}], ids=repr
)
@pytest.mark.parametrize(("encoding", "read"), [("json", msgspec.json.decode), ("msgpack", msgspec.msgpack.decode)])
def test_a_value_answers_in_the_encoding_that_the_handler_has(value, encoding, read):
    """The answer says it, whatever the question's encoding was, and follows the question's protocol as bytes do."""
    asked = given_message(rare=Rare(language="l", encoding="e", protocol="p", reply_to=11))
    (answer,) = ended(asked, value, encoding=encoding).messages
    assert read(answer.content) == (list(value) if isinstance(value, tuple) else value)
    assert answer.rare == Rare(encoding, encoding, protocol="p")
    assert (answer.receiver, answer.in_reply_to) == (11, TOKEN)
    end = ended(given_message(), Saved(b"s", value), keeps_state=True, encoding=encoding)
    assert (end.state, read(end.messages[0].content)) == (b"s", read(answer.content))


def test_what_is_said_without_a_value_is_what_it_was():
    """Where an encoding is named too: nothing, bytes as they are, and messages."""
    assert ended(given_message(), None, encoding="json").messages == []
    (answer,) = ended(given_message(), b"yes", encoding="json").messages
    assert (answer.content, answer.rare) == (b"yes", None)
    sent = ended(given_message(), [Message(7, b"x"), Message(8, b"y")], encoding="json").messages
    assert [message.receiver for message in sent] == [7, 8]


@pytest.mark.parametrize("asks", [TOKEN, None], ids=["asked", "not asked"])
@pytest.mark.parametrize("value", [object(), [Message(7, b"x"), 5], {1: object()}, float], ids=lambda v: str(v)[:9])
def test_a_value_that_cannot_be_encoded_is_the_error_of_the_turn(value, asks):
    """Whether somebody waits for it or not; and without an encoding no value can be sent."""
    with pytest.raises(SerializationError, match="cannot be encoded as json"):
        ended(given_message(reply_with=asks), value, encoding="json")
    with pytest.raises(ValidationError, match="the handler returned"):
        ended(given_message(reply_with=asks), {"price": 7})


def test_a_value_has_a_limit():
    """As other contents do."""
    with pytest.raises(MessageTooLarge):
        ended(given_message(), "x" * MAX_CONTENT, encoding="json")


@given(lane=st.sampled_from([None, "at_most_once", "at_least_once"]), handled=st.sampled_from([0, DURABLE]))
def test_what_a_durable_turn_sends_is_durable(lane, handled):
    """An undecided message has the lane of its turn; what a durable turn sends is durable whatever it asks for."""
    message = Message(7, b"x", delivery_options=DeliveryOptions(reliability=lane), reply_with=MessageId(TOKEN))
    (sent,) = ended(given_message(flags=handled), [message]).messages
    assert sent.flags == (DURABLE if handled or lane == "at_least_once" else 0)
    assert not sent.flags & LANE_OPEN
    assert (sent.sender, sent.message_id, sent.created_at, sent.reply_with) == (0, bytes(16), 0, TOKEN)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("text", "str"),
        (5, "int"),
        ([b"x"], "bytes among the messages"),
        ([Message(7)] * (MOST_MESSAGES + 1), "257 messages, and the limit is 256"),
        ([Message(7, bytes(7_000_000))] * 2, "14000000 bytes"),
        (bytes(MAX_CONTENT + 1), "10000001 bytes"),
    ],
    ids=lambda value: str(value)[:10],
)
def test_what_cannot_be_sent_is_the_error_of_the_turn(said, problem):
    """The error says what was wrong with it."""
    with pytest.raises(ValidationError, match=problem):
        ended(given_message(), said)


def test_an_error_without_a_text_is_told_too():
    """A turn that failed names what its handler raised, also when that has no text, or fails when asked for it."""

    class MuteError(Exception):
        def __str__(self):
            raise KeyError("x")

    told = [failed(given_message(), error).error for error in (OSError(), asyncio.CancelledError(), MuteError())]
    assert told == [
        "OSError: ",
        "CancelledError: what it waited for was cancelled",
        "MuteError: its text cannot be had: KeyError",
    ]


def test_the_text_of_an_error_is_cut():
    """Of what a handler raised up to 255 characters are told, its type first."""
    assert len(failed(given_message(), ValueError("x" * (255 - 12))).error) == 255
    assert failed(given_message(), ValueError("x" * 10_000)).error == f"ValueError: {'x' * (255 - 12)}"


def test_a_batch_is_answered_one_by_one():
    """None stands for nothing to say to anybody; otherwise there is one thing for each message."""
    assert each_said(None, 3) == [None, None, None]
    assert each_said([b"a", None], 2) == [b"a", None]
    for wrong in ([b"a"], b"ab", "ab", 2):
        with pytest.raises(ValidationError, match="a list of 2"):
            each_said(wrong, 2)

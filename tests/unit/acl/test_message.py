"""The message that users hold."""

import sys
from array import array

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.acl import fields
from caxton.acl.envelope import AUTOMATIC, DURABLE, LANE_OPEN, MAX_CONTENT, Envelope
from caxton.acl.failure import report
from caxton.acl.fields import MAX_TEXT
from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions, Level
from caxton.acl.performative import Performative
from caxton.errors import (
    InvalidMessageFormat,
    MessageTooLarge,
    ProtocolViolation,
    QueueFull,
    ValidationError,
    to_fields,
)
from caxton.ids import BROADCAST, AgentId, ConversationId, MessageId

ID = st.integers(1, BROADCAST).map(AgentId)
UUID = st.binary(min_size=16, max_size=16)
TEXT = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=MAX_TEXT)
# What decides the lane: a reliability, and a key, which needs the durable lane said (undecided ones: a test below).
LANES = st.sampled_from([(None, None), ("at_most_once", None), ("at_least_once", None), ("at_least_once", "key")])
OPTIONS = st.builds(
    lambda lane, **others: DeliveryOptions(reliability=lane[0], idempotency_key=lane[1], **others),
    lane=LANES,
    priority=st.sampled_from(Level),
    timeout_ms=st.integers(1_000, 300_000),
    max_retries=st.integers(1, 10),
)
FIELDS = st.fixed_dictionaries(
    {
        "content": st.binary(max_size=100),
        "performative": st.sampled_from(Performative),
        "language": TEXT,
        "encoding": TEXT,
        "ontology": TEXT,
        "protocol": TEXT,
        "conversation_id": st.none() | UUID.map(ConversationId),
        "reply_with": st.none() | UUID.map(MessageId),
        "in_reply_to": st.none() | UUID.map(MessageId),
        "reply_to": st.none() | ID,
        "reply_by": st.none() | st.integers(0, 2**63 - 1),
        "trace_context": TEXT,
        "receiver_name": TEXT,
        "delivery_options": OPTIONS,
    }
)
TEXTS = ("language", "encoding", "ontology", "protocol", "trace_context", "receiver_name")


@given(receiver=ID, fields=FIELDS)
def test_every_field_is_what_it_was_made_with(receiver, fields):
    """Also after a way over the wire."""
    message = Message(receiver, **fields)
    travelled = msgspec.msgpack.decode(msgspec.msgpack.encode(message.envelope), type=Envelope)
    for seen in (message, Message.of(travelled)):
        assert seen.receiver == receiver
        assert {name: getattr(seen, name) for name in fields} == fields
        assert seen == message
        assert hash(seen) == hash(message)


def test_a_message_that_was_not_sent_bears_no_stamp():
    """Sender, id and time are the runtime's to give."""
    message = Message(5, b"hello")
    assert message.sender is None
    assert message.message_id == MessageId(bytes(16))
    assert message.created_at == 0
    assert message.performative is Performative.INFORM


def test_a_plain_message_carries_no_rare_fields():
    """They cost one byte together, and each of them brings the others along."""
    assert Message(5, b"hello").envelope.rare is None
    assert Message(5, delivery_options=DeliveryOptions(max_retries=4)).envelope.rare.max_retries == 4
    assert Message(5, delivery_options=DeliveryOptions(idempotency_key="k")).envelope.rare.idempotency_key == "k"


@pytest.mark.parametrize(
    ("options", "flags", "shown"),
    [
        (DeliveryOptions(), LANE_OPEN, None),
        (DeliveryOptions(reliability="at_most_once"), 0, "at_most_once"),
        (DeliveryOptions(reliability="at_least_once"), DURABLE, "at_least_once"),
        (DeliveryOptions(idempotency_key="k"), DURABLE, "at_least_once"),
    ],
    ids=["open", "volatile", "durable", "key"],
)
def test_a_message_keeps_the_lane_that_was_chosen(options, flags, shown):
    """An undecided lane stays open for the call to choose, except that a key chooses the durable one."""
    message = Message(5, delivery_options=options)
    assert message.envelope.flags == flags
    assert message.delivery_options.reliability == shown
    assert message.delivery_options.idempotency_key == options.idempotency_key


def test_a_message_keeps_the_limits_of_what_follows_from_it():
    """Those that were chosen travel with it; without them it carries nothing."""
    options = DeliveryOptions(max_hops=3, max_work=7)
    message = Message(5, delivery_options=options)
    assert (message.envelope.rare.max_hops, message.envelope.rare.max_work) == (3, 7)
    assert (message.delivery_options.max_hops, message.delivery_options.max_work) == (3, 7)
    plain = Message(5).delivery_options
    assert (plain.max_hops, plain.max_work) == (None, None)


def test_messages_differ_in_any_field():
    """Equality is of all of them."""
    plain = Message(5, b"a")
    others = [Message(6, b"a"), Message(5, b"b"), Message(5, b"a", performative=Performative.CFP)]
    others += [Message(5, b"a", protocol="x"), Message(5, b"a", delivery_options=DeliveryOptions(timeout_ms=1_000))]
    assert plain == Message(5, b"a")
    assert all(plain != other for other in others)
    assert plain != "a"


@pytest.mark.parametrize("name", ["content", "receiver", "sender", "language", "_envelope", "new"])
def test_a_message_does_not_change(name):
    """Nobody who holds it can surprise another who does."""
    with pytest.raises(AttributeError):
        setattr(Message(5), name, b"x")


def test_content_ends_at_ten_million_bytes():
    """The limit itself is allowed; the error knows both sizes."""
    assert len(Message(5, bytes(MAX_CONTENT)).content) == 10_000_000
    with pytest.raises(MessageTooLarge, match="10000001 bytes, and the limit is 10000000") as caught:
        Message(5, bytes(MAX_CONTENT + 1))
    assert (caught.value.size, caught.value.limit) == (MAX_CONTENT + 1, MAX_CONTENT)


@pytest.mark.parametrize("content", [None, 5, ["x"], "text"], ids=repr)
def test_content_is_bytes(content):
    """Nothing else is taken, and whoever gives a text is told how to make bytes of it."""
    with pytest.raises(ValidationError, match="content") as refused:
        Message(5, content)
    assert ("text.encode()" in str(refused.value)) == isinstance(content, str)


@pytest.mark.parametrize("kind", [bytearray, memoryview, lambda raw: array("B", raw), lambda raw: memoryview(raw)[::1]])
def test_what_holds_bytes_is_copied(kind):
    """A message keeps what it was made with, whatever becomes of the buffer."""
    buffer = bytearray(b"hello")
    given_content = kind(buffer)
    message = Message(5, given_content)
    buffer[0] = 0
    if isinstance(given_content, array):
        given_content[0] = 0
    assert message.content == b"hello"
    assert type(message.content) is bytes


def test_a_buffer_that_is_gone_is_none():
    """A view that was released holds nothing to be sent."""
    view = memoryview(b"hello")
    view.release()
    with pytest.raises(ValidationError, match="content"):
        Message(5, view)


def test_a_buffer_counts_in_bytes():
    """Items of eight bytes are more than they number, and a view with gaps gives what it shows."""
    assert Message(5, array("Q", [1])).content == (1).to_bytes(8, sys.byteorder)
    assert Message(5, memoryview(b"abcdef")[::2]).content == b"ace"
    with pytest.raises(MessageTooLarge):
        Message(5, memoryview(bytes(MAX_CONTENT + 8)).cast("Q"))


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("value", ["x" * 256, 5, b"x", "\ud800"], ids=lambda v: ascii(v)[:8])
def test_a_text_has_at_most_255_characters_that_utf8_carries(name, value):
    """255 are allowed."""
    assert getattr(Message(5, **{name: "ä" * MAX_TEXT}), name) == "ä" * 255
    with pytest.raises(ValidationError, match=name):
        Message(5, **{name: value})


@pytest.mark.parametrize("name", ["receiver", "reply_to"])
@pytest.mark.parametrize("value", [0, -1, BROADCAST + 1, True, 1.0, "5"], ids=repr)
def test_an_agent_is_named_by_a_64_bit_number(name, value):
    """All ones, for everybody, is one too."""
    assert getattr(Message(**({"receiver": 5} | {name: BROADCAST})), name) == BROADCAST
    with pytest.raises(ValidationError, match=name):
        Message(**({"receiver": 5} | {name: value}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reply_by", -1),
        ("reply_by", 2**63),
        ("reply_by", 1.5),
        ("reply_by", True),
        ("performative", "tell"),
        ("performative", ""),
        ("performative", True),
        ("performative", 7.0),
        ("performative", 22),
        ("performative", -1),
        ("performative", None),
        ("conversation_id", MessageId(bytes(16))),
        ("conversation_id", bytes(16)),
        ("reply_with", ConversationId(bytes(16))),
        ("in_reply_to", "x"),
        ("delivery_options", None),
        ("delivery_options", {}),
    ],
    ids=str,
)
def test_a_value_of_the_wrong_kind_is_refused_by_name(name, value):
    """Before anything is sent."""
    with pytest.raises(ValidationError, match=name):
        Message(5, **{name: value})


@pytest.mark.parametrize("text", ["query-ref", "QUERY_REF", "Query-Ref", 15, Performative.QUERY_REF], ids=str)
def test_a_performative_may_be_given_by_its_name(text):
    """FIPA's name, the member's, and the number mean the same."""
    assert Message(5, performative=text).performative is Performative.QUERY_REF


def test_a_misspelt_performative_is_told_the_nearest():
    """Whoever mistypes an act is told which one was meant."""
    with pytest.raises(ValidationError, match="is 'request' meant"):
        Message(5, performative="requests")


@pytest.mark.parametrize(("length", "compared"), [(40, True), (41, False)])
def test_what_is_too_long_for_a_slip_is_compared_with_no_act(monkeypatch, length, compared):
    """No act is near to it anyhow, and whoever sends thousands of these would keep others waiting."""
    seen = []
    monkeypatch.setattr(fields, "get_close_matches", lambda word, *_: seen.append(word) or [])
    with pytest.raises(ValidationError, match="is not one of FIPA's 22 acts"):
        Message(5, performative="x" * length)
    assert bool(seen) is compared


def test_a_name_as_a_receiver_is_told_where_ids_come_from():
    """A message is made without a runtime, so it cannot look up a name."""
    with pytest.raises(ValidationError, match="gives the id of a name"):
        Message("echo", b"")


def test_a_failure_of_the_runtime_tells_its_error():
    """What the runtime says went wrong is an error of the tree, also when it cannot be read."""
    told = Message.of(Envelope(bytes(16), Performative.FAILURE, 9, 5, report(QueueFull("a", 1, 2)), flags=AUTOMATIC))
    damaged = Message.of(Envelope(bytes(16), Performative.FAILURE, 9, 5, b"damaged", flags=AUTOMATIC))

    assert to_fields(told.failure()) == {"receiver": "a", "depth": 1, "capacity": 2}
    assert type(told.failure()) is QueueFull
    assert type(damaged.failure()) is InvalidMessageFormat


def test_a_message_that_does_not_fit_is_told_of_with_its_error():
    """The runtime's not-understood says in which way an agent broke a protocol."""
    wrong = ProtocolViolation("fipa-request", "participant", "asked", "propose", "inform", "it is not the turn for it")
    told = Message.of(Envelope(bytes(16), Performative.NOT_UNDERSTOOD, 9, 5, report(wrong), flags=AUTOMATIC))

    assert str(told.failure()) == str(wrong)


def test_no_other_message_tells_of_a_failure():
    """What an agent sends as a failure is its own, and what is no failure tells of none."""
    content = report(QueueFull("a", 1, 2))

    assert Message(5, content, performative=Performative.FAILURE).failure() is None
    assert Message(5, content, performative=Performative.NOT_UNDERSTOOD).failure() is None
    assert Message.of(Envelope(bytes(16), Performative.INFORM, 9, 5, content, flags=AUTOMATIC)).failure() is None


def test_a_stamped_envelope_is_shown_as_it_is():
    """What the runtime stamped can be read."""
    envelope = Envelope(b"i" * 16, 4, 9, 5, b"c", created_at=17)
    message = Message.of(envelope)
    assert (message.sender, message.message_id, message.created_at) == (AgentId(9), MessageId(b"i" * 16), 17)


def test_a_message_is_shown_short():
    """Ten megabytes do not go into a log."""
    assert len(repr(Message(5, bytes(MAX_CONTENT)))) < 300
    assert repr(Message(5, b"hello")) == "Message(inform to 0000000000000005, 5 bytes: b'hello')"

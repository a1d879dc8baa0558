import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from caxton.acl.capability import Capability
from caxton.acl.conversation_limits import ConversationLimits
from caxton.acl.json_form import FIELDS, message_values, read_message
from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions
from caxton.acl.performative import Performative
from caxton.errors import CaxtonError, InvalidMessageFormat, ValidationError
from caxton.ids import AgentId, ConversationId, MessageId

ID = MessageId(bytes(15) + b"\7")
PLAIN = {"performative": "inform", "receiver": "0000000000000005"}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)


def full():
    message = Message(
        AgentId(1234),
        b"price",
        performative="query-ref",
        language="json",
        encoding="utf-8",
        ontology="o",
        protocol="p",
        conversation_id=ConversationId(bytes(15) + b"\1"),
        reply_with=ID,
        in_reply_to=ID,
        reply_to=AgentId(9),
        reply_by=17,
        trace_context="t",
        receiver_name="anna",
        delivery_options=DeliveryOptions(
            reliability="at_least_once",
            priority=8,
            timeout_ms=5_000,
            idempotency_key="k",
            receipt=True,
            max_hops=5,
            expires_at=99,
            conversation=ConversationLimits(max_turns=7),
        ),
    )
    return Message.of(replace(message.envelope, message_id=bytes(ID), sender=8, created_at=1_700))


def test_the_form_of_a_message_is_the_one_that_is_documented():
    """Every field by FIPA's name, ids as text, the act in lower case, what says nothing left out."""
    values = json.loads(json.dumps(message_values(full())))

    assert values["performative"] == "query-ref"
    assert values["receiver"] == "00000000000004d2"
    assert values["sender"] == "0000000000000008"
    assert values["reply_with"] == str(ID)
    assert values["content"] == "price"
    assert values["delivery_options"]["priority"] == 8
    assert set(values) == set(FIELDS)
    assert message_values(Message(5)) == PLAIN | {"content": ""}


def test_content_that_is_no_text_is_base64():
    """Binary content has a form of its own, and comes back to the byte."""
    values = message_values(Message(5, b"\xff\0"))

    assert values["content"] == {"base64": "/wA="}
    assert read_message(values).content == b"\xff\0"


def test_what_was_written_is_read_as_the_same_message():
    """A message comes back equal, its stamps included, from text, bytes and values."""
    values = message_values(full())

    for form in (values, json.dumps(values), json.dumps(values).encode()):
        assert read_message(form) == full()


@given(
    st.binary(max_size=40),
    st.sampled_from(Performative),
    st.none() | st.text(max_size=20),
    st.integers(1, (1 << 63) - 2_000),
)
def test_every_message_comes_back(content, act, protocol, receiver):
    """Whatever content, act and text, writing and reading change nothing."""
    message = Message(receiver, content, performative=act, protocol=protocol)

    assert read_message(json.dumps(message_values(message))) == message


def test_a_message_to_a_capability_comes_back():
    """Who is not chosen yet is named by what is to be done."""
    message = Message(Capability("a", "b", balancing="weighted"), b"")
    values = message_values(message)

    assert values["receiver"] == {"capability": ["a", "b"], "balancing": "weighted"}
    assert read_message(values) == message
    assert message_values(Message(Capability("a")))["receiver"] == {"capability": ["a"]}
    sent = Message.of(replace(message.envelope, receiver=5))
    assert message_values(sent)["receiver"] == "0000000000000005"  # for whom an agent was chosen by now


def test_other_spellings_are_read():
    """Fields with hyphens, acts in capitals with underscores, null for what is not there."""
    form = {"performative": "QUERY_REF", "receiver": "0" * 15 + "5", "reply-with": str(ID), "in-reply-to": None}
    form |= {"delivery-options": {"timeout-ms": 5_000}}

    message = read_message(form)

    assert message.performative is Performative.QUERY_REF
    assert message.reply_with == ID
    assert message.delivery_options.timeout_ms == 5_000


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"performative": None}, "performative: it is missing"),
        ({"receiver": None}, "receiver: it is missing"),
        ({"performative": "shout"}, "FIPA's 22 acts"),
        ({"performative": 7}, "performative: 7 is not text"),
        ({"receiver": 5}, "receiver: 5 is not text"),
        ({"receiver": "anna"}, "receiver: .*16 hex digits"),
        ({"receiver": {"capability": "a"}}, "receiver: "),
        ({"receiver": {"capability": ["a"], "all": 1}}, "receiver: "),
        ({"reply_with": "x"}, "reply_with: "),
        ({"sender": "0"}, "sender: "),
        ({"message_id": 5}, "message_id: "),
        ({"created_at": "now"}, "created_at: "),
        ({"created_at": True}, "created_at: "),
        ({"content": 5}, "content: 5 is neither text nor"),
        ({"content": {"base64": "%"}}, "content: its base64 cannot be read"),
        ({"content": {"base64": "/wA=", "more": 1}}, "content: "),
        ({"content": "\ud800"}, "content: "),
        ({"reply_too": "x"}, "is 'reply_to' meant"),
        ({"reply-to": "x", "reply_to": "x"}, "reply_to: it is there twice"),
        ({"delivery_options": []}, "delivery_options: "),
        ({"delivery_options": {"speed": 1}}, "'speed' is none of them"),
        ({"delivery_options": {"timeout_ms": "1"}}, "delivery_options: Expected `int`"),
    ],
)
def test_what_does_not_fit_is_named(changed, problem):
    """Each mistake is an error with the field and the reason."""
    with pytest.raises(ValidationError, match=problem):
        read_message(PLAIN | changed)


@pytest.mark.parametrize("form", [b"", b"{", b"[]", "7", "\ud800", b"\xff", b"[" * 100_000, 5])
def test_what_is_no_object_of_json_is_no_message(form):
    """Anything else than an object is refused as one error."""
    with pytest.raises(InvalidMessageFormat):
        read_message(form)


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=9), JSON_VALUES, max_size=5))
def test_whatever_is_read_is_a_message_or_a_typed_error(values):
    """No form of JSON makes anything else happen."""
    try:
        read_message(json.dumps(PLAIN | values))
    except CaxtonError:
        return


@pytest.mark.parametrize(
    ("content", "is_text"),
    [
        (b"\0", True),
        (b"\x1b[31mred\x1b[0m", True),
        (b"\0" * 100, False),
        (b"\0" + b"a" * 200, True),
        (b'"' * 300, True),
        (b"\n" * 300, True),
        (b"\x7f" * 300, True),
        (b"\x01ab" * 300, False),
        (b"\xff", False),
    ],
)
def test_content_is_text_where_that_is_not_much_longer(content, is_text):
    """Bytes that happen to be UTF-8, such as zeros, are not told six characters for each; all are read as they were."""
    values = message_values(Message(AgentId(5), content))

    assert isinstance(values["content"], str) == is_text
    assert read_message(values).content == content

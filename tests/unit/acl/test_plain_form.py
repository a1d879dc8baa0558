"""Plain messages of JSON, read at once: whatever is read so is what a closer look reads."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.acl import plain_form
from caxton.acl.json_form import FIELDS, message_values, read_message
from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions
from caxton.acl.performative import Performative
from caxton.acl.plain_form import PlainForms
from caxton.errors import ValidationError
from caxton.ids import AgentId, ConversationId, MessageId

ID = "01890000-0000-7000-8000-000000000001"
AGENT = "0000000000000005"


def id_of(name):
    """Stand in for the ids of names, of which none is empty or loud."""
    if not name or name.isupper():
        raise ValidationError("agent", f"{name!r} is no name")
    return AgentId(1 + len(name))


def plainly(raw, performative=Performative.INFORM):
    return PlainForms(id_of, performative).read(raw)


def closely(raw):
    values = json.loads(raw)
    if not isinstance(values, dict):
        raise ValidationError("message", "it is no object")
    values.setdefault("performative", "inform")
    if values.get("receiver") is None and isinstance(values.get("receiver_name"), str):
        values["receiver"] = str(id_of(values["receiver_name"]))
    return read_message(values)


@pytest.mark.parametrize(
    "form",
    [
        {"receiver_name": "a"},
        {"receiver": AGENT},
        {"receiver": AGENT, "receiver_name": "a", "content": "é", "performative": "QUERY_REF"},
        {"receiver_name": "a", "content": {"base64": "AAEC/w=="}},
        {"receiver_name": "a", "delivery_options": {"reliability": "at_most_once", "priority": 8}},
        {"receiver_name": "a", "conversation_id": ID, "reply_with": ID, "in_reply_to": ID, "reply_to": AGENT},
        {"receiver_name": "a", "protocol": "p", "language": "l", "encoding": "e", "ontology": "o"},
        {"receiver_name": "a", "trace_context": "t", "language": None, "reply_to": None},
    ],
)
def test_what_most_messages_say_is_read_at_once(form):
    """And is the message that a closer look finds."""
    raw = json.dumps(form).encode()
    assert plainly(raw) == closely(raw)
    assert plainly(raw).performative == closely(raw).performative


def test_every_message_that_a_client_sends_is_plain():
    """From another machine, as far as it says nothing unusual: ids, content of bytes, options."""
    message = Message(
        AgentId(5),
        bytes(range(256)),
        performative="cfp",
        conversation_id=ConversationId.parse(ID),
        reply_with=MessageId.parse(ID),
        receiver_name="a",
        delivery_options=DeliveryOptions(idempotency_key="k", receipt=True),
    )
    assert plainly(json.dumps(message_values(message)).encode()) == message


def test_what_says_nothing_else_has_the_act_that_is_usual_there():
    """A request where requests are read; whatever is said counts."""
    assert plainly(b'{"receiver_name": "a"}', Performative.REQUEST).performative is Performative.REQUEST
    said = plainly(b'{"receiver_name": "a", "performative": "cancel"}', Performative.REQUEST)
    assert said.performative is Performative.CANCEL


VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-1, 1 << 64)
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from([AGENT, ID, f"{{{ID}}}", "inform", "QUERY_REF", "", "A", "x" * 256, "\ud800"])
    | st.sampled_from(
        [
            {},
            {"base64": "AA=="},
            {"base64": "A"},
            {"base64": "AA==", "x": 1},
            {"capability": ["c"]},
            {"reliability": "at_most_once"},
            {"reliability": "loud"},
            {"idempotency-key": "k"},
            {"priority": 8, "timeout_ms": 5},
            [],
            ["c"],
        ]
    )
)
NAMES = st.sampled_from([*FIELDS, "reply-to", "conversation-id", "colour"])


@given(st.dictionaries(NAMES, VALUES, max_size=5), st.booleans())
def test_whatever_is_read_at_once_is_what_a_closer_look_reads(form, is_named):
    """Where that finds something wrong, nothing is read at once."""
    raw = json.dumps(form | ({"receiver_name": "a"} if is_named else {})).encode()
    message = plainly(raw)
    if message is not None:
        assert message == closely(raw)
        assert message.envelope == closely(raw).envelope


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"5", b'{"receiver_name": "\xc3"}', b"[" * 5_000, b'{"content":' + b"[" * 5_000]
)
def test_what_is_no_message_is_left_to_a_closer_look(raw):
    """Nothing is raised for it here."""
    assert plainly(raw) is None


def test_names_and_options_that_come_again_are_read_once(monkeypatch):
    """As many as are remembered, and no more; one that is wrong is asked again."""
    monkeypatch.setattr(plain_form, "REMEMBERED", 2)
    asked = []

    def counted(name):
        asked.append(name)
        return id_of(name)

    forms = PlainForms(counted, Performative.INFORM)
    for name in ("a", "bb", "a", "ccc", "bb", "A", "A"):
        forms.read(json.dumps({"receiver_name": name}))
    assert asked == ["a", "bb", "ccc", "bb", "A", "A"]


def test_options_that_take_much_room_are_not_remembered():
    """They are left to a closer look, however they are filled."""
    most = plain_form.OPTIONS_BYTES
    raw = b'{"receiver_name": "a", "delivery_options": {"priority": 8%s}}'
    room = most - len(b'{"priority": 8}')
    assert plainly(raw % (b" " * room)).delivery_options.priority == 8
    assert plainly(raw % (b" " * (room + 1))) is None

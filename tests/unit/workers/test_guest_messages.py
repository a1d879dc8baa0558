import contextlib
import tracemalloc

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from caxton.acl.envelope import AUTOMATIC, DURABLE, Envelope, Rare
from caxton.acl.message import Message
from caxton.acl.performative import ACTS
from caxton.agents.limits import MAX_STATE
from caxton.errors import InvalidMessageFormat, ResourceLimitExceeded
from caxton.ids import BROADCAST, SESSION_BIT, AgentNames
from workers.sandbox import guest_messages
from workers.sandbox.guest_messages import GuestOutput, answer_to, to_guest

NAMES = AgentNames(bytes(32))
UUID = st.binary(min_size=16, max_size=16)
TEXT = st.text(max_size=255)
NUMBER = st.integers(0, BROADCAST)
SOMEBODY = st.integers(1, BROADCAST - 1)
HANDLED = Envelope(bytes(16), 18, 5, 6, b"", b"w" * 16, None, b"c" * 16, 1, level=8)
FIELDS = {
    "performative": st.sampled_from(ACTS),
    "content": st.binary(max_size=50),
    "reply_with": UUID,
    "in_reply_to": UUID,
    "conversation_id": UUID,
    "language": TEXT,
    "encoding": TEXT,
    "ontology": TEXT,
    "protocol": TEXT,
    "reply_to": SOMEBODY,
    "reply_by": NUMBER,
}
JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5) | st.binary(max_size=17),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
pack = msgspec.msgpack.encode


def turn(raw, handled=HANDLED, most=256, output=None, most_bytes=1_000_000):
    ids = iter(range(10_000))
    reader = output or GuestOutput(NAMES)
    return reader.read(raw, handled, 77, most, lambda: next(ids).to_bytes(16, "big"), 1_234, most_bytes)


def read(*arguments, **others):
    return turn(*arguments, **others)[0]


@given(fields=st.fixed_dictionaries({"receiver": SOMEBODY | st.text(min_size=1, max_size=200)}, optional=FIELDS))
def test_what_a_guest_sends_arrives(fields):
    """Every FIPA field that a guest writes is in the message; sender, id and time are the runtime's."""
    (envelope,) = read(pack({"messages": [fields]}))
    message = Message.of(envelope)
    receiver = fields.pop("receiver")

    assert envelope.receiver == (NAMES.id_of(receiver) if isinstance(receiver, str) else receiver)
    assert (envelope.sender, envelope.created_at, envelope.message_id, envelope.level) == (77, 1_234, bytes(16), 8)
    assert message.performative.act == fields.pop("performative", "inform")
    assert message.content == fields.pop("content", b"")
    for name, value in fields.items():
        shown = getattr(message, name)
        assert (bytes(shown) if isinstance(value, bytes) else shown) == value


@given(
    fields=st.fixed_dictionaries({}, optional={n: v for n, v in FIELDS.items() if n != "performative"}),
    act=st.integers(0, 21),
    sender=SOMEBODY,
    receiver=SOMEBODY,
)
def test_what_a_guest_reads_is_the_message(fields, act, sender, receiver):
    """A guest reads a map of the fields that are set, under FIPA's names."""
    rare = Rare(**{name: fields.get(name) for name in Rare.__struct_fields__ if name in FIELDS})
    plain = {name: fields.get(name) for name in ("reply_with", "in_reply_to", "conversation_id")}
    content = fields.pop("content", b"")
    found = msgspec.msgpack.decode(
        to_guest(Envelope(b"i" * 16, act, sender, receiver, content, **plain, rare=rare if fields else None))
    )

    always = {"performative": ACTS[act], "sender": sender, "receiver": receiver, "content": content}
    assert found == always | {"message_id": b"i" * 16} | fields


@given(deliveries=st.integers(1, 2**32))
def test_a_guest_reads_how_often_a_message_was_delivered(deliveries):
    """A message that may have been tried before says how often it was delivered, and a first delivery says nothing."""
    found = msgspec.msgpack.decode(to_guest(HANDLED, deliveries))

    assert found.pop("delivery_count", 1) == deliveries
    assert found == msgspec.msgpack.decode(to_guest(HANDLED))
    assert "delivery_count" not in found


@given(
    state=st.none() | st.binary(max_size=5_000),
    receivers=st.none() | st.lists(SOMEBODY, max_size=5),
)
@example(state=bytes(range(256)) * 256, receivers=[1])
@example(state=b"", receivers=None)
def test_a_turn_returns_its_state(state, receivers):
    """Whatever bytes a guest returns as its state come out as they are, beside its messages; none is no change."""
    messages = {} if receivers is None else {"messages": [{"receiver": receiver} for receiver in receivers]}
    envelopes, found = turn(pack(messages | {"state": state}))

    assert found == state
    assert [envelope.receiver for envelope in envelopes] == (receivers or [])
    assert turn(pack(messages))[1] is None


@pytest.mark.parametrize("excess", [1, 1_000_000])
def test_a_state_beyond_its_limit_is_refused(excess):
    """A state of 64 KiB is taken, and one byte more is refused with the agent, the limit and the size."""
    assert turn(pack({"state": bytes(65_536)}))[1] == bytes(65_536)
    with pytest.raises(ResourceLimitExceeded, match=rf"state of 65536.*{65_536 + excess} bytes") as raised:
        turn(pack({"messages": [{"receiver": 3}], "state": bytes(MAX_STATE + excess)}))
    assert (raised.value.resource, raised.value.limit) == ("state", 65_536)


@pytest.mark.parametrize("state", ["text", 5, [1], {"a": b"b"}, True])
def test_a_state_that_is_no_bytes_is_invalid(state):
    """A state of another type than bytes makes the whole output invalid."""
    with pytest.raises(InvalidMessageFormat, match="state"):
        turn(pack({"messages": [{"receiver": 3}], "state": state}))


@given(flags=st.sampled_from([0, AUTOMATIC, DURABLE, AUTOMATIC | DURABLE]))
def test_messages_are_durable_if_the_one_handled_is(flags):
    """What an agent sends while it handles a durable message is durable, and never automatic, whatever it writes."""
    messages = [{"receiver": 3}, {"receiver": "somebody", "flags": 7}, {}]
    handled = Envelope(bytes(16), 18, 5, 6, b"", flags=flags)

    assert [envelope.flags for envelope in read(pack({"messages": messages}), handled)] == [flags & DURABLE] * 3


def test_a_message_without_receiver_is_the_answer():
    """Without a receiver a message goes to whom the handled one wants answers sent, and carries what it asked for."""
    (answer,) = read(pack({"messages": [{}]}))
    assert (answer.receiver, answer.in_reply_to, answer.conversation_id) == (5, b"w" * 16, b"c" * 16)

    redirected = Envelope(bytes(16), 18, 5, 6, b"", b"w" * 16, rare=Rare(reply_to=9))
    (answer,) = read(pack({"messages": [{"in_reply_to": b"x" * 16}]}), redirected)
    assert (answer.receiver, answer.in_reply_to, answer_to(redirected)) == (9, b"x" * 16, 9)


def test_what_a_guest_claims_of_itself_is_ignored():
    """Sender, message id, time, level and flags of a guest's own are not believed."""
    forged = {"sender": SESSION_BIT, "message_id": b"f" * 16, "created_at": 9, "level": 10, "flags": 1, "timeout_ms": 1}
    (envelope,) = read(pack({"messages": [{"receiver": 3, **forged}]}))

    assert envelope == Envelope(bytes(16), 7, 77, 3, b"", created_at=1_234, level=8)


@pytest.mark.parametrize(
    "fields",
    [
        {"receiver": 0},
        {"receiver": BROADCAST},
        {"receiver": ""},
        {"receiver": "n" * 201},
        {"receiver": -1},
        {"receiver": 1.5},
        {"receiver": 3, "performative": "explode"},
        {"receiver": 3, "content": "text"},
        {"receiver": 3, "reply_with": b"short"},
        {"receiver": 3, "language": "l" * 256},
        {"receiver": 3, "reply_to": 0},
        {"receiver": 3, "reply_to": -5},
        [],
        None,
    ],
)
def test_what_breaks_a_rule_is_invalid(fields):
    """A message that breaks a rule of its fields makes the whole output invalid."""
    with pytest.raises(InvalidMessageFormat):
        read(pack({"messages": [{"receiver": 3}, fields]}))


@given(raw=st.binary(max_size=100) | JSONISH.map(pack) | JSONISH.map(lambda v: pack({"messages": v})))
@example(b"\x91" * 100_000)
@example(b"\x81\xa8messages" + b"\x91" * 100_000)
@example(b"\x81\x81\xa8messages\x90\x90")
@example(b"\x81\xa8messages\xdd\xff\xff\xff\xff")
def test_hostile_bytes_are_invalid_and_nothing_else(raw):
    """Whatever bytes a guest returns, they are its messages, or InvalidMessageFormat, or too many of them."""
    with contextlib.suppress(InvalidMessageFormat, ResourceLimitExceeded):
        assert isinstance(read(raw), list)


def test_too_many_messages_are_refused_before_they_are_decoded():
    """Of 257 messages or more none is decoded: what they hold is not even looked at, and costs no memory."""
    garbage = b"\x81\xa8messages\xdc\x01\x01" + b"\xc1" * 300
    with pytest.raises(ResourceLimitExceeded, match="max_output_messages of 256"):
        read(garbage)

    many = pack({"messages": [{"receiver": 3, "content": b"x" * 100}] * 60_000})
    tracemalloc.start()
    try:
        with pytest.raises(ResourceLimitExceeded, match="max_output_messages of 256"):
            read(many)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_the_agents_own_limit_holds():
    """An agent whose limit is lower than 256 may send so many, and not one more."""
    raw = pack({"messages": [{"receiver": 3}] * 5})
    assert len(read(raw, most=5)) == 5
    with pytest.raises(ResourceLimitExceeded, match="max_output_messages of 4"):
        read(raw, most=4)


@pytest.mark.parametrize(
    ("handled", "answered"), [("fipa-request", "fipa-request"), ("ours", "ours"), ("caxton:escalation", None)]
)
def test_an_answer_follows_the_protocol_of_what_it_answers(handled, answered):
    """But for the runtime's own word, which nobody else may say."""
    told = Envelope(bytes(16), 18, 5, 6, b"", rare=Rare(protocol=handled))
    (answer,) = read(pack({"messages": [{"content": b"x"}]}), told)
    assert (answer.receiver, answer.rare and answer.rare.protocol) == (5, answered)


def test_a_list_of_receivers_is_a_message_to_each():
    """In order, among the others, each with an id of its own; names and ids may stand beside each other."""
    each = {"receiver": [3, "tally", 4], "content": b"x", "protocol": "p"}
    sent = read(pack({"messages": [{"receiver": 1}, each, {"receiver": 2}]}))

    assert [e.receiver for e in sent] == [1, 3, NAMES.id_of("tally"), 4, 2]
    assert len({e.message_id for e in sent}) == 5
    assert {(e.content, e.rare.protocol) for e in sent[1:4]} == {(b"x", "p")}


@pytest.mark.parametrize("receiver", [[], [3] * 257, [0], [[3]], [None], [""], [BROADCAST]], ids=lambda to: str(to)[:9])
def test_a_list_of_other_things_is_refused(receiver):
    """Nobody, too many, or what can be no agent: nothing of the turn is sent."""
    with pytest.raises(InvalidMessageFormat):
        read(pack({"messages": [{"receiver": receiver}]}))


def test_lists_count_as_what_they_become():
    """Against the agent's limits, of messages and of bytes, before anything is made of them."""
    three = {"receiver": [3, 4, 5], "content": b"four"}
    assert len(read(pack({"messages": [three, {"receiver": 6}]}), most=4, most_bytes=12)) == 4
    for messages, most, most_bytes, what in (
        ([three], 2, 99, "max_output_messages of 2"),
        ([three, {"receiver": 6}], 3, 99, "max_output_messages of 3"),
        ([three], 9, 11, "max_output_bytes of 11"),
        ([three, three], 9, 23, "max_output_bytes of 23"),
    ):
        with pytest.raises(ResourceLimitExceeded, match=what):
            read(pack({"messages": messages}), most=most, most_bytes=most_bytes)


def test_no_output_is_no_message():
    """An empty map, and an empty list of messages, send nothing."""
    assert read(pack({})) == read(pack({"messages": []})) == []


def test_names_are_kept_within_a_bound(monkeypatch):
    """Names are hashed once and kept, and never more than the bound of them."""
    monkeypatch.setattr(guest_messages, "_MOST_NAMES", 10)
    output = GuestOutput(NAMES)
    for number in range(35):
        for _ in range(2):
            (envelope,) = read(pack({"messages": [{"receiver": f"n{number}"}]}), output=output)
            assert envelope.receiver == NAMES.id_of(f"n{number}")
        assert len(output._known) <= 10

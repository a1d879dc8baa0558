"""What users hold are values: copied, pickled by others, sent through a pool of processes, and compared."""

import copy
import multiprocessing
import pickle  # noqa: TID251 (what others do with our values; nothing of ours decodes with it)
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from typing import get_type_hints

import msgspec
import pytest

from caxton.acl.envelope import MAX_CONTENT, Envelope
from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions, Lane, Level
from caxton.acl.performative import Performative
from caxton.agents.deployment import Deployment
from caxton.agents.limits import Limits
from caxton.client.attached.turns import Delivered
from caxton.client.calls.letter_number import LetterNumber
from caxton.client.routes.receipts import Receipt
from caxton.errors import BY_NAME, InvalidMessageFormat, QueueFull, ValidationError, to_fields
from caxton.ids import AgentId, ConversationId, MessageId, NodeId
from caxton.wire.calls import AgentView, DeadLetter, Failed

RAW = bytes(range(16))
SENT = Message.of(Envelope(RAW, 18, 9, 5, b"hello", RAW, created_at=7, flags=2))
FULL = Message(
    AgentId(5),
    b"hello",
    performative=Performative.QUERY_REF,
    language="en",
    conversation_id=ConversationId(RAW),
    reply_with=MessageId(RAW),
    reply_to=AgentId(6),
    delivery_options=DeliveryOptions(priority=Level.HIGH, max_retries=2, idempotency_key="key"),
)
VALUES = [
    SENT,
    FULL,
    AgentId(5),
    MessageId(RAW),
    ConversationId(RAW),
    NodeId(RAW),
    Performative.CFP,
    Lane.DURABLE,
    Level.LOW,
    DeliveryOptions(reliability="at_least_once", priority=Level.LOW, idempotency_key="key"),
    Limits(max_fuel=10_000),
    Receipt(RAW, Lane.DURABLE),
    Delivered(FULL, 2),
    Deployment("echo", b"\0asm", capabilities=("talk",), limits=Limits()),
    LetterNumber(1, 17),
    AgentView(5, "echo", "running", 0, "content", (), {}, RAW, True, 0, {}),
    DeadLetter(1, 0, "poison", Failed("QueueFull", {}), 1, 2, 3, SENT.envelope),
]
HASHED = [value for value in VALUES if not isinstance(value, AgentView | DeadLetter)]  # those hold dicts and envelopes
JOURNEYS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda value, protocol=protocol: pickle.loads(pickle.dumps(value, protocol))  # noqa: S301 (ours)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}
FIELDS = {str: "text", str | None: "text", int: 5, float: 0.5, tuple[str, ...]: ("a", "b")}


def with_packed(message, envelope):
    """What a pickled message becomes when somebody changes the bytes in it."""
    make, (kind, _) = message.__reduce__()
    return make(kind, msgspec.msgpack.encode(envelope))


@pytest.mark.parametrize("go", JOURNEYS.values(), ids=JOURNEYS)
@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_comes_back_equal_from_a_copy_and_from_a_pickle(value, go):
    """It is of the same type, equal, and shown in the same way."""
    found = go(value)

    assert type(found) is type(value)
    assert found == value
    assert repr(found) == repr(value)


@pytest.mark.parametrize("go", JOURNEYS.values(), ids=JOURNEYS)
@pytest.mark.parametrize("kind", BY_NAME.values(), ids=BY_NAME)
def test_an_error_travels_with_its_fields_and_notes(kind, go):
    """Every error of the tree comes back with what it says, by whichever way its fields were given."""
    values = {f.name: FIELDS[get_type_hints(kind)[f.name]] for f in fields(kind)}
    for error in (kind(**values), kind(*values.values())):
        error.add_note("while sending")
        found = go(error)

        assert type(found) is kind
        assert to_fields(found) == values
        assert str(found) == str(error)
        assert found.__notes__ == ["while sending"]


def test_a_copied_error_has_notes_of_its_own():
    """What is noted on a copy is not noted on the original."""
    error = QueueFull("a", 1, 1).with_context("first")
    copy.copy(error).add_note("second")

    assert error.__notes__ == ["first"]


@pytest.mark.parametrize("value", HASHED, ids=lambda value: type(value).__name__)
def test_equal_values_are_one_in_a_set(value):
    """What is equal has one hash, so values are keys."""
    assert len({value, copy.deepcopy(value)}) == 1


def test_a_message_does_not_change_after_a_journey():
    """A copy is as closed as what it was made of."""
    for go in JOURNEYS.values():
        with pytest.raises(AttributeError, match="does not change"):
            go(FULL).content = b"other"


@pytest.mark.parametrize(
    "packed",
    [
        Envelope(RAW, 22, 9, 5, b""),
        Envelope(RAW[:15], 7, 9, 5, b""),
        Envelope(RAW, 7, 9, 0, b""),
        Envelope(RAW, 7, 9, 5, b"", level=11),
        Envelope(RAW, 7, 9, 5, bytes(MAX_CONTENT + 1)),
        "no envelope",
    ],
    ids=["performative", "id", "receiver", "level", "content", "text"],
)
def test_a_message_out_of_bounds_does_not_come_out_of_a_pickle(packed):
    """What a message may not be when it is made, it may not be when it comes back."""
    with pytest.raises(InvalidMessageFormat):
        with_packed(SENT, packed)


def test_other_values_are_checked_when_they_come_back():
    """Options and limits are made anew, by the same checks."""
    for value in (DeliveryOptions(), Limits()):
        made = msgspec.structs.replace(value)
        msgspec.structs.force_setattr(made, "timeout_ms" if isinstance(value, DeliveryOptions) else "max_fuel", -1)
        with pytest.raises(ValidationError):
            pickle.loads(pickle.dumps(made))  # noqa: S301 (made here)


def test_a_message_goes_through_a_pool_of_processes_and_back():
    """A program that shares its work among processes passes them messages."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(copy.copy, FULL).result(60) == FULL

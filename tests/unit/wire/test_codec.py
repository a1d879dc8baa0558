"""Frames come back as they went, and strange bytes raise InvalidMessageFormat and nothing else."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caxton.acl.envelope import (
    DURABLE,
    MAX_CONTENT,
    MAX_HOPS,
    MAX_PRINCIPAL,
    MAX_WORK,
    MOST_TRIED,
    MOST_WAITERS,
    Cause,
    Envelope,
    Rare,
    Waiters,
)
from caxton.agents.manifest import Manifest
from caxton.errors import InvalidMessageFormat
from caxton.placement.slot_table import SlotTable
from caxton.wire import codec
from caxton.wire.calls import (
    Agents,
    AgentView,
    AskDeadLetterStats,
    AskLedger,
    Attach,
    DeadLetter,
    DeadLetterFigures,
    DeadLetterFilter,
    DeadLetters,
    Deliveries,
    Deploy,
    Deployed,
    Detach,
    Done,
    Ended,
    Exchange,
    Failed,
    Inspect,
    ListAgents,
    ListDeadLetters,
    PauseAgent,
    Purged,
    PurgeDeadLetters,
    RemoveAgents,
    Requeued,
    RequeueDeadLetters,
    ResumeAgent,
    StopAgent,
)
from caxton.wire.control import Answer, AskBeat, Call, Drain, Heartbeat, Hello, LogFrom, SessionEnded, Topology
from caxton.wire.delivery import AskSeal, Delivery, Sealed
from caxton.wire.frames import MAX_FRAME_BYTES, MAX_FRAME_MESSAGES, VERSION, DataFrame, PackedFrame
from caxton.wire.link_state import LinkState, Refusal
from caxton.wire.shard_ledger import ShardLedger
from caxton.wire.supervision import SupervisorAnswer, Told

CODECS = {
    "data": codec.DATA,
    "control": codec.CONTROL,
    "supervisor call": codec.SUPERVISOR_CALL,
    "supervisor answer": codec.SUPERVISOR_ANSWER,
}
MARK = bytes(range(16))
ID = st.integers(0, 2**64 - 1)
SMALL = st.integers(0, 2**63 - 1)
UUID = st.binary(min_size=16, max_size=16)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=255)
RARE = st.builds(
    Rare,
    language=st.none() | TEXT,
    encoding=st.none() | TEXT,
    ontology=st.none() | TEXT,
    protocol=st.none() | TEXT,
    reply_to=st.none() | ID,
    reply_by=st.none() | SMALL,
    trace_context=st.none() | TEXT,
    max_retries=st.integers(0, 10),
    capability=st.none() | TEXT,
    tried=st.lists(ID, max_size=MOST_TRIED).map(tuple),
    receiver_name=st.none() | TEXT,
    expires_at=st.none() | SMALL,
    receipt=st.booleans(),
    max_hops=st.integers(0, MAX_HOPS),
    max_work=st.integers(0, MAX_WORK),
)
CAUSE = st.builds(
    Cause,
    hops=SMALL,
    root=UUID,
    principal=st.text(st.characters(exclude_categories=["Cs"]), max_size=MAX_PRINCIPAL),
    most_hops=st.integers(0, MAX_HOPS),
    most_work=st.integers(0, MAX_WORK),
    waiters=st.none() | st.builds(Waiters, deliveries=st.lists(UUID, max_size=3).map(tuple), seal=st.just(b"") | UUID),
)
ENVELOPE = st.builds(
    Envelope,
    message_id=UUID,
    performative=st.integers(0, 21),
    sender=ID,
    receiver=ID,
    content=st.binary(max_size=300),
    reply_with=st.none() | UUID,
    in_reply_to=st.none() | UUID,
    conversation_id=st.none() | UUID,
    created_at=SMALL,
    level=st.integers(1, 10),
    timeout_ms=st.integers(0, 300_000),
    flags=st.integers(0, 255),
    rare=st.none() | RARE,
    cause=st.none() | CAUSE,
)
DATA_FRAME = st.builds(
    DataFrame,
    source=ID,
    mark=UUID,
    target=ID,
    lane=st.integers(0, 1),
    first=st.integers(1, 2**63 - 1),
    resent=st.booleans(),
    messages=st.lists(ENVELOPE, min_size=1, max_size=5),
)
FIELDS = st.dictionaries(TEXT, TEXT | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.lists(TEXT))
REFUSAL = st.builds(Refusal, sequence=SMALL, count=st.integers(1, 2**63 - 1), error=TEXT, fields=FIELDS)
LINK_STATE = st.builds(
    LinkState,
    source=ID,
    mark=UUID,
    target=ID,
    lane=st.integers(0, 1),
    number=SMALL,
    closed=TEXT,
    taken=SMALL,
    credit_messages=SMALL,
    credit_bytes=SMALL,
    refusals_from=SMALL,
    refusals=st.lists(REFUSAL, max_size=5),
    full=st.lists(ID, max_size=20),
    emitted=SMALL,
    refusals_seen=SMALL,
)
MANIFEST = Manifest("echo", bytes(32), capabilities=("a", "b"))
VIEW = AgentView(5, "echo", "running", 0, "content", ("a",), {"max_fuel": 1}, bytes(32), True, 0, {"run": 1})
FAILED = Failed("QueueFull", {"receiver": "a", "depth": 1, "capacity": 1})
LETTER = Envelope(bytes(16), 15, 7, 8, b"abc", flags=DURABLE)
EXAMPLES = [
    Hello(1, MARK, 2, 5, 6, 9, 4096, answer_wanted=True),
    Call(1, MARK, 2, 3, Deploy([MANIFEST])),
    Call(1, MARK, 2, 3, ListAgents("a", 5)),
    Call(1, MARK, 2, 3, Inspect(7)),
    Call(1, MARK, 2, 3, StopAgent(7)),
    Call(1, MARK, 2, 3, RemoveAgents([7, 8])),
    Call(1, MARK, 2, 3, PauseAgent(7)),
    Call(1, MARK, 2, 3, ResumeAgent(7)),
    Call(1, MARK, 2, 3, Attach("recorder", ("record",), 10)),
    Call(1, MARK, 2, 3, Detach(7)),
    Call(1, MARK, 2, 3, AskSeal(7, 4)),
    Answer(1, MARK, 2, 3, Sealed(MARK)),
    Call(1, MARK, 2, 3, Exchange(7, [Ended(1, [LETTER]), Ended(2, [], "it broke")], 256, 1_000)),
    Call(1, MARK, 2, 3, ListDeadLetters(DeadLetterFilter("poison", 7, 8, 9, [1]), 1, 2, True)),
    Call(1, MARK, 2, 3, RequeueDeadLetters(DeadLetterFilter())),
    Call(1, MARK, 2, 3, PurgeDeadLetters(DeadLetterFilter())),
    Call(1, MARK, 2, 3, AskDeadLetterStats()),
    Call(1, MARK, 2, 3, AskLedger()),
    Answer(1, MARK, 2, 3, Deliveries([Delivery(1, 2, LETTER)], [FAILED])),
    Answer(1, MARK, 2, 3, DeadLetters([DeadLetter(1, 0, "poison", FAILED, 5, 9, 3, LETTER, None)], True)),
    Answer(1, MARK, 2, 3, DeadLetterFigures(1, {"poison": 1}, 9, 3, 10_000, 0)),
    Answer(1, MARK, 2, 3, Requeued({1: bytes(16)}, False)),
    Answer(1, MARK, 2, 3, Purged(1, False)),
    Answer(1, MARK, 2, 3, ShardLedger(0, 5, {"processed": 1}, 0, {1 << 63: 1}, 0, {1: 2}, {1: 2}, {5: 9})),
    Answer(1, MARK, 2, 3, FAILED),
    Answer(1, MARK, 2, 3, VIEW),
    Answer(1, MARK, 2, 3, Deployed({4: FAILED})),
    Answer(1, MARK, 2, 3, Agents([VIEW], True)),
    Answer(1, MARK, 2, 3, Done()),
    Topology(0, MARK, 1, SlotTable.even(2), [3, 4], ["ready", "starting"]),
    SessionEnded(0, MARK, 1 << 63),
    Drain(0, MARK, 2),
    Drain(0, MARK, 1, replaced=True),
    LogFrom(0, MARK, 20, {"guest": 10}),
    AskBeat(0, MARK, 7),
    Heartbeat(3, MARK, 0, True, 0, True, {"run": 5}),
]
IDS = [f"{type(e).__name__}-{type(getattr(e, 'request', getattr(e, 'result', None))).__name__}" for e in EXAMPLES]


BOMBS = {
    "arrays 100,000 deep": b"\x91" * 100_000,
    "maps 100,000 deep": b"\x81\xa1a" * 100_000,
    "a megabyte of empty maps": b"\xdd\x00\x10\x00\x00" + b"\x80" * (1 << 20),
    "4 G items": b"\xdd\xff\xff\xff\xff",
    "4 G keys": b"\xdf\xff\xff\xff\xff",
    "4 GB": b"\xc6\xff\xff\xff\xff",
    "4 GB of text": b"\x9d" + b"\xdb\xff\xff\xff\xff" * 13,
}
NESTS = {
    "deep arrays": b"\x91" * 100_000,
    "deep maps": b"\x81\xa1a" * 100_000,
    "a list of maps": b"\x91\x80",
    "a map with a list for a key": b"\x81\x90\x01",
    "an extension": b"\xd4\x01\x01",
    "a timestamp": b"\xd6\xff\x00\x00\x00\x01",
}


def refused(frame, which="control"):
    """Decode what cannot be decoded and return what the error says."""
    with pytest.raises(InvalidMessageFormat) as caught:
        CODECS[which].decode(frame)
    assert type(caught.value) is InvalidMessageFormat
    return str(caught.value)


@given(frame=DATA_FRAME)
def test_data_frames_come_back_as_they_went(frame):
    """Every field of every message, from bytes or from a view of a receive buffer."""
    encoded = codec.DATA.encode(frame)
    assert encoded[:1] == VERSION
    assert codec.DATA.decode(encoded) == frame
    assert codec.DATA.decode(memoryview(bytes(encoded))) == frame


@given(state=LINK_STATE)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_link_states_come_back_as_they_went(state):
    """With their refusals, whose fields are text, numbers and lists of text."""
    assert codec.CONTROL.decode(codec.CONTROL.encode(state)) == state


@pytest.mark.parametrize("value", EXAMPLES, ids=IDS)
def test_every_kind_of_control_frame_comes_back_as_it_went(value):
    """The tag tells them apart."""
    assert codec.CONTROL.decode(codec.CONTROL.encode(value)) == value


def test_values_for_people_may_nest_but_not_without_end():
    """What health and stats tell is free in its shape, so its depth is what Python's recursion limit lets through."""
    frame = bytes(codec.SUPERVISOR_ANSWER.encode(SupervisorAnswer(1, Told({"a": "hole"}))))
    hole = frame.index(b"\xa4hole")
    for nest in (b"\x91" * 100_000, b"\x81\xa1a" * 100_000):
        refused(frame[:hole] + nest + frame[hole + 5 :], "supervisor answer")


@given(which=st.sampled_from(sorted(CODECS)), noise=st.binary(max_size=400), versioned=st.booleans())
@settings(max_examples=5 * settings().max_examples)
def test_random_bytes_never_raise_anything_else(which, noise, versioned):
    """With or without the right version byte."""
    frame = VERSION + noise if versioned else noise
    try:
        value = CODECS[which].decode(frame)
    except InvalidMessageFormat:
        return
    assert CODECS[which].decode(CODECS[which].encode(value)) == value


@given(frame=DATA_FRAME, at=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.integers(0, 10_000))
def test_a_frame_that_was_changed_or_cut_never_raises_anything_else(frame, at, byte, cut):
    """One byte is another, and the end is missing."""
    encoded = bytes(codec.DATA.encode(frame))
    refused(encoded[: cut % len(encoded)], "data")
    changed = bytearray(encoded)
    changed[at % len(encoded)] = byte
    with suppress(InvalidMessageFormat):
        codec.DATA.decode(changed)


@given(state=LINK_STATE, at=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.integers(0, 10_000))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_state_that_was_changed_or_cut_never_raises_anything_else(state, at, byte, cut):
    """One byte is another, and the end is missing."""
    encoded = bytes(codec.CONTROL.encode(state))
    refused(encoded[: cut % len(encoded)])
    changed = bytearray(encoded)
    changed[at % len(encoded)] = byte
    with suppress(InvalidMessageFormat):
        codec.CONTROL.decode(changed)


@pytest.mark.parametrize("which", CODECS)
def test_a_frame_beyond_its_bound_is_refused_unread(which):
    """Its size is known before a byte is decoded."""
    bound = 12 << 20 if which == "data" else 16 << 20
    assert f"beyond {bound}" in refused(VERSION + bytes(bound), which)


@pytest.mark.parametrize("frame", [b"", b"\x00", b"\x02\x90", b"{}"])
def test_another_version_is_named(frame):
    """The reader learns what came and what can be read."""
    assert r"this one reads b'\x01'" in refused(frame, "data")


@pytest.mark.parametrize("which", CODECS)
@pytest.mark.parametrize("noise", BOMBS.values(), ids=BOMBS)
def test_bombs_are_refused(which, noise):
    """Deep, wide, or with sizes that nothing follows."""
    refused(VERSION + noise, which)


@pytest.mark.parametrize("value", NESTS.values(), ids=NESTS)
def test_the_fields_of_an_error_hold_nothing_that_nests(value):
    """The one place of a control frame where names are free holds plain values only."""
    frame = codec.CONTROL.encode(Answer(1, MARK, 2, 3, Failed("X", {"a": "hole"})))
    hole = bytes(frame).index(b"\xa4hole")
    refused(frame[:hole] + value + frame[hole + 5 :])


def test_a_bound_on_every_part_of_a_data_frame():
    """Lane, sequence, mark, number of messages and each field of a message are checked while they are read."""
    good = msgspec.to_builtins(
        DataFrame(1, MARK, 2, 0, 1, False, [Envelope(bytes(16), 7, 1, 2, b"", rare=Rare(), cause=Cause(1, MARK))]),
        builtin_types=(bytes,),
    )
    message, rare, cause = good[6][0], good[6][0][12], good[6][0][13]

    def frame_with(part, place, value):
        kept, part[place] = part[place], value
        frame = VERSION + msgspec.msgpack.encode(good)
        part[place] = kept
        return frame

    codec.DATA.decode(frame_with(good, 0, 1))
    codec.DATA.decode(frame_with(cause, 5, [[bytes(16)] * MOST_WAITERS, bytes(16)]))
    wrong = [(good, 0, -1), (good, 1, bytes(15)), (good, 1, bytes(17)), (good, 3, 2), (good, 4, 0)]
    wrong += [(good, 6, [message] * (MAX_FRAME_MESSAGES + 1)), (good, 5, 1), (message, 0, bytes(15))]
    wrong += [(message, 1, 22), (message, 1, -1), (message, 2, -1), (message, 3, 1.5), (message, 4, "text")]
    wrong += [(message, 5, bytes(17)), (message, 9, 0), (message, 9, 11), (message, 10, 300_001), (message, 11, 256)]
    wrong += [(rare, 0, "x" * 256), (rare, 4, -1), (rare, 6, b"x"), (rare, 7, 11), (rare, 0, b"\xff")]
    wrong += [(rare, 10, 1), (rare, 11, [1] * (MOST_TRIED + 1)), (rare, 11, [-1]), (rare, 12, "x" * 256)]
    wrong += [(cause, 0, -1), (cause, 1, bytes(15)), (cause, 2, "x" * (MAX_PRINCIPAL + 1)), (cause, 2, None)]
    wrong += [(cause, 3, MAX_HOPS + 1), (cause, 4, MAX_WORK + 1), (cause, 4, -1), (message, 13, 1)]
    wrong += [(cause, 5, [[bytes(16)] * (MOST_WAITERS + 1)]), (cause, 5, [[bytes(15)]]), (cause, 5, [[], bytes(17)])]
    wrong += [(rare, 13, -1), (rare, 14, 1), (rare, 15, MAX_HOPS + 1), (rare, 16, MAX_WORK + 1)]
    for part, place, value in wrong:
        refused(frame_with(part, place, value), "data")


@given(ENVELOPE)
def test_fields_that_were_appended_have_their_defaults_where_they_are_missing(message):
    """A message that ends with its rare fields, and these with where it was requeued from, is read as it was meant."""
    message.cause = None
    parts = msgspec.to_builtins(message, builtin_types=(bytes,))
    del parts[13]
    if message.rare is not None:
        parts[12] = parts[12][:10]
        message.rare = Rare(*(getattr(message.rare, name) for name in Rare.__struct_fields__[:10]))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(parts), type=Envelope) == message


def test_the_largest_message_fits_in_a_frame():
    """Ten million bytes of content, within twelve mebibytes."""
    frame = DataFrame(1, MARK, 2, 0, 1, False, [Envelope(bytes(16), 7, 1, 2, bytes(MAX_CONTENT))])
    encoded = codec.DATA.encode(frame)
    assert len(encoded) <= MAX_FRAME_BYTES
    assert codec.DATA.decode(encoded) == frame


def test_a_manifest_that_breaks_its_own_rules_is_an_invalid_frame():
    """Rules that only the type itself checks raise nothing else either."""
    bad = [["", bytes(32)], ["a", bytes(31)], ["a", bytes(32), "json"], ["a", bytes(32), "content", [""]]]
    bad += [["a", bytes(32), "content", [], {"max_fuel": 0}], ["a", bytes(32), "content", [], {"fuel": 1}]]
    for manifest in bad:
        refused(VERSION + msgspec.msgpack.encode([3, 1, MARK, 2, 5, [10, [manifest]]]))


def test_a_slot_table_has_exactly_1024_owners_below_32():
    """A shorter or longer one, or an owner that cannot be, is an invalid frame."""
    good = msgspec.to_builtins(EXAMPLES[11], builtin_types=(bytes,))
    for owners in ([0] * 1_023, [0] * 1_025, [32] * 1_024, [-1] * 1_024):
        table = [1, owners]
        refused(VERSION + msgspec.msgpack.encode([*good[:4], table, *good[5:]]))


def test_a_frame_keeps_nothing_of_the_buffer_it_came_in():
    """The receive buffer may be used again at once."""
    buffer = codec.DATA.encode(DataFrame(1, MARK, 2, 0, 1, False, [Envelope(bytes(16), 7, 1, 2, b"content")]))
    frame = codec.DATA.decode(buffer)
    buffer[:] = bytes(len(buffer))
    assert frame.messages[0].content == b"content"


@given(messages=st.lists(ENVELOPE, min_size=1, max_size=5), resent=st.booleans())
def test_a_packed_frame_is_the_frame_that_was_never_packed(messages, resent):
    """Messages encoded once, as they stand in the outbox, make the same bytes on the wire as messages encoded now."""
    packed = PackedFrame(1, MARK, 2, 1, 7, resent, msgspec.Raw(msgspec.msgpack.encode(messages)))
    assert codec.PACKED.encode(packed) == codec.DATA.encode(DataFrame(1, MARK, 2, 1, 7, resent, messages))

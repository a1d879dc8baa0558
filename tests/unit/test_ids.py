"""Who is who."""

import unicodedata
import uuid
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.acl.options import Level
from caxton.errors import ParseError, ValidationError
from caxton.ids import (
    BROADCAST,
    SESSION_BIT,
    AgentId,
    AgentNames,
    ConversationId,
    MessageId,
    NodeId,
    SecretUuidSource,
    UuidSource,
    is_of,
)

NUMBERS = st.integers(1, BROADCAST)
UUIDS = (MessageId, ConversationId, NodeId)
RAW = st.binary(min_size=16, max_size=16)


@given(number=NUMBERS)
def test_an_agents_id_is_written_as_16_hex_digits(number):
    """And read back as the same number, in upper case too."""
    agent_id = AgentId(number)
    assert str(agent_id) == f"{number:016x}"
    assert AgentId.parse(str(agent_id)) == AgentId.parse(str(agent_id).upper()) == agent_id == number
    assert hash(agent_id) == hash(number)
    assert repr(agent_id) == f"AgentId({number:016x})"


@pytest.mark.parametrize("number", [0, -1, BROADCAST + 1])
def test_an_id_has_64_bits_and_is_not_zero(number):
    """The error says the number."""
    with pytest.raises(ValueError, match=f"not {number}"):
        AgentId(number)


@pytest.mark.parametrize("value", [1.5, 1.0, True, "5", None, b"5"], ids=repr)
def test_an_id_is_a_whole_number(value):
    """What only looks like one is refused, by the one error that ids have."""
    with pytest.raises(ValueError, match="an agent id is a number"):
        AgentId(value)
    assert AgentId(AgentId(5)) == AgentId(Level.NORMAL) == 5


@pytest.mark.parametrize("kind", UUIDS)
@pytest.mark.parametrize("value", ["x" * 16, 16, None, 1.5, [0] * 16], ids=repr)
def test_a_uuid_is_made_of_bytes_or_read_from_text(kind, value):
    """Anything else is refused, by the one error that ids have."""
    with pytest.raises(ValueError, match="has 16 bytes, and is no"):
        kind(value)
    with pytest.raises(ValueError, match="UUID"):
        kind.parse(value)


@pytest.mark.parametrize(
    "text",
    [None, 5, "", "0" * 16, "1" * 15, "1" * 17, "0x" + "1" * 14, "g" * 16, "1_1" + "1" * 13, "\uff11" * 16],
)
def test_another_text_is_no_id(text):
    """Python's int() reads more than people write."""
    with pytest.raises(ValueError, match="agent id"):
        AgentId.parse(text)


@pytest.mark.parametrize(
    ("parse", "text", "kind"),
    [
        (AgentId.parse, "x", "invalid_format"),
        (AgentId, -1, "invalid_format"),
        (AgentId.parse, "0" * 16, "zero_id"),
        (AgentId, 0, "zero_id"),
        (MessageId.parse, "x", "invalid_uuid"),
        (ConversationId, b"short", "invalid_uuid"),
    ],
)
def test_what_is_no_id_is_a_parse_error_of_a_kind(parse, text, kind):
    """One that both the tree of errors and Python's ValueError catch."""
    with pytest.raises(ParseError) as raised:
        parse(text)
    assert raised.value.kind == kind
    assert isinstance(raised.value, ValidationError)
    assert isinstance(raised.value, ValueError)


@given(number=NUMBERS)
def test_the_top_bit_marks_a_session_unless_all_are_set(number):
    """All ones is everybody."""
    assert AgentId(number).is_session == (SESSION_BIT <= number < BROADCAST)


def test_an_id_does_not_change():
    """It is a number."""
    with pytest.raises(AttributeError):
        AgentId(5).name = "x"


@given(name=st.text(st.characters(exclude_categories=["Cs"]), max_size=200), key=st.binary(min_size=16, max_size=64))
def test_a_name_has_one_id_of_63_bits_per_key(name, key):
    """The same from everybody who holds the key."""
    agent_id = AgentNames(key).id_of(name)
    assert 0 < agent_id < SESSION_BIT
    assert AgentNames(key).id_of(name) == agent_id


@pytest.mark.parametrize("name", ["\u00e9cho", "\u1e69", "\ud55c\uad6d"])
def test_however_a_name_is_written_it_has_one_id(name):
    """Letters with marks beside them are the same name as the letters that Unicode has for both."""
    names = AgentNames(bytes(32))

    assert names.id_of(name) == names.id_of(unicodedata.normalize("NFD", name))


def test_another_key_or_name_gives_another_id():
    """Who does not know the key cannot aim at a shard."""
    ids = {AgentNames(bytes([key]) * 32).id_of(f"agent-{name}") for key in range(50) for name in range(50)}
    assert len(ids) == 2_500


@pytest.mark.parametrize("kind", UUIDS)
@given(raw=RAW)
def test_a_uuid_comes_back_as_it_went(kind, raw):
    """From its bytes and from its text."""
    made = kind(raw)
    assert bytes(made) == raw
    assert kind.parse(str(made)) == made
    assert str(made) == str(uuid.UUID(bytes=raw))
    assert hash(made) == hash(kind(raw))
    assert kind.__name__ in repr(made)


@given(raw=RAW, other=RAW)
def test_uuids_are_equal_by_kind_and_bytes(raw, other):
    """A conversation is never taken for a message."""
    assert (MessageId(raw) == MessageId(other)) == (raw == other)
    assert MessageId(raw) != ConversationId(raw)
    assert MessageId(raw) != raw


@pytest.mark.parametrize("kind", UUIDS)
def test_a_uuid_has_16_bytes_and_keeps_them(kind):
    """No more, no fewer, no others later."""
    for size in (0, 15, 17):
        with pytest.raises(ValueError, match=f"has 16 bytes, not {size}"):
            kind(bytes(size))
    with pytest.raises(ValueError, match="UUID"):
        kind.parse("no uuid")
    made = kind(bytes(16))
    with pytest.raises(AttributeError, match="does not change"):
        made._bytes = bytes(16)
    with pytest.raises(AttributeError):
        made.other = 1


def test_a_uuid_does_not_change_with_the_buffer_it_came_from():
    """It keeps a copy."""
    buffer = bytearray(16)
    made = MessageId(buffer)
    buffer[0] = 1
    assert bytes(made) == bytes(16)


SOURCES = pytest.mark.parametrize("kind", [UuidSource, SecretUuidSource])


@SOURCES
@given(moments=st.lists(st.integers(0, 2**48 - 1), min_size=1, max_size=20))
def test_new_ids_are_version_7_uuids_of_their_time_and_never_repeat(kind, moments):
    """Milliseconds first, so that they sort by time."""
    source = kind(moments[0])
    seen = []
    for moment in moments:
        source.renew(moment)
        for _ in range(3):
            made = uuid.UUID(bytes=source.next())
            assert (made.version, made.variant) == (7, uuid.RFC_4122)
            assert made.int >> 80 == moment
            seen.append(made)
    assert len(set(seen)) == len(seen)


@SOURCES
def test_ids_of_one_moment_sort_in_the_order_they_were_made(kind):
    """Growing numbers stand behind the time."""
    source = kind(5)
    made = [source.next() for _ in range(1_000)]
    assert made == sorted(made)


def test_nobody_can_tell_the_next_id_of_a_client():
    """From one id to the next it is another way each time, over more than one draw of random numbers."""
    source = SecretUuidSource(5)
    made = [int.from_bytes(source.next()) for _ in range(3_000)]
    steps = {after - before for before, after in pairwise(made)}
    assert len(steps) > 2_990
    assert min(steps) > 0
    assert max(steps) - min(steps) > 2**31


def test_numbers_begin_anew_before_they_grow_too_large(monkeypatch):
    """After so many draws of steps a source begins at another random number, and its ids are what they were."""
    monkeypatch.setattr("caxton.ids._MOST_DRAWN", 1)
    source, seen = SecretUuidSource(0), []
    for moment in range(1, 40):
        source.renew(moment)
        seen += [uuid.UUID(bytes=source.next()) for _ in range(1_000)]
    assert {(made.version, made.variant) for made in seen} == {(7, uuid.RFC_4122)}
    assert len(set(seen)) == len(seen)


@SOURCES
def test_two_sources_do_not_meet(kind):
    """Each begins at a random place."""
    made = [source.next() for source in [kind(5) for _ in range(200)] for _ in range(20)]
    assert len(set(made)) == 4_000


def test_a_session_s_ids_of_conversations_are_its_own():
    """Of version 7, with the time in front, none twice; and whoever else is asked about did not make them."""
    mine, other = SESSION_BIT | 5, SESSION_BIT | 6
    made = [ConversationId.of_session(mine, 1_767_225_600_000) for _ in range(2_000)]
    assert len(set(made)) == 2_000
    texts = [uuid.UUID(bytes=bytes(one)) for one in made]
    assert {(one.version, one.variant, one.int >> 80) for one in texts} == {(7, uuid.RFC_4122, 1_767_225_600_000)}
    assert all(is_of(bytes(one), mine) for one in made)
    assert not any(is_of(bytes(one), other) for one in made)


def test_an_agent_owns_no_id():
    """Whoever names agents may look for a name whose id fits; sessions are numbered by the runtime."""
    assert not is_of(bytes(ConversationId.of_session(5, 1)), 5)

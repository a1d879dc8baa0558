"""What a deployment says of an agent."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.acl.capability import MAX_CAPABILITY
from caxton.agents.limits import Limits
from caxton.agents.manifest import MAX_CAPABILITIES, Encoding, Manifest
from caxton.agents.names import MAX_NAME
from caxton.errors import Unsupported, ValidationError

MODULE = bytes(32)
PRINTABLE = st.characters(exclude_categories=["C", "Z"])
NAME = st.text(PRINTABLE, min_size=1, max_size=MAX_NAME)
CAPABILITY = st.text(PRINTABLE, min_size=1, max_size=MAX_CAPABILITY)


@given(
    name=NAME,
    module=st.binary(min_size=32, max_size=32),
    encoding=st.sampled_from(Encoding),
    capabilities=st.lists(CAPABILITY, max_size=5).map(tuple),
)
def test_a_manifest_comes_back_as_it_went(name, module, encoding, capabilities):
    """Any that can be made."""
    manifest = Manifest(name, module, encoding, capabilities, Limits(max_fuel=20_000))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(manifest), type=Manifest) == manifest


@pytest.mark.parametrize(
    "name", ["", "x" * 201, "a\nb", "a\0", "\u202e", "\ud800", "\u200b", 5, None, b"echo"], ids=ascii
)
def test_a_name_is_1_to_200_printable_characters(name):
    """So that no name hides in a log or a listing."""
    with pytest.raises(ValidationError, match="name"):
        Manifest(name, MODULE)


@pytest.mark.parametrize(
    "capabilities",
    [("",), ("x" * 101,), ("a\tb",), (5,), tuple(map(str, range(MAX_CAPABILITIES + 1))), ["echo"], "echo"],
    ids=["empty", "too long", "unprintable", "a number", "too many", "a list", "a text"],
)
def test_capabilities_are_a_tuple_of_at_most_64_short_texts(capabilities):
    """A single text would pass for one capability a letter."""
    with pytest.raises(ValidationError, match="capabilit"):
        Manifest("echo", MODULE, capabilities=capabilities)


@pytest.mark.parametrize("module", [b"", bytes(31), bytes(33)])
def test_a_module_is_named_by_its_sha256(module):
    """Thirty-two bytes."""
    with pytest.raises(ValidationError, match="SHA-256"):
        Manifest("echo", module)


@pytest.mark.parametrize(("field", "value"), [("encoding", "content"), ("limits", None), ("limits", {})])
def test_what_is_not_of_its_type_is_refused_before_it_is_sent(field, value):
    """A worker would drop the whole frame."""
    with pytest.raises(ValidationError, match=field):
        Manifest("echo", MODULE, **{field: value})


def test_encodings_are_read_by_their_names():
    """Those that come later say so, the others are listed, and a module is never attached."""
    modules = [encoding for encoding in Encoding if encoding is not Encoding.ATTACHED]
    assert [Encoding.parse(str(encoding)) for encoding in modules] == modules
    with pytest.raises(ValidationError, match=r"client\.attach"):
        Encoding.parse("attached")
    with pytest.raises(Unsupported, match="encoding='msgpack'"):
        Encoding.parse("json")
    with pytest.raises(ValidationError, match="content, msgpack"):
        Encoding.parse("xml")


def test_a_manifest_does_not_change():
    """It is what was deployed."""
    with pytest.raises(AttributeError):
        Manifest("echo", MODULE).name = "other"


@pytest.mark.parametrize("above", ["", " tally", "e\u0301", "echo", 5, "x" * 201], ids=ascii)
def test_an_agent_escalates_to_another_ones_name(above):
    """To itself would be a circle, and what can be no name is nobody's."""
    assert Manifest("echo", MODULE, escalate_to="tally").escalate_to == "tally"
    with pytest.raises(ValidationError, match="escalate_to"):
        Manifest("echo", MODULE, escalate_to=above)

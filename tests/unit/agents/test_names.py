"""What a name of an agent looks like."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.agents.names import MAX_NAME, RESERVED, NamePattern, check_new_name, new_name, normal_name
from caxton.errors import ValidationError
from caxton.ids import AgentId

NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=50)


@given(name=NAMES)
def test_a_name_has_one_form(name):
    """However it is written, it is kept in the composed form, and that form stays as it is."""
    normal = normal_name("name", unicodedata.normalize("NFD", name))

    assert normal == normal_name("name", name) == normal_name("name", normal)
    assert unicodedata.is_normalized("NFC", normal)


@pytest.mark.parametrize("name", [" echo", "echo ", "   ", " "])
def test_blanks_at_the_ends_are_refused(name):
    """Two names that nobody can tell apart in a list are not two agents."""
    with pytest.raises(ValidationError, match="blanks at its ends"):
        normal_name("name", name)


def test_blanks_inside_are_kept():
    """A name may be several words."""
    assert normal_name("name", "my  echo") == "my  echo"


@pytest.mark.parametrize(
    "name",
    ["", "x" * 201, "x" * 100_000, "a\u0301" * 100_000, "a\nb", "a\0", "\u00a0a", "\ud800", 5, None, b"echo"],
    ids=ascii,
)
def test_what_can_be_no_name_is_refused(name):
    """Too short, too long, characters that do not print, and what is no text."""
    with pytest.raises(ValidationError, match="name"):
        normal_name("name", name)


def test_the_length_of_a_name_is_that_of_its_composed_form():
    """Two hundred letters with their marks beside them are two hundred."""
    assert len(normal_name("name", "a\u0301" * MAX_NAME)) == MAX_NAME


@pytest.mark.parametrize(
    "name", ["\u3164", "echo\ufe0f", "e\u034fcho", "\u115f\u1160", "\u2800", "a\U000e0100"], ids=ascii
)
def test_what_nobody_sees_makes_no_new_name(name):
    """An agent whose name looks blank, or like another's, cannot be deployed; the error shows what cannot be seen."""
    with pytest.raises(ValidationError, match=r"shows nothing, '\\"):
        new_name("name", name)
    with pytest.raises(ValidationError, match="shows nothing"):
        check_new_name(name)


@pytest.mark.parametrize("name", [*(f"{prefix}x" for prefix in RESERVED), "TOOL:x", "Caxton:"])
def test_reserved_names_are_for_no_new_agent(name):
    """They may be spoken to, and nobody can deploy what would be taken for one of them."""
    assert normal_name("agent", name) == name
    with pytest.raises(ValidationError, match="reserved"):
        new_name("name", name)


@pytest.mark.parametrize("name", ["tool", "my tool:x", "models:x"])
def test_other_names_are_not_reserved(name):
    """Only what comes before a colon is."""
    assert new_name("name", name) == name


@pytest.mark.parametrize("name", ["00000000c0ffee00", "C0FFEE00C0FFEE00", "0" * 16, "aBcDeF0123456789"])
def test_what_is_written_as_an_id_is_for_no_new_agent(name):
    """Commands and HTTP would take it for the agent of that id, which is another one."""
    assert normal_name("agent", name) == name
    with pytest.raises(ValidationError, match="how ids are written; add another character"):
        new_name("name", name)
    with pytest.raises(ValidationError, match="how ids are written"):
        check_new_name(name)


@pytest.mark.parametrize(
    "name", ["0" * 15, "0" * 17, "00000000-0ffee00", "\uff10" * 16, "g" * 16, "caffe\u0301" * 3], ids=ascii
)
def test_what_is_no_id_is_a_name(name):
    """One digit more or less, or something else among them, or digits of another script."""
    assert new_name("name", name) == unicodedata.normalize("NFC", name)


@given(agent=st.integers(1, (1 << 64) - 1), upper=st.booleans())
def test_no_id_of_an_agent_can_be_a_name(agent, upper):
    """Every text that is read as an id is refused."""
    text = str(AgentId(agent))
    with pytest.raises(ValidationError, match="how ids are written"):
        new_name("name", text.upper() if upper else text)


def test_a_name_in_another_form_is_told_to_whoever_registers_it():
    """A worker takes names as they are kept, and nothing else."""
    check_new_name("\u00e9cho")
    with pytest.raises(ValidationError, match="NFC"):
        check_new_name("e\u0301cho")


@given(pattern=st.text("ab*", max_size=6), name=st.text("ab*", max_size=8))
def test_a_star_stands_for_any_text_and_all_else_for_itself(pattern, name):
    """A name fits as a regular expression says that is made of the pattern."""
    wanted = ".*".join(map(re.escape, pattern.split("*")))

    assert NamePattern(pattern).fits(name) == (re.fullmatch(wanted, name) is not None)
    assert not NamePattern(pattern).fits(name) or name.startswith(NamePattern(pattern).beginning)


def test_a_pattern_has_the_form_of_names():
    """What is kept in the composed form is found by whoever types the other."""
    assert NamePattern("e\u0301*").fits("\u00e9cho")

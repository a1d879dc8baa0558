"""Receivers that are named by what they can do."""

import copy

import pytest

from caxton.acl.capability import (
    MAX_CAPABILITY,
    MAX_KEY,
    MOST_AT_ONCE,
    MOST_OF_EVERYONE,
    NOBODY,
    Capability,
    Everyone,
    checked_key,
    is_nobody,
    names_of,
)
from caxton.acl.message import Message
from caxton.errors import ValidationError
from caxton.ids import AgentNames


def test_names_are_the_same_in_whatever_order():
    """Two that ask for the same things mean the same agents."""
    assert Capability("b", "a", "b") == Capability("a", "b")
    assert Capability("b", "a").names == ("a", "b")
    assert Capability("a", balancing="weighted") != Capability("a")
    assert str(Capability("translate", "german")) == "@german+translate"


@pytest.mark.parametrize("name", ["", "x" * (MAX_CAPABILITY + 1), "a\nb", 5, None, b"a"])
def test_a_name_is_text_of_1_to_100_characters_that_print(name):
    """So that no name is taken for several."""
    with pytest.raises(ValidationError, match="capability"):
        Capability(name)

    assert Capability("x" * MAX_CAPABILITY).names == ("x" * MAX_CAPABILITY,)


def test_so_many_names_may_be_asked_for_at_once():
    """Eight, of 255 characters together; one more of either is refused."""
    names = [f"{n}" for n in range(MOST_AT_ONCE)]
    assert len(Capability(*names).names) == MOST_AT_ONCE
    long = ("a" * 100, "b" * 100, "c" * (MAX_KEY - 202))
    assert len(Capability(*long).key) == MAX_KEY
    with pytest.raises(ValidationError, match="8"):
        Capability(*names, "one more")
    with pytest.raises(ValidationError, match="255"):
        Capability(*long[:2], long[2] + "c")
    with pytest.raises(ValidationError):
        Capability()


def test_a_balancing_that_there_is_not_is_refused():
    """It names those that there are."""
    with pytest.raises(ValidationError, match="round_robin"):
        Capability("a", balancing="best")


@pytest.mark.parametrize("most", [0, MOST_OF_EVERYONE + 1, 1.5, True])
def test_everyone_has_a_bound(most):
    """From 1 to 10,000."""
    with pytest.raises(ValidationError, match="most"):
        Everyone("a", most=most)

    assert Everyone("a", most=MOST_OF_EVERYONE).most == MOST_OF_EVERYONE


@pytest.mark.parametrize("key", ["b\na", "a\na", "", "a\n", "x" * 101])
def test_a_key_of_a_strangers_making_is_refused(key):
    """There is one key for the same names, and nobody fills anything with others."""
    with pytest.raises(ValidationError):
        checked_key(key)

    assert names_of(checked_key("a\nb")) == ("a", "b")


def test_they_are_copied_and_do_not_change():
    """As values are."""
    for meant in (Capability("a", "b", balancing="weighted"), Everyone("a", most=5)):
        assert copy.deepcopy(meant) == meant
        assert hash(copy.copy(meant)) == hash(meant)
        with pytest.raises(AttributeError):
            meant.key = "c"


def test_a_message_may_be_for_a_capability():
    """It says for which, and its receiver is nobody until it is sent."""
    message = Message(Capability("a", balancing="weighted"), b"hello")

    assert message.capability == Capability("a", balancing="weighted")
    assert is_nobody(int(message.receiver))
    assert message.tried == ()
    assert "@a" in repr(message)
    assert Message(5).capability is None
    assert copy.copy(message) == message


def test_no_name_is_hashed_to_nobodys_id():
    """The ids that are nobody's are the very last."""
    names = AgentNames(bytes(32))

    assert [n for n in range(10_000) if is_nobody(names.id_of(f"agent {n}"))] == []
    assert is_nobody(NOBODY)

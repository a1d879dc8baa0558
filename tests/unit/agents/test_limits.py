"""Limits of an agent: within their bounds, or not at all."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.agents.limits import BOUNDS, DEFAULT_LIMITS, Limits, with_capacity
from caxton.errors import ValidationError

ANY_LIMITS = st.builds(Limits, **{name: st.integers(least, most) for name, (least, most) in BOUNDS.items()})


@given(limits=ANY_LIMITS)
def test_limits_come_back_as_they_went(limits):
    """Any within their bounds, by name."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(limits), type=Limits) == limits


@pytest.mark.parametrize("name", BOUNDS)
def test_every_limit_ends_at_its_bounds(name):
    """The bound itself is allowed, one beyond it is not, when made and when decoded."""
    for allowed in BOUNDS[name]:
        assert getattr(Limits(**{name: allowed}), name) == allowed
    for wrong in (BOUNDS[name][0] - 1, BOUNDS[name][1] + 1):
        with pytest.raises(ValidationError, match=rf"limits\.{name}: {wrong} is not"):
            Limits(**{name: wrong})
        with pytest.raises(ValidationError, match=rf"limits\.{name}"):
            msgspec.msgpack.decode(msgspec.msgpack.encode({name: wrong}), type=Limits)


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("value", [True, 1_000.0, "1000", None], ids=repr)
def test_a_limit_is_a_whole_number(name, value):
    """Nothing that only looks like one; how much a mailbox holds may be left open."""
    if (name, value) == ("mailbox_capacity", None):
        assert Limits(mailbox_capacity=None) == DEFAULT_LIMITS
        return
    with pytest.raises(ValidationError, match="whole number"):
        Limits(**{name: value})


def test_every_limit_has_bounds_and_a_default_within_them():
    """None is forgotten."""
    assert set(Limits.__struct_fields__) == set(BOUNDS)
    assert Limits() == DEFAULT_LIMITS


def test_an_open_capacity_is_filled_in():
    """With the usual number; one that is said stays."""
    assert with_capacity(Limits(max_hops=3), 7) == Limits(max_hops=3, mailbox_capacity=7)
    assert with_capacity(Limits(mailbox_capacity=9), 7) == Limits(mailbox_capacity=9)


def test_limits_do_not_change_and_know_no_other_names():
    """A misspelt limit is an error, not ignored."""
    with pytest.raises(AttributeError):
        DEFAULT_LIMITS.max_fuel = 1
    with pytest.raises(TypeError):
        Limits(fuel=1)
    with pytest.raises(msgspec.ValidationError, match="fuel"):
        msgspec.msgpack.decode(msgspec.msgpack.encode({"fuel": 1}), type=Limits)

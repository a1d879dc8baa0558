"""How a message is to be delivered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.acl import options
from caxton.acl.options import DEFAULT_OPTIONS, DeliveryOptions, Lane, Level
from caxton.errors import Unsupported, ValidationError


def test_the_default_is_the_volatile_lane_at_normal_level_for_30_seconds():
    """Decided in this one place."""
    made = DeliveryOptions()
    assert made == DEFAULT_OPTIONS
    assert made.reliability == options.DEFAULT_RELIABILITY == "at_most_once"
    assert (made.priority, made.timeout_ms, made.max_retries, made.receipt) == (Level.NORMAL, 30_000, 3, False)


def test_the_durable_lane_says_what_to_do_until_it_is_built():
    """The error names the lane and the way out."""
    with pytest.raises(Unsupported, match=r"at_least_once.*send with reliability='at_most_once'"):
        DeliveryOptions(reliability="at_least_once")


@pytest.mark.parametrize("reliability", ["", "exactly_once", "AT_MOST_ONCE", 0, None])
def test_a_reliability_that_there_is_not_is_refused(reliability):
    """With those that there are."""
    with pytest.raises(ValidationError, match="at_most_once, at_least_once"):
        DeliveryOptions(reliability=reliability)


def test_the_volatile_lane_is_lane_zero():
    """The number travels."""
    assert Lane.of("at_most_once") is Lane.VOLATILE == 0
    assert Lane.DURABLE == 1


@given(
    priority=st.sampled_from(Level),
    timeout_ms=st.integers(1_000, 300_000),
    max_retries=st.integers(1, 10),
)
def test_options_within_their_bounds_are_kept(priority, timeout_ms, max_retries):
    """Every one of them."""
    made = DeliveryOptions(priority=priority, timeout_ms=timeout_ms, max_retries=max_retries)
    assert (made.priority, made.timeout_ms, made.max_retries) == (priority, timeout_ms, max_retries)


def test_a_receipt_says_what_to_do_until_there_is_one():
    """Nothing is accepted that would be forgotten."""
    with pytest.raises(Unsupported, match="request"):
        DeliveryOptions(receipt=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timeout_ms", 999),
        ("timeout_ms", 300_001),
        ("timeout_ms", 5_000.0),
        ("timeout_ms", True),
        ("timeout_ms", None),
        ("max_retries", 0),
        ("max_retries", 11),
        ("max_retries", "3"),
        ("max_retries", True),
        ("priority", 0),
        ("priority", 2),
        ("priority", 11),
        ("priority", "high"),
        ("priority", None),
        ("receipt", 1),
        ("receipt", "no"),
        ("receipt", None),
    ],
    ids=str,
)
def test_an_option_out_of_bounds_is_refused_by_name(field, value):
    """Before anything is sent."""
    with pytest.raises(ValidationError, match=field):
        DeliveryOptions(**{field: value})


def test_options_do_not_change():
    """The default is shared by all messages."""
    with pytest.raises(AttributeError):
        DEFAULT_OPTIONS.timeout_ms = 5

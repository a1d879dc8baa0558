"""How a message is to be delivered."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.acl.message import Message
from caxton.acl.options import (
    DEFAULT_LANE_OF_REQUEST,
    DEFAULT_LANE_OF_SEND,
    DEFAULT_OPTIONS,
    DeliveryOptions,
    Lane,
    Level,
    with_key,
)
from caxton.errors import ValidationError


def test_by_default_the_call_chooses_the_lane_and_a_message_is_worth_30_seconds():
    """Decided in this one place: `send` is durable, `request` is volatile."""
    made = DeliveryOptions()
    assert made == DEFAULT_OPTIONS
    assert (made.reliability, made.idempotency_key) == (None, None)
    assert (made.priority, made.timeout_ms, made.max_retries, made.receipt) == (Level.NORMAL, 30_000, 3, False)
    assert (DEFAULT_LANE_OF_SEND, DEFAULT_LANE_OF_REQUEST) == (Lane.DURABLE, Lane.VOLATILE)


@pytest.mark.parametrize("reliability", ["", "exactly_once", "AT_MOST_ONCE", 0, 1, [], "at_least_once "], ids=repr)
def test_a_reliability_that_there_is_not_is_refused(reliability):
    """The error lists those that there are."""
    with pytest.raises(ValidationError, match="at_most_once, at_least_once"):
        DeliveryOptions(reliability=reliability)


def test_the_lanes_have_the_numbers_that_travel():
    """The volatile lane is 0, the durable one 1, and each comes back by its name."""
    assert Lane.of("at_most_once") is Lane.VOLATILE == 0
    assert Lane.of("at_least_once") is Lane.DURABLE == 1
    assert [Lane.of(lane.reliability) for lane in Lane] == list(Lane)


@pytest.mark.parametrize(("field", "most"), [("max_hops", 100_000), ("max_work", 100_000_000)])
def test_what_may_follow_from_a_message_has_bounds(field, most):
    """From 1 to a hard bound, in whole numbers, or None for the usual limit."""
    for allowed in (None, 1, most):
        assert getattr(DeliveryOptions(**{field: allowed}), field) == allowed
    for wrong in (0, most + 1, 1.0, True, "3"):
        with pytest.raises(ValidationError, match=field):
            DeliveryOptions(**{field: wrong})


@pytest.mark.parametrize("key", ["k", "ä" * 255, "0", " "])
@pytest.mark.parametrize("reliability", [None, "at_least_once"])
def test_an_idempotency_key_goes_with_the_durable_lane(key, reliability):
    """A key of 1 to 255 characters is kept, whether it is given at once or added to other options."""
    made = DeliveryOptions(reliability=reliability, idempotency_key=key, max_retries=2)
    assert made.idempotency_key == key
    assert with_key(DeliveryOptions(reliability=reliability, max_retries=2), key) == made
    assert with_key(made, None) is made


@pytest.mark.parametrize("key", ["", "x" * 256, b"x", 5, "\ud800", True], ids=lambda key: ascii(key)[:8])
def test_an_idempotency_key_that_cannot_travel_is_refused(key):
    """A key is text of 1 to 255 characters that UTF-8 carries."""
    with pytest.raises(ValidationError, match="idempotency_key"):
        DeliveryOptions(idempotency_key=key)
    with pytest.raises(ValidationError, match="idempotency_key"):
        with_key(DEFAULT_OPTIONS, key)


def test_the_volatile_lane_keeps_no_keys():
    """An idempotency key with the volatile lane is refused, with the lane that keeps it."""
    with pytest.raises(ValidationError, match=r"idempotency_key.*at_least_once"):
        DeliveryOptions(reliability="at_most_once", idempotency_key="k")
    with pytest.raises(ValidationError, match=r"idempotency_key.*at_least_once"):
        with_key(DeliveryOptions(reliability="at_most_once"), "k")


@given(
    priority=st.sampled_from(Level),
    timeout_ms=st.integers(1_000, 300_000),
    max_retries=st.integers(1, 10),
)
def test_options_within_their_bounds_are_kept(priority, timeout_ms, max_retries):
    """Every one of them."""
    made = DeliveryOptions(priority=priority, timeout_ms=timeout_ms, max_retries=max_retries)
    assert (made.priority, made.timeout_ms, made.max_retries) == (priority, timeout_ms, max_retries)


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


@pytest.mark.parametrize("moment", [datetime(2100, 1, 1, tzinfo=UTC), 4_102_444_800_000])
def test_a_moment_is_kept_in_milliseconds(moment):
    """A datetime with its zone, or milliseconds since 1970, and the message shows it again."""
    options = DeliveryOptions(expires_at=moment)
    assert options.expires_at == 4_102_444_800_000
    assert Message(5, delivery_options=options).delivery_options == options


@pytest.mark.parametrize("moment", [datetime(2100, 1, 1), 0, -1, 1 << 63, 1.5, "tomorrow", True])  # noqa: DTZ001 (without its zone)
def test_what_is_no_moment_is_refused(moment):
    """A datetime without its zone is none: nobody could tell which moment is meant."""
    with pytest.raises(ValidationError, match="expires_at"):
        DeliveryOptions(expires_at=moment)

"""How often a message is tried, and when."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.delivery.retry import MOST_ATTEMPTS, RetryPolicy
from caxton.errors import ConfigurationError

DICE = st.floats(0, 1, exclude_max=True)
DELAYS_MS = st.integers(100, 300_000)
FACTORS = st.floats(1.1, 5)


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (1, 2), (3, 4), (10, 11), (11, 11), (-1, 1)])
def test_a_message_is_tried_once_more_than_it_may_be_retried(retries, attempts):
    """Up to ten times more, whatever its sender asks for."""
    assert RetryPolicy().attempts_of(retries) == attempts


@pytest.mark.parametrize(("retries", "attempts"), [(3, 6), (2, 3), (4, 5), (10, 11)])
def test_the_usual_number_is_the_runtimes(retries, attempts):
    """3 is what a message has of which nobody said anything; any other number is its sender's."""
    assert RetryPolicy(usual_retries=5).attempts_of(retries) == attempts


def test_the_waits_double_from_one_second_as_long_as_nobody_says_otherwise():
    """Each is spread over its upper half."""
    policy = RetryPolicy()
    assert [policy.delay_ms(attempts, 0.0) for attempts in (1, 2, 3, 4)] == [500, 1_000, 2_000, 4_000]
    assert [policy.delay_ms(attempts, 0.5) for attempts in (1, 2, 3, 4)] == [750, 1_500, 3_000, 6_000]


@given(delay_ms=DELAYS_MS, factor=FACTORS, attempts=st.integers(1, MOST_ATTEMPTS), dice=DICE)
def test_a_wait_is_within_the_upper_half_of_what_it_grew_to(delay_ms, factor, attempts, dice):
    """And never beyond five minutes."""
    grown = min(300_000, delay_ms * factor ** (attempts - 1))
    assert math.floor(grown / 2) <= RetryPolicy(delay_ms, factor).delay_ms(attempts, dice) <= grown


@given(delay_ms=DELAYS_MS, factor=FACTORS, attempts=st.integers(1, 10**9), dice=DICE)
def test_a_wait_is_never_shorter_after_more_attempts(delay_ms, factor, attempts, dice):
    """With the same dice, whatever the number; and never beyond five minutes."""
    policy = RetryPolicy(delay_ms, factor)
    assert policy.delay_ms(attempts, dice) <= policy.delay_ms(attempts + 1, dice) <= 300_000


@pytest.mark.parametrize(
    ("delay_ms", "factor", "option"),
    [
        (99, 2.0, "--retry-delay-ms"),
        (300_001, 2.0, "--retry-delay-ms"),
        (1_000, 1.09, "--retry-factor"),
        (1_000, 5.1, "--retry-factor"),
        (1_000, math.nan, "--retry-factor"),
    ],
)
def test_what_is_outside_the_bounds_is_refused(delay_ms, factor, option):
    """The error names which of the two."""
    with pytest.raises(ConfigurationError) as raised:
        RetryPolicy(delay_ms, factor)
    assert raised.value.what == option


@pytest.mark.parametrize(("delay_ms", "factor"), [(100, 1.1), (300_000, 5.0)])
def test_the_bounds_themselves_are_allowed(delay_ms, factor):
    """Both ends of each."""
    assert RetryPolicy(delay_ms, factor).delay_ms(1, 0.0) == delay_ms / 2

"""A breaker by example: closed, open, half-open."""

import pytest

from caxton.delivery.circuit_breaker import BreakerState, CircuitBreaker

S = 1_000_000_000


def opened(dice=0.0):
    """A breaker that opened at 0."""
    breaker = CircuitBreaker(3, 60.0)
    for _ in range(3):
        breaker.record_failure(0, dice)
    return breaker


def test_it_opens_after_so_many_failures_in_a_row():
    """A success between them begins the count anew."""
    breaker = CircuitBreaker(3)
    for _ in range(5):
        breaker.record_failure(0, 0.0)
        breaker.record_failure(0, 0.0)
        assert (breaker.state(0), breaker.retry_in_s(0)) == (BreakerState.CLOSED, 0)
        assert breaker.admits(0)
        breaker.record_success()
    for _ in range(3):
        breaker.record_failure(0, 0.0)
    assert breaker.state(0) is BreakerState.OPEN
    assert breaker.is_open(0)
    assert not breaker.admits(0)


@pytest.mark.parametrize(("dice", "wait_s"), [(0.0, 60), (0.5, 67.5), (1.0, 75)])
def test_it_is_open_for_its_timeout_and_up_to_a_quarter_more(dice, wait_s):
    """So that breakers that opened together do not probe together."""
    breaker = opened(dice)
    assert breaker.retry_in_s(0) == wait_s
    assert breaker.retry_in_s(15 * S) == wait_s - 15
    assert breaker.state(int(wait_s * S) - 1) is BreakerState.OPEN
    assert breaker.state(int(wait_s * S)) is BreakerState.HALF_OPEN
    assert breaker.retry_in_s(int(wait_s * S) + 1) == 0


def test_half_open_it_lets_one_probe_through_and_a_success_closes_it():
    """While the probe is out nobody else goes."""
    breaker = opened()
    assert breaker.admits(60 * S)
    assert not breaker.admits(61 * S)
    assert breaker.state(61 * S) is BreakerState.HALF_OPEN
    breaker.record_success()
    assert breaker.state(61 * S) is BreakerState.CLOSED
    assert breaker.retry_in_s(61 * S) == 0


def test_every_probe_that_fails_doubles_the_wait_up_to_five_minutes():
    """And a success ends that."""
    breaker, now_ns, waits = opened(), 0, []
    for _ in range(5):
        now_ns += int(breaker.retry_in_s(now_ns)) * S
        assert breaker.admits(now_ns)
        breaker.record_failure(now_ns, 0.0)
        assert breaker.state(now_ns) is BreakerState.OPEN
        waits.append(breaker.retry_in_s(now_ns))
    assert waits == [120, 240, 300, 300, 300]
    breaker.record_success()
    for _ in range(3):
        breaker.record_failure(now_ns, 0.0)
    assert breaker.retry_in_s(now_ns) == 60


def test_failures_of_what_was_under_way_do_not_keep_it_open_longer():
    """They left before it opened, and are no probes that failed."""
    breaker = opened()
    for second in range(50):
        breaker.record_failure(second * S, 1.0)
    assert breaker.retry_in_s(0) == 60


def test_a_probe_of_which_nothing_is_heard_is_followed_by_another():
    """After the same wait; otherwise a lost probe would keep the way shut for ever."""
    breaker = opened()
    assert breaker.admits(60 * S)
    assert not breaker.admits(120 * S - 1)
    assert breaker.admits(120 * S)


def test_the_next_probe_goes_at_once_when_its_time_has_come_though_the_last_one_left_late():
    """One probe does not hold back that of another opening."""
    breaker = opened()
    assert breaker.admits(1_000 * S)
    breaker.record_failure(1_000 * S, 0.0)
    assert breaker.admits(1_120 * S)

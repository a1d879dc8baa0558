import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.errors import FailedTooOften
from caxton.gateway.access import failures as failures_module
from caxton.gateway.access.failures import FAILURE_PERIOD_S, FAILURES_AT_ONCE, Failures


def fails(failures, address, now_s):
    """Whether a failure is answered as one, and not put off."""
    try:
        failures.count(address, now_s)
    except FailedTooOften:
        return False
    return True


def test_after_some_failures_an_address_waits():
    """Ten come at once, and one more each six seconds; other addresses have their own."""
    failures = Failures()
    assert [fails(failures, "192.0.2.1", 100.0) for _ in range(12)] == [True] * 10 + [False] * 2
    assert fails(failures, "192.0.2.2", 100.0)
    with pytest.raises(FailedTooOften) as error:
        failures.count("192.0.2.1", 105.5)
    assert error.value.retry_after_s == 0.5
    assert [fails(failures, "192.0.2.1", 106.0) for _ in range(2)] == [True, False]
    assert [fails(failures, "192.0.2.1", 1_000.0) for _ in range(11)] == [True] * 10 + [False]


@given(st.lists(st.floats(0, 30), min_size=1, max_size=60))
def test_no_time_has_more_failures_than_the_bucket_gives(steps):
    """However they come, of those in some time as many are answered as ten and what the time gives."""
    failures, now_s, taken = Failures(), 0.0, []
    for step in steps:
        now_s += step
        if fails(failures, "192.0.2.1", now_s):
            taken.append(now_s)
    for first, start in enumerate(taken):
        for last in range(first, len(taken)):
            most = FAILURES_AT_ONCE + (taken[last] - start) / FAILURE_PERIOD_S
            assert last - first + 1 <= most + 1e-6


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::1%eth1", True),
        ("", "a socket's path", False),
        ("x" * 200, "x" * 100, True),
    ],
)
def test_one_peer_is_one_network(one, other, same):
    """Whoever has a network of IPv6 has as many addresses as he likes; of IPv4 each is one peer."""
    failures = Failures()
    for _ in range(FAILURES_AT_ONCE):
        assert fails(failures, one, 0.0)
    assert fails(failures, other, 0.0) is not same


def test_no_more_addresses_are_kept_than_the_bound(monkeypatch):
    """Whoever failed longest ago is forgotten; whoever goes on failing is not."""
    monkeypatch.setattr(failures_module, "MOST_ADDRESSES", 3)
    failures = Failures()
    for _ in range(FAILURES_AT_ONCE):
        failures.count("192.0.2.1", 0.0)
    for number in range(2, 50):
        failures.count(f"192.0.2.{number}", 0.0)
        assert not fails(failures, "192.0.2.1", 0.0)
        assert len(failures) <= 3
    assert [fails(failures, "192.0.2.49", 0.0) for _ in range(10)] == [True] * 9 + [False]
    assert [fails(failures, "192.0.2.2", 0.0) for _ in range(11)] == [True] * 10 + [False]

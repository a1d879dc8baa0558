import pytest

from caxton.client.routes.pace import DROPPED_AT_ONCE, LONGEST_REST_S, MOST_DROPPED_A_SECOND, Pace


@pytest.fixture
def pace():
    return Pace()


def dropped(pace, count, size=0):
    for _ in range(count):
        pace.drop(size)


def test_so_much_is_dropped_at_once_and_no_more(pace):
    """Up to the bound nobody rests, and for each message beyond it as long as its part of a second."""
    dropped(pace, DROPPED_AT_ONCE)
    assert pace.rest_s(100.0) == 0
    dropped(pace, 500)
    assert pace.rest_s(100.0) == pytest.approx(500 / MOST_DROPPED_A_SECOND)


def test_no_more_is_dropped_in_a_second_than_the_bound(pace):
    """Who drops whenever there is no rest drops as many in a second as may be, and those that go at once."""
    now_s, count = 100.0, 0
    while now_s < 101.0 and count < 100_000:
        dropped(pace, 100)
        count += 100
        now_s += pace.rest_s(now_s)
    assert 50_000 <= count <= 50_000 + DROPPED_AT_ONCE + 100


def test_who_has_rested_may_drop_again(pace):
    """What was dropped long ago counts no more."""
    dropped(pace, 2 * DROPPED_AT_ONCE)
    assert pace.rest_s(100.0) > 0
    dropped(pace, DROPPED_AT_ONCE)
    assert pace.rest_s(101.0) == 0


def test_large_contents_weigh_more(pace):
    """Each KiB counts as a message."""
    dropped(pace, 1, size=(2 * DROPPED_AT_ONCE - 1) << 10)
    assert pace.rest_s(100.0) == pytest.approx(DROPPED_AT_ONCE / MOST_DROPPED_A_SECOND)


def test_nobody_rests_for_long(pace):
    """However much came at once, what is waited for is taken soon."""
    dropped(pace, MOST_DROPPED_A_SECOND)
    assert pace.rest_s(100.0) == pytest.approx(LONGEST_REST_S)

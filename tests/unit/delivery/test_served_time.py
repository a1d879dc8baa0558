import pytest

from caxton.delivery.served_time import MOST_STEP_NS, NS_PER_MS, ServedTime

SECOND_NS = 1_000 * NS_PER_MS


@pytest.fixture
def served():
    """The served time of a shard whose worker has begun to serve at 100 s of the monotonic clock."""
    served = ServedTime()
    served.go_on(100 * SECOND_NS)
    return served


def test_it_goes_on_while_a_worker_serves(served):
    """It has as much as the monotonic clock while somebody looks, and nothing from before the first look."""
    served.go_on(101 * SECOND_NS)
    served.go_on(103 * SECOND_NS)
    assert served.now_ms == 3_000


def test_a_moment_of_it_is_one_of_the_monotonic_clock(served):
    """What came three seconds of it ago came three seconds ago, also if that was in another life."""
    served.go_on(104 * SECOND_NS)
    assert served.since_ns(1_000) == 101 * SECOND_NS
    assert served.since_ns(-200_000) == -100 * SECOND_NS


@pytest.mark.parametrize("hour_s", [3_600, -3_600])
def test_a_jump_is_hardly_any_time(served, hour_s):
    """An hour in which the worker was stopped counts as some seconds, and time never goes back."""
    served.go_on((100 + hour_s) * SECOND_NS)
    after_ms = served.now_ms
    served.go_on((101 + hour_s) * SECOND_NS)
    assert after_ms == (MOST_STEP_NS // NS_PER_MS if hour_s > 0 else 0)
    assert served.now_ms == after_ms + 1_000


def test_a_successor_goes_on_from_the_last_commit(served):
    """What is stored adds up to what has passed, in whole milliseconds, and the next life begins with it."""
    served.go_on(100 * SECOND_NS + 2_700_000)
    stored_ms = served.to_store()
    served.go_on(100 * SECOND_NS + 5_400_000)
    stored_ms += served.to_store()
    assert (stored_ms, served.to_store(), served.not_stored_ms) == (5, 0, 0)

    successor = ServedTime()
    successor.restore(stored_ms)
    successor.go_on(7)
    assert (successor.now_ms, successor.to_store()) == (5, 0)

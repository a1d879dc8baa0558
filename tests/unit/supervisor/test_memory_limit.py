import pytest

from caxton.supervisor.workforce.memory_limit import MemoryLimit


@pytest.mark.parametrize(("resident", "exceeded"), [(0, None), (100, None), (101, 100)])
def test_only_beyond_the_limit_is_beyond(resident, exceeded):
    """A worker is beyond its limit when it holds more than that; the limit itself is allowed."""
    assert MemoryLimit(100).exceeded(0, resident, 5.0) == exceeded


def test_without_a_limit_nobody_is_beyond_it():
    """With no limit, no size is too large."""
    assert MemoryLimit(None).exceeded(0, 1 << 60, 5.0) is None


def test_a_shard_is_not_restarted_again_and_again():
    """A shard that is still beyond its limit is named again after 30 s, not before; others are by themselves."""
    limit = MemoryLimit(100)

    assert limit.exceeded(0, 200, 0.0) == 100
    assert limit.exceeded(0, 200, 29.0) is None
    assert limit.exceeded(1, 200, 29.0) == 100
    assert limit.exceeded(0, 200, 30.0) == 100

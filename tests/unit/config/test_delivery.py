import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.config.delivery import DeliverySettings
from caxton.errors import ConfigurationError

BOUNDS = {
    "dead_letter_capacity": (10_000, 10_000_000),
    "retry_delay_ms": (100, 300_000),
    "retry_factor": (1.1, 5.0),
    "breaker_threshold": (1, 100),
    "breaker_timeout_s": (5.0, 300.0),
}


@pytest.mark.parametrize("field", BOUNDS)
def test_the_bounds_themselves_are_allowed(field):
    """Every number may be as small and as large as its bounds say."""
    for value in BOUNDS[field]:
        assert getattr(DeliverySettings(**{field: value}), field) == value


@pytest.mark.parametrize("field", BOUNDS)
def test_numbers_outside_their_bounds_are_refused(field):
    """A number beyond its bounds is a ConfigurationError that names its option and the bounds."""
    least, most = BOUNDS[field]
    step = 1 if isinstance(least, int) else 0.01
    for wrong in (least - step, most + step, float("nan")):
        with pytest.raises(ConfigurationError, match=f"--{field.replace('_', '-')}: .*choose from"):
            DeliverySettings(**{field: wrong})


@given(st.integers(10_000, 10_000_000), st.integers(1, 32))
def test_the_shares_make_up_the_capacity(capacity, shards):
    """The shards' shares differ by one at most, and together they are the capacity."""
    settings = DeliverySettings(dead_letter_capacity=capacity)

    shares = [settings.capacity_of(shard, shards) for shard in range(shards)]

    assert sum(shares) == capacity
    assert max(shares) - min(shares) <= 1


@given(st.integers(10_000, 10_000_000), st.booleans(), st.floats(1.1, 5.0))
def test_settings_travel_as_they_are(capacity, eviction, factor):
    """What is encoded comes out equal."""
    settings = DeliverySettings(dead_letter_capacity=capacity, dead_letter_eviction=eviction, retry_factor=factor)

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(settings), type=DeliverySettings) == settings

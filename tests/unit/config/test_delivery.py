import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.config.delivery import DeliverySettings, retention_ms
from caxton.errors import ConfigurationError

BOUNDS = {
    "inbound_queue_size": (1, 100_000),
    "outbound_queue_size": (64, 8_192),
    "max_retries": (1, 10),
    "dead_letter_capacity": (10_000, 10_000_000),
    "retry_delay_ms": (100, 300_000),
    "retry_factor": (1.1, 5.0),
    "breaker_threshold": (1, 100),
    "breaker_timeout_s": (5.0, 300.0),
    "effects_on_disk_mib": (1, 16_384),
    "states_mib": (1, 16_384),
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


@pytest.mark.parametrize(("text", "seconds"), [("60s", 60), ("90m", 5_400), ("36h", 129_600), ("7d", 604_800)])
def test_a_retention_is_written_with_its_unit(text, seconds):
    """Seconds, minutes, hours and days, in whole numbers."""
    assert retention_ms(text) == seconds * 1_000


@pytest.mark.parametrize("text", ["", "7", "d", "7 d", "-7d", "1.5d", "7w", "9" * 10 + "d", "\ud800"])
def test_what_is_no_retention_says_how_it_is_written(text):
    """Anything else is a ConfigurationError that names the option and gives examples."""
    with pytest.raises(ConfigurationError, match=r"--retention: .*write it as 90m, 36h or 7d"):
        retention_ms(text)


@pytest.mark.parametrize("text", ["59s", "3651d"])
def test_a_retention_has_bounds(text):
    """It is a minute to ten years."""
    with pytest.raises(ConfigurationError, match=r"--retention: .*choose from 1m to 3650d"):
        DeliverySettings(retention_ms=retention_ms(text))


@pytest.mark.parametrize(("most", "of_one", "part"), [(1_024, None, 256), (3, None, 1), (8, 8, 8), (8, 1, 1)])
def test_one_receiver_has_a_part_of_the_disk(most, of_one, part):
    """It is a quarter of the shard's, and a MiB at least, unless it is set, up to all of it."""
    settings = DeliverySettings(effects_on_disk_mib=most, receiver_on_disk_mib=of_one)

    assert settings.of_one_on_disk_mib == part


@pytest.mark.parametrize("of_one", [0, -1, 9])
def test_one_receiver_has_no_more_than_all(of_one):
    """A receiver's part beyond the shard's is a ConfigurationError that names both options."""
    with pytest.raises(ConfigurationError, match=r"--receiver-on-disk-mib: .*from 1 to 8, which is --effects-on-disk-"):
        DeliverySettings(effects_on_disk_mib=8, receiver_on_disk_mib=of_one)


@pytest.mark.parametrize(("on_disk", "states", "most"), [(1_024, None, 256), (3, None, 1), (8, 16_384, 16_384)])
def test_states_have_a_part_beside_the_disk(on_disk, states, most):
    """They may come to a quarter of what effects have on the disk, and to a MiB at least, unless that is set."""
    assert DeliverySettings(effects_on_disk_mib=on_disk, states_mib=states).most_states_mib == most


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

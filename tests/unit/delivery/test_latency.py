"""Histograms of times: how exact they are, and what they say of a whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.delivery.latency import BUCKETS, begins_us, bucket_of, percentile_us, together

HALF_AN_HOUR_US = 1_800_000_000


@given(st.integers(0, HALF_AN_HOUR_US))
def test_a_time_lies_in_its_bucket_which_is_a_quarter_wide_at_most(took_us):
    """No time up to half an hour is told as one that is more than a quarter, or a microsecond, off."""
    bucket = bucket_of(took_us * 1_000 + 999)
    least, beyond = begins_us(bucket), begins_us(bucket + 1)
    assert least <= took_us < beyond
    assert beyond - least <= max(1, least / 4)


@pytest.mark.parametrize(("took_ns", "bucket"), [(-5, 0), (0, 0), (999, 0), (1_000, 1), (1 << 70, BUCKETS - 1)])
def test_what_is_beyond_the_buckets_counts_in_the_first_or_the_last(took_ns, bucket):
    """A clock that stood, or a time of weeks, is no error."""
    assert bucket_of(took_ns) == bucket


@given(st.lists(st.integers(0, HALF_AN_HOUR_US), min_size=1, max_size=200), st.floats(0.001, 1))
def test_a_percentile_is_that_of_the_times_themselves_but_for_a_bucket(times_us, part):
    """At most a quarter off what one gets from the times."""
    buckets = [0] * BUCKETS
    for took_us in times_us:
        buckets[bucket_of(took_us * 1_000)] += 1
    exact = sorted(times_us)[max(0, -int(-part * len(times_us) // 1) - 1)]
    bucket = bucket_of(exact * 1_000)
    assert begins_us(bucket) <= percentile_us(buckets, part) <= begins_us(bucket + 1)


def test_nothing_has_no_percentile():
    """Where nothing was measured, no time is made up."""
    assert percentile_us([], 0.5) is None
    assert percentile_us([0, 0], 0.99) is None


def test_histograms_of_different_lengths_are_added():
    """Also of a worker that has fewer buckets; empty ones at the end are left out."""
    assert together([[1, 2], (), (0, 1, 0, 0)]) == [1, 3]
    assert together([]) == []

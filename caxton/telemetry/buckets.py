"""The buckets of histograms, in seconds, as they are written for others."""

from collections.abc import Sequence

from caxton.delivery.latency import BUCKETS, begins_us

_US_PER_S = 1_000_000
# Where a bucket ends, but the last, which has all that took longer. It has what took less than where the next begins.
BOUNDS_S = [begins_us(bucket + 1) / _US_PER_S for bucket in range(BUCKETS - 1)]


def counts_of(buckets: Sequence[int]) -> list[int]:
    """Return how many there are in each bucket; those that are not there are empty."""
    return [*buckets, *[0] * (BUCKETS - len(buckets))]


def sum_s(buckets: Sequence[int]) -> float:
    """Return how long all of them took together, as if each were in the middle of its bucket."""
    return sum(count * _middle_s(bucket) for bucket, count in enumerate(buckets))


def _middle_s(bucket: int) -> float:
    last = bucket == BUCKETS - 1
    return (begins_us(bucket) + (begins_us(bucket) if last else begins_us(bucket + 1))) / 2 / _US_PER_S

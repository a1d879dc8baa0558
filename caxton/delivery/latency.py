"""How long things take, in histograms of 120 buckets: four to each doubling, from a microsecond to half an hour.

A time is told as if those of a bucket were spread evenly over it, so it is at most a quarter off.
"""

from collections.abc import Iterable, Sequence
from itertools import zip_longest

BUCKETS = 120
NS_PER_US = 1_000
# The names in a worker's book, and what each says. One message speaks for several: docs/operating.md says for which.
LATENCIES = {
    "routing": "from when the frame with a message was read until it stood in its mailbox, or its turn began",
    "waiting": "from when a message was placed until its turn began",
    "processing": "a turn, from its beginning to its end",
    "commit": "a commit of the durable lane, from its beginning until it is on disk",
}
# Of those that took least, so large a part took no longer.
PERCENTILES = {"p50_us": 0.5, "p90_us": 0.9, "p99_us": 0.99, "p999_us": 0.999}
# The highest bits of a time that its bucket keeps: the first, which is set, and two.
_FIRST_BITS = 3


def bucket_of(took_ns: int) -> int:
    """Return the bucket of a time; beyond the last one's it is the last."""
    took_us = max(0, took_ns) // NS_PER_US
    shift = max(0, took_us.bit_length() - _FIRST_BITS)
    return min(4 * shift + (took_us >> shift), BUCKETS - 1)


def begins_us(bucket: int) -> int:
    """Return the least time of a bucket, in microseconds."""
    shift = max(0, bucket // 4 - 1)
    return bucket - 4 * shift << shift


def percentile_us(buckets: Sequence[int], part: float) -> float | None:
    """Return the time that `part` of all (0 to 1) took no longer than, in microseconds; None when there are none."""
    total = sum(buckets)
    if not total:
        return None
    left = part * total
    last = 0
    for bucket, count in enumerate(buckets):
        if count:
            last = bucket
            if left <= count:
                break
            left -= count
    least = begins_us(last)
    return least + (begins_us(last + 1) - least) * min(1.0, left / buckets[last])


def together(histograms: Iterable[Sequence[int]]) -> list[int]:
    """Return the sum of several histograms, without the empty buckets at its end."""
    summed = [sum(counts) for counts in zip_longest(*histograms, fillvalue=0)]
    while summed and not summed[-1]:
        del summed[-1]
    return summed

"""What a metric is, before any library writes it: plain values with a name, a kind and a sentence."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from heapq import nlargest
from typing import NamedTuple, TypeAlias

# Values of one label that nobody here has counted: beyond, those with the least are told as one.
MOST_VALUES = 64
# A label's value beyond so many characters is cut; names of agents are no longer.
LONGEST_VALUE = 200
# What stands for all values that are not told.
OTHER = "other"


class Kind(StrEnum):
    """counter: only grows, until what counts it starts anew. gauge: as it is now."""

    COUNTER = "counter"
    GAUGE = "gauge"


class Family(NamedTuple):
    """All values of one metric. labels: their names; samples: for each row of their values, the metric's.

    name: without the `_total` that a counter's ends with where it is written.
    """

    name: str
    kind: Kind
    says: str
    labels: tuple[str, ...]
    samples: Mapping[tuple[str, ...], float]


class Exemplar(NamedTuple):
    """A turn that stands for a bucket. trace_id: 32 hex digits; span_id: 16. at_ns: when it ended, since 1970."""

    trace_id: str
    span_id: str
    seconds: float
    at_ns: int


class Histogram(NamedTuple):
    """How long something took. buckets: how many there are in each of those of `caxton.delivery.latency`.

    exemplars: a turn that was sampled, by its bucket.
    """

    name: str
    says: str
    buckets: Sequence[int]
    exemplars: Mapping[int, Exemplar] = {}


Told: TypeAlias = Family | Histogram


def counter(name: str, says: str, value: float) -> Family:
    """Return one that only grows, with one value."""
    return Family(name, Kind.COUNTER, says, (), {(): value})


def gauge(name: str, says: str, value: float) -> Family:
    """Return one with the one value that it has now."""
    return Family(name, Kind.GAUGE, says, (), {(): value})


def of_label(name: str, kind: Kind, says: str, label: str, values: Mapping[str, float]) -> Family:
    """Return one with a value for each value of a label, of which there are at most 64, and `other`."""
    told = values
    if len(values) > MOST_VALUES:
        told = dict(nlargest(MOST_VALUES, values.items(), key=lambda item: item[1]))
        left = sum(values.values()) - sum(told.values())
        told[OTHER] = told.get(OTHER, 0) + left
    return Family(name, kind, says, (label,), {(key,): value for key, value in told.items()})

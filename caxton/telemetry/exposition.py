"""The text that Prometheus reads: the only place that knows `prometheus-client`, which the extra `http` brings."""

from collections.abc import Iterable, Iterator

from caxton.delivery.latency import BUCKETS, begins_us
from caxton.errors import ConfigurationError
from caxton.printable import printable
from caxton.telemetry.families import Parts, families
from caxton.telemetry.family import LONGEST_VALUE, Histogram, Kind, Told
from caxton.wire.told import Health, RouterStats

try:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
except ImportError:
    raise ConfigurationError("metrics", "prometheus-client is not installed", "pip install 'caxton[http]'") from None

CONTENT_TYPE = CONTENT_TYPE_LATEST
_US_PER_S = 1_000_000
# A bucket has what took less than where the next one begins; the last has all that took longer.
_ENDS = [repr(begins_us(bucket + 1) / _US_PER_S) for bucket in range(BUCKETS - 1)] + ["+Inf"]
_NOTHING_ELSE = Parts()


class _Collected:
    """One look at a runtime, as a registry asks for it."""

    def __init__(self, told: Iterable[Told]) -> None:
        self._told = told

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics in their order."""
        return map(_metric, self._told)


def exposition(stats: RouterStats, health: Health, parts: Parts = _NOTHING_ELSE) -> bytes:
    """Return all metrics of one moment as text of CONTENT_TYPE, in UTF-8.

    stats, health: what `client.stats()` and `client.health()` told. parts: what else was; whatever is None is left out,
    and `caxton_scrape_parts` says so. It keeps nothing, and takes some milliseconds whatever the number of agents.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(families(stats, health, parts)))
    text: bytes = generate_latest(registry)
    return text


def _metric(told: Told) -> Metric:
    if isinstance(told, Histogram):
        return _histogram(told)
    kind = CounterMetricFamily if told.kind is Kind.COUNTER else GaugeMetricFamily
    metric = kind(told.name, told.says, labels=told.labels)
    for values, value in told.samples.items():
        metric.add_metric([printable(text, LONGEST_VALUE) for text in values], value)
    return metric


def _histogram(told: Histogram) -> Metric:
    counted, seconds = 0, 0.0
    ends: list[tuple[str, float]] = []
    for bucket, end in enumerate(_ENDS):
        count = told.buckets[bucket] if bucket < len(told.buckets) else 0
        counted += count
        seconds += count * _middle_s(bucket)
        ends.append((end, counted))
    return HistogramMetricFamily(told.name, told.says, buckets=ends, sum_value=seconds)


def _middle_s(bucket: int) -> float:
    last = bucket == BUCKETS - 1
    return (begins_us(bucket) + (begins_us(bucket) if last else begins_us(bucket + 1))) / 2 / _US_PER_S

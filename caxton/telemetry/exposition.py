"""The text that Prometheus reads: the only place that knows `prometheus-client`, which the extra `http` brings."""

from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import accumulate

from caxton.errors import ConfigurationError
from caxton.printable import printable
from caxton.telemetry.buckets import BOUNDS_S, counts_of, sum_s
from caxton.telemetry.families import Parts, families
from caxton.telemetry.family import LONGEST_VALUE, Exemplar, Histogram, Kind, Told
from caxton.wire.told import Health, RouterStats

try:
    from prometheus_client import CollectorRegistry, samples
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
    from prometheus_client.openmetrics import exposition as openmetrics
except ImportError:
    raise ConfigurationError(
        "metrics", "prometheus-client is not installed", "in a clone of Caxton: pip install '.[http]'"
    ) from None

_OPEN_METRICS = "application/openmetrics-text"


class Format(Enum):
    """As what it is written, by its media type."""

    TEXT = CONTENT_TYPE_PLAIN_0_0_4
    OPEN_METRICS = openmetrics.CONTENT_TYPE_LATEST


CONTENT_TYPE = Format.TEXT.value
_NS_PER_S = 1_000_000_000
_ENDS = [*map(repr, BOUNDS_S), "+Inf"]
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
    return written(families(stats, health, parts), Format.TEXT)


def written(told: Iterable[Told], form: Format) -> bytes:
    """Return metrics as text of one format, in UTF-8."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(told))
    write = openmetrics.generate_latest if form is Format.OPEN_METRICS else generate_latest
    text: bytes = write(registry)
    return text


def format_for(accept: str) -> Format:
    """Return the format for whoever accepts these media types: OpenMetrics where it is among them."""
    asked = {one.partition(";")[0].strip().lower() for one in accept.split(",")}
    return Format.OPEN_METRICS if _OPEN_METRICS in asked else Format.TEXT


def _metric(told: Told) -> Metric:
    if isinstance(told, Histogram):
        return _histogram(told)
    kind = CounterMetricFamily if told.kind is Kind.COUNTER else GaugeMetricFamily
    metric = kind(told.name, told.says, labels=told.labels)
    for values, value in told.samples.items():
        metric.add_metric([printable(text, LONGEST_VALUE) for text in values], value)
    return metric


def _histogram(told: Histogram) -> Metric:
    counts = counts_of(told.buckets)
    ends = [
        (end, counted) if bucket not in told.exemplars else (end, counted, _exemplar(told.exemplars[bucket]))
        for bucket, (end, counted) in enumerate(zip(_ENDS, accumulate(counts), strict=True))
    ]
    return HistogramMetricFamily(told.name, told.says, buckets=ends, sum_value=sum_s(counts))


def _exemplar(told: Exemplar) -> samples.Exemplar:
    return samples.Exemplar({"trace_id": told.trace_id, "span_id": told.span_id}, told.seconds, told.at_ns / _NS_PER_S)

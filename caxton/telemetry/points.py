"""Metrics as OpenTelemetry has them: the families that Prometheus reads, under the same names."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramData
from opentelemetry.sdk.resources import Resource

from caxton.printable import printable
from caxton.telemetry import family
from caxton.telemetry.buckets import BOUNDS_S, counts_of, sum_s
from caxton.telemetry.family import LONGEST_VALUE, Family, Kind, Told
from caxton.telemetry.moment import Moment
from caxton.telemetry.origin import SCOPE

_NS_PER_S = 1_000_000_000
# A runtime's start is worked out from how long it has run, which each look tells a little differently.
_SAME_START_NS = 5 * _NS_PER_S


class Starts:
    """When the counters of a runtime began: the same moment for as long as it is the same run."""

    def __init__(self) -> None:
        self._began_ns = 0

    def of(self, uptime_s: float, now_ns: int) -> int:
        """Return it in ns since 1970."""
        began_ns = now_ns - int(uptime_s * _NS_PER_S)
        if abs(began_ns - self._began_ns) > _SAME_START_NS:
            self._began_ns = began_ns
        return self._began_ns


def points_of(moment: Moment) -> int:
    """Return how many points the metrics of a moment have."""
    return sum(
        1 if isinstance(one, family.Histogram) else len(one.samples) for one in chain(moment.run, moment.gateway)
    )


def metrics_data(moment: Moment, began_ns: int, now_ns: int, resource: Resource) -> MetricsData:
    """Return all metrics of a moment. began_ns: when the runtime's counters began."""
    own_ns = int(moment.started_s * _NS_PER_S)
    metrics = [*_metrics(moment.run, began_ns, now_ns), *_metrics(moment.gateway, own_ns, now_ns)]
    scoped = ScopeMetrics(SCOPE, metrics, SCOPE.schema_url or "")
    return MetricsData([ResourceMetrics(resource, [scoped], "")])


def _metrics(told: Sequence[Told], began_ns: int, now_ns: int) -> Iterator[Metric]:
    for one in told:
        if isinstance(one, family.Histogram):
            yield Metric(one.name, one.says, "s", _histogram(one, began_ns, now_ns))
        elif one.samples:
            yield _numbers(one, began_ns, now_ns)


def _numbers(told: Family, began_ns: int, now_ns: int) -> Metric:
    is_counter = told.kind is Kind.COUNTER
    points = [
        NumberDataPoint(
            {name: printable(text, LONGEST_VALUE) for name, text in zip(told.labels, values, strict=True)},
            began_ns if is_counter else 0,
            now_ns,
            value,
        )
        for values, value in told.samples.items()
    ]
    data: Any = Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True) if is_counter else Gauge(points)
    return Metric(f"{told.name}_total" if is_counter else told.name, told.says, _unit(told.name), data)


def _histogram(told: family.Histogram, began_ns: int, now_ns: int) -> HistogramData:
    counts = counts_of(told.buckets)
    exemplars = [
        Exemplar({}, one.seconds, one.at_ns, int(one.span_id, 16), int(one.trace_id, 16))
        for one in told.exemplars.values()
    ]
    point = HistogramDataPoint(
        {},
        began_ns,
        now_ns,
        sum(counts),
        sum_s(counts),
        counts,
        BOUNDS_S,
        None,  # the least and the most are not known
        None,
        exemplars,
    )
    return HistogramData([point], AggregationTemporality.CUMULATIVE)


def _unit(name: str) -> str:
    """Return the unit that a name says, as UCUM writes it."""
    return next((unit for ending, unit in (("_seconds", "s"), ("_bytes", "By")) if name.endswith(ending)), "1")

"""Metrics as a collector is told of them."""

import logging

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics.export import MetricExportResult

from caxton.delivery.latency import BUCKETS, bucket_of
from caxton.errors import NetworkError
from caxton.telemetry.exemplars import Exemplars
from caxton.telemetry.exported import METRICS, NOT_TAKEN, Exported
from caxton.telemetry.families import families
from caxton.telemetry.family import Histogram, Kind, counter
from caxton.telemetry.metric_export import DEFAULT_PERIOD_S, MetricExport, period_s
from caxton.telemetry.moment import Moment
from caxton.telemetry.origin import is_wanted, resource
from caxton.telemetry.points import Starts, metrics_data, points_of
from caxton.wire.span import PROCESS, Span

NOW_NS, BEGAN_NS = 2_000_000_000, 1_000_000_000


@pytest.fixture
def moment(stats, health, parts):
    return Moment([*families(stats, health, parts)], stats.uptime_s, [counter("caxton_gateway_x", "x", 3)], 1.5)


def encoded(moment):
    """What travels, by name."""
    data = metrics_data(moment, BEGAN_NS, NOW_NS, resource())
    ((scope,),) = [one.scope_metrics for one in encode_metrics(data).resource_metrics]
    found = {metric.name: metric for metric in scope.metrics}
    kinds = [getattr(metric, metric.WhichOneof("data")) for metric in scope.metrics]
    assert points_of(moment) == sum(len(kind.data_points) for kind in kinds)
    return found


def labels(point):
    return tuple(attribute.value.string_value for attribute in point.attributes)


def test_every_metric_has_the_name_and_the_values_that_prometheus_reads(moment):
    """Counters only grow and say when they began; those without a value are left out."""
    found = encoded(moment)
    for one in moment.run:
        if isinstance(one, Histogram):
            assert found[one.name].histogram.data_points[0].count == sum(one.buckets)
            continue
        name = f"{one.name}_total" if one.kind is Kind.COUNTER else one.name
        if not one.samples:
            assert name not in found
            continue
        told = found[name].sum if one.kind is Kind.COUNTER else found[name].gauge
        assert {labels(point): point.as_double or float(point.as_int) for point in told.data_points} == one.samples
        assert found[name].description == one.says
        if one.kind is Kind.COUNTER:
            assert told.is_monotonic
            assert {point.start_time_unix_nano for point in told.data_points} == {BEGAN_NS}
    assert found["caxton_gateway_x_total"].sum.data_points[0].start_time_unix_nano == 1_500_000_000


def test_a_histogram_has_the_trace_of_a_turn_in_its_bucket():
    """Of each bucket the last that was sampled; turns of programs are in no histogram."""
    turns = [
        Span(
            trace_id="a" * 32,
            span_id=f"{at + 1:016x}",
            parent_id=None,
            name=name,
            began_ns=0,
            ended_ns=took,
            attributes=said,
        )
        for at, (name, took, said) in enumerate(
            [(PROCESS, 5_000, {}), (PROCESS, 5_500, {}), (PROCESS, 90_000, {"attached": True}), ("agent_spawn", 1, {})]
        )
    ]
    exemplars = Exemplars()
    exemplars.add(turns)
    buckets = [0] * BUCKETS
    buckets[bucket_of(5_000)] = 2
    told = exemplars.within(Histogram("caxton_message_processing_duration_seconds", "x", buckets))
    (point,) = encoded(Moment([told], 0.0, [], 0.0))[told.name].histogram.data_points

    (exemplar,) = point.exemplars
    assert (exemplar.trace_id.hex(), exemplar.span_id.hex(), exemplar.as_double) == ("a" * 32, f"{2:016x}", 5.5e-6)
    place = next(at for at, bound in enumerate(point.explicit_bounds) if exemplar.as_double <= bound)
    assert point.bucket_counts[place] == 2
    assert len(point.bucket_counts) == len(point.explicit_bounds) + 1 == BUCKETS


def test_the_counters_of_one_run_began_at_one_moment():
    """Whatever a look takes; another run begins anew."""
    starts = Starts()
    assert starts.of(10.0, 100_000_000_000) == 90_000_000_000
    assert starts.of(11.9, 102_000_000_000) == 90_000_000_000
    assert starts.of(1.0, 110_000_000_000) == 109_000_000_000


class Played:
    """A look and an exporter with these results."""

    rejected = 0

    def __init__(self, *results):
        self.results, self.taken, self.ended = [*results], [], False

    def export(self, data):
        self.taken.append(data)
        return self.results.pop(0)

    def shutdown(self):
        self.ended = True


async def test_what_a_collector_does_not_take_is_counted(moment):
    """And the next moment is told all the same, with the same beginning."""
    played, exported = Played(MetricExportResult.FAILURE, MetricExportResult.SUCCESS), Exported()

    async def look():
        return moment

    export = MetricExport(look, exported, played)
    await export.tell()
    await export.tell()

    assert exported.dropped[METRICS, NOT_TAKEN] == exported.taken[METRICS] > 100
    first, second = (
        next(m for m in data.resource_metrics[0].scope_metrics[0].metrics if m.name == "caxton_messages_total")
        for data in played.taken
    )
    starts = {point.start_time_unix_nano for metric in (first, second) for point in metric.data.data_points}
    assert len(starts) == 1


async def test_a_runtime_that_does_not_tell_is_asked_again(caplog):
    """Nothing is exported meanwhile, and the log says why."""
    caplog.set_level(logging.WARNING, "caxton.gateway")

    async def look():
        raise NetworkError("the runtime", "it ended")

    played = Played()
    await MetricExport(look, Exported(), played).tell()
    assert played.taken == []
    assert "metrics are not read now" in caplog.text


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 60.0), ("1000", 1.0), ("86400000", 86_400.0), ("999", 60.0), ("86400001", 60.0)]
)
def test_the_period_is_that_of_the_variable(text, seconds):
    """In milliseconds, from a second to a day."""
    assert period_s(text) == seconds


@pytest.mark.parametrize("text", ["soon", "1e3", "-5", "0", "nan", "1" * 5_000])
def test_a_period_that_cannot_be_is_not_taken(text, caplog):
    """It is logged, and cut where it is long."""
    caplog.set_level(logging.WARNING, "caxton.gateway")
    assert period_s(text) == DEFAULT_PERIOD_S
    assert len(caplog.text) < 1_000


def test_a_signal_is_turned_off_by_its_variable(monkeypatch):
    """As the specification says: `none`."""
    assert is_wanted(METRICS)
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", " None ")
    assert not is_wanted(METRICS)

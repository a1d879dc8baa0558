import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.delivery.latency import BUCKETS, begins_us, bucket_of
from caxton.telemetry.families import Parts, families
from caxton.telemetry.family import Histogram, Kind
from caxton.wire.busy import Busiest
from caxton.wire.told import Health, RouterStats

parser = pytest.importorskip("prometheus_client.parser", reason="the extra http is not installed")
exposition = pytest.importorskip("caxton.telemetry.exposition")

STATS = RouterStats(0.0, 0, 0, [], {}, {}, 0, {})
HEALTH = Health("healthy", None, [], 0.0, "", 0, "", "", 0, 0, [], [])


def read(text):
    """Every metric that a reader of Prometheus's text finds, by its name without `_total`."""
    return {found.name: found for found in parser.text_string_to_metric_families(text.decode("utf-8"))}


def test_what_is_written_is_what_is_read(stats, health, parts):
    """Each metric has its name, kind, sentence, labels and values, and there is no other."""
    found = read(exposition.exposition(stats, health, parts))
    told = {one.name: one for one in families(stats, health, parts)}

    assert found.keys() == told.keys()
    for name, one in told.items():
        assert found[name].documentation == one.says
        if isinstance(one, Histogram):
            assert found[name].type == "histogram"
            continue
        assert found[name].type == one.kind
        rows = {tuple(sample.labels.get(label, "") for label in one.labels): sample for sample in found[name].samples}
        assert {key: sample.value for key, sample in rows.items()} == one.samples
        suffix = "_total" if one.kind is Kind.COUNTER else ""
        assert {sample.name for sample in rows.values()} <= {f"{name}{suffix}"}


def test_the_type_of_the_content_is_told():
    """It is what a Prometheus of today reads, and the charset is the one in which it is written."""
    assert exposition.CONTENT_TYPE.startswith("text/plain; version=")
    assert "charset=utf-8" in exposition.CONTENT_TYPE


@given(st.lists(st.integers(0, 1_000), max_size=BUCKETS))
def test_a_histogram_adds_up(buckets):
    """Buckets only grow to the last, which is the count; the sum is as if all were in the middle of their buckets."""
    samples = exposition._metric(Histogram("caxton_x_seconds", "x", buckets)).samples
    ends = [(float(s.labels["le"]), s.value) for s in samples if s.name.endswith("_bucket")]
    count, total = (next(s.value for s in samples if s.name.endswith(end)) for end in ("_count", "_sum"))

    assert len(ends) == BUCKETS
    assert ends[-1] == (math.inf, sum(buckets))
    assert count == sum(buckets)
    assert ends == sorted(ends)
    assert [value for _, value in ends] == [sum(buckets[: at + 1]) for at in range(BUCKETS)]
    least = sum(n * begins_us(at) for at, n in enumerate(buckets)) / 1e6
    most = sum(n * begins_us(min(at + 1, BUCKETS - 1)) for at, n in enumerate(buckets)) / 1e6
    assert least <= total * (1 + 1e-9) + 1e-12
    assert total <= most * (1 + 1e-9) + 1e-12


@given(st.integers(0, 1 << 42))
def test_a_time_is_in_the_first_bucket_that_it_ends_before(took_ns):
    """Ends are in seconds, and those of the buckets in which workers count."""
    buckets = [0] * BUCKETS
    buckets[bucket_of(took_ns)] = 1
    samples = exposition._metric(Histogram("caxton_x_seconds", "x", buckets)).samples
    within = [float(s.labels["le"]) for s in samples if s.name.endswith("_bucket") and s.value]

    assert took_ns / 1e9 <= within[0]


HOSTILE = [
    'a"} 1\ncaxton_fake 1',
    "\\",
    "\\n",
    '"',
    "{",
    "é",
    "\u202egnp",
    "\r",
    "\x00",
    "\ud800",
    "other",
    "",
    "#",
    "x" * 500,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_of_an_agent_writes_a_line_of_its_own(agent, name):
    """What is read is as many metrics and samples as without it, and the name stands where it belongs."""
    parts = Parts(busiest=Busiest([agent(1, name)], 1_000, 1))
    usual = Parts(busiest=Busiest([agent(1, "echo")], 1_000, 1))
    text, other = (exposition.exposition(STATS, HEALTH, one) for one in (parts, usual))
    found, expected = read(text), read(other)

    assert text.count(b"\n") == other.count(b"\n")
    assert b"\r" not in text
    assert found.keys() == expected.keys()
    assert [len(found[key].samples) for key in found] == [len(expected[key].samples) for key in expected]
    shown = found["caxton_agent_turns_per_second"].samples[0].labels["agent"]
    assert shown == name or not name.isprintable() or len(name) > 200


def test_nothing_told_is_nothing_to_fear():
    """A runtime that has just begun is told in full: what has no value has a name and a sentence."""
    found = read(exposition.exposition(STATS, HEALTH))
    assert found["caxton_message_queue_size"].samples[0].value == 0
    assert found["caxton_dropped_by_supervisor"].samples == []

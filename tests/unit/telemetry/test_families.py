import subprocess
import sys

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from caxton.ids import AgentId
from caxton.telemetry.agent_families import MOST_AGENTS
from caxton.telemetry.families import Parts, families
from caxton.telemetry.family import MOST_VALUES, OTHER, Histogram, Kind, of_label
from caxton.wire.busy import Busiest
from caxton.wire.counters import COUNTERS
from caxton.wire.told import HealthReason, LimitWarning


@pytest.fixture
def told(stats, health, parts):
    """Every metric by its name."""
    return {one.name: one for one in families(stats, health, parts)}


def test_every_metric_has_one_name_and_a_sentence(stats, health, parts):
    """No two have the same, with and without what a kind adds to it."""
    found = [one.name for one in families(stats, health, parts)]
    assert len(found) == len(set(found))
    assert all(name.startswith("caxton_") and not name.endswith(("_total", "_count", "_sum")) for name in found)
    assert all(one.says for one in families(stats, health, parts))


def test_messages_are_told_by_what_became_of_them(told):
    """What did not fail succeeded; what was lost has its places, whose sum is told once."""
    assert told["caxton_messages_processed"].samples == {("success",): 97, ("failed",): 1, ("agent_error",): 2}
    assert told["caxton_messages"].samples == {("handled",): 97, ("failed",): 1, ("agent_errors",): 2, ("lost",): 3}
    assert told["caxton_messages_lost"].samples == {("mailboxes",): 2, ("links",): 1}


def test_counters_are_of_the_run_and_gauges_of_each_shard(told):
    """A shard without a worker has nothing; times are in seconds, and counters that nobody here knows are left out."""
    assert told["caxton_worker_refused"].kind is Kind.COUNTER
    assert told["caxton_worker_refused"].samples == {(): 9}
    assert told["caxton_shard_queued"].kind is Kind.GAUGE
    assert told["caxton_shard_queued"].samples == {("0",): 7}
    assert told["caxton_shard_oldest_seconds"].samples == {("0",): 1.5}
    assert told["caxton_shard_oldest_seconds"].says.startswith("for how many seconds")
    assert not any("later_release" in name for name in told)
    assert sum(name.startswith(("caxton_worker_", "caxton_shard_")) for name in told) == len(COUNTERS) + 5


def test_histograms_are_those_of_the_books(told):
    """What was not measured in this run has no time in any bucket."""
    assert told["caxton_message_routing_duration_seconds"].buckets == [1, 0, 2, *[0] * 17, 3]
    assert [len(one.buckets) for one in told.values() if isinstance(one, Histogram)] == [21, 0, 0, 0]


def test_health_is_told_in_numbers(told):
    """Of the statuses one holds; reasons count by name; the fullest of what is near a limit stands for all."""
    assert told["caxton_health_status"].samples == {("healthy",): 0, ("degraded",): 1, ("unhealthy",): 0}
    assert told["caxton_health_reasons"].samples == {("shard_down", "problem"): 2}
    assert told["caxton_limit_used_ratio"].samples == {("mailbox", "0"): 0.9}
    states = told["caxton_worker_state"].samples
    assert {key for key, value in states.items() if value} == {("0", "ready"), ("1", "restarting")}
    assert told["caxton_shard_agents_broken"].samples == {("0",): 2, ("1",): 0}
    assert told["caxton_shard_agents_failed"].samples == {("0",): 1, ("1",): 0}
    restarts = told["caxton_worker_restarts"].samples
    assert (restarts["0", "death"], restarts["0", "planned"]) == (2, 1)


def test_what_is_kept_is_told(told):
    """Figures that only grow are counters, the others are not."""
    assert told["caxton_ledger_messages"].samples["accepted",] == 10
    assert told["caxton_ledger_open_messages"].samples == {("pending",): 2, ("in_flight",): 0}
    assert told["caxton_ledger_balanced"].samples == {(): 1}
    assert told["caxton_dead_letters"].samples == {("expired",): 2, ("retry_limit",): 1}
    assert told["caxton_dead_letters_oldest_seconds"].samples == {(): 2.5}
    assert told["caxton_conversations_created"].samples == {(): 9}


def test_the_busiest_agents_have_names_and_all_others_one(told):
    """What others do is what all do but for these, and never less than nothing."""
    one, other = (str(AgentId(1)), "echo", "0"), (str(AgentId(2)), "tally", "0")
    rest = (OTHER, "", "")
    assert told["caxton_agent_turns_per_second"].samples == {one: 2, other: 100, rest: 98}
    assert told["caxton_agent_failures_per_second"].samples[rest] == 9
    assert told["caxton_agent_mailbox_messages"].samples[rest] == 84
    assert told["caxton_agent_events"].samples[*one, "failure"] == 4


def test_rates_of_two_moments_never_leave_less_than_nothing(stats, health, agent):
    """The busiest were looked at later than all: what they do more is not taken from the others."""
    parts = Parts(busiest=Busiest([agent(1, turns_per_s=500.0, queued=1_000)], 1_000, 1))
    told = {one.name: one for one in families(stats, health, parts)}
    assert told["caxton_agent_turns_per_second"].samples[OTHER, "", ""] == 0
    assert told["caxton_agent_mailbox_messages"].samples[OTHER, "", ""] == 0


def test_what_was_not_told_is_left_out(stats, health, parts):
    """One metric says of each part whether it is there; everything else is told all the same."""
    for name in parts._fields:
        told = {one.name: one for one in families(stats, health, parts._replace(**{name: None}))}
        assert {key for (key,), value in told["caxton_scrape_parts"].samples.items() if not value} == {name}
    told = {one.name: one for one in families(stats, health, Parts())}
    assert "caxton_dead_letters" not in told
    assert "caxton_health_status" in told


def test_series_have_a_bound(stats, health, parts, agent):
    """However many agents, reasons, places and limits there are, and with as many shards as there may be."""
    many = {f"reason {number}": number for number in range(5_000)}
    workers = [{"shard": number, **dict.fromkeys(COUNTERS, 1)} for number in range(32)]
    full = msgspec.structs.replace(
        stats, workers=workers, lost=many, errors_by_type=many, dropped_by_supervisor=many, totals=stats.totals | many
    )
    ill = msgspec.structs.replace(
        health,
        reasons=[HealthReason(name, "problem", 0, "", "", 0) for name in many],
        warnings=[LimitWarning(name, shard, "", 9, 10, "", 0) for name in many for shard in (None, 1)],
        components=dict.fromkeys(many, health.components["shard 0"]),
    )
    crowd = Busiest([agent(number, f"agent {number}") for number in range(1, 101)], 1_000, 10_000)
    letters = msgspec.structs.replace(parts.dead_letters, messages_by_reason=many)
    told = [*families(full, ill, parts._replace(busiest=crowd, dead_letters=letters))]
    series = {one.name: len(one.samples) for one in told if not isinstance(one, Histogram)}

    assert series["caxton_agent_turns_per_second"] == MOST_AGENTS + 1
    assert series["caxton_dead_letters"] == series["caxton_messages_lost"] == MOST_VALUES + 1
    assert max(series.values()) <= 32 * MOST_VALUES
    assert sum(series.values()) < 5_000


@example([1] * 70, True)
@given(st.lists(st.integers(0, 1 << 40), max_size=200), st.booleans())
def test_what_is_beyond_the_bound_is_told_as_one(counts, has_other):
    """Nothing is lost of the sum, the largest keep their names, and what is few stays as it is."""
    values = {f"reason {number}": count for number, count in enumerate(counts)}
    values |= {OTHER: 1 << 50} if has_other else {}
    told = of_label("caxton_x", Kind.GAUGE, "x", "x", values).samples

    assert sum(told.values()) == sum(values.values())
    assert len(told) <= MOST_VALUES + 1
    if len(values) <= MOST_VALUES:
        assert told == {(key,): value for key, value in values.items()}


def test_who_lacks_the_library_is_told_how_to_have_it():
    """Everything but the text that is written needs no library."""
    script = """
import sys
sys.modules["prometheus_client"] = None
import caxton.telemetry.families
from caxton.errors import ConfigurationError
try:
    import caxton.telemetry.exposition
except ConfigurationError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "metrics: prometheus-client is not installed; in a clone of Caxton: pip install '.[http]'\n"

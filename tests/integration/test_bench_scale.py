import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bench(tmp_path):
    """Runs a subcommand, which saves its result in `tmp_path`."""

    def run(*arguments):
        command = [sys.executable, "-m", "bench", *arguments, "-o", "json", "--results", str(tmp_path)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)

    return run


def test_scale_shows_what_a_message_costs_with_each_number_of_agents(bench):
    """A series has a row for each size with its rate and cost, and every message of it was answered."""
    done = bench("scale", "--by", "agents", "--most", "100", "--seconds", "1")

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    rows = result["by"]["agents"]
    assert [row["agents"] for row in rows] == [10, 100]
    assert rows[0]["ratio_to_first"] == 1
    first_us, second_us = (sum(row["cpu_us_each"].values()) for row in rows)
    assert rows[1]["ratio_to_first"] == pytest.approx(second_us / first_us, abs=0.01)
    assert all(row["round_trips_per_s"] > 0 and row["unanswered"] == 0 for row in rows)
    assert result["sent"] == result["answered"] > 0
    assert result["lost"] == result["lost_by_stats"] == result["refused"] == result["session_full"] == 0
    assert result["largest_to_base"]["agents"] == {"largest": 100, "base": 100, "ratio": 1.0}


def test_scale_registers_more_agents_than_take_part(bench):
    """The series of registered agents shows what registering them takes, in time and memory."""
    done = bench("scale", "--by", "registered", "--most", "1000", "--seconds", "1")

    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["by"]["registered"]
    assert (row["registered"], row["agents"]) == (1_000, 1_000)
    assert row["register_per_s"] > 0
    assert row["registered_kb_each"] > 0


def test_a_most_below_every_size_is_an_error_that_says_the_least(bench):
    """A largest size that leaves a series empty is refused before anything is started."""
    done = bench("scale", "--most", "300")

    assert done.returncode == 1
    told = json.loads(done.stderr)
    assert told["error"] == "ConfigurationError"
    assert "take 1000 or more" in told["message"]


def test_conversations_are_measured_beside_the_same_without(bench):
    """Each load has its rate, nothing is refused, and a conversation is looked at in some time above zero."""
    done = bench("conversations", "--lane", "durable", "--seconds", "1", "--agents", "20", "--only", "short")

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    without, short = result["loads"]
    assert min(without["round_trips_per_s"], short["round_trips_per_s"], short["ratio_to_without"]) > 0
    assert (result["refused"], result["lane"]) == (0, "durable")
    assert 0 < result["look_ms"]["p50"] <= result["look_ms"]["p95"]
    assert 0 < result["bytes_each"] < 50_000


def test_lookups_are_measured_in_a_process_and_over_the_wire(bench):
    """Every lookup has its time above zero, at each size, and a batch is as large as it says."""
    done = bench("lookup", "--most", "1000", "--count", "50", "--workers", "1")

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    for where, figures in (("in_process", {"find_us", "shard_of_us"}), ("over_the_wire", {"list_s", "first_list_s"})):
        (row,) = result[where]["sizes"]
        assert row["agents"] == 1_000
        assert all(row[figure] > 0 for figure in figures)
        assert [batch["size"] for batch in result[where]["batches"]] == [10, 100, 1_000, 10_000]
        assert all(batch["batch_us"] > 0 for batch in result[where]["batches"])
    (wire,) = result["over_the_wire"]["sizes"]
    assert 0 < wire["inspect_us"]["p50"] <= wire["inspect_us"]["max"]
    assert 0 < wire["unknown_us"]["p50"] <= wire["unknown_us"]["max"]
    assert result["in_process"]["sizes"][0]["find_us"] < wire["inspect_us"]["p50"]


def test_choices_by_capability_are_measured_in_a_process_and_in_a_runtime(bench):
    """Every choice has its time above zero, each way."""
    arguments = "--agents", "1000", "--per-capability", "20", "--changes", "3", "--workers", "2"
    done = bench("capability", *arguments)

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["in_process"]["capabilities"] == 50
    assert set(result["in_process"]["warm_us"]) == {"round_robin", "least_connections", "response_time", "weighted"}
    figures = result["in_process"]["cold_us"], result["in_a_runtime"]["cold_us"], result["in_a_runtime"]["seen_us"]
    assert all(0 < figure["p50"] <= figure["p95"] <= figure["max"] for figure in figures)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["scale", "--seconds", "0"], "--seconds"),
        (["scale", "--by", "age"], "--by"),
        (["lookup", "--most", "999"], "--most"),
        (["lookup", "--count", "0"], "--count"),
    ],
)
def test_a_wrong_option_of_scale_or_lookup_is_named(bench, arguments, said):
    """An option that is out of its range is named, with exit code 2, before anything is started."""
    done = bench(*arguments)

    assert done.returncode == 2
    assert said in done.stderr

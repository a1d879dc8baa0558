import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from caxton.store.schema.migrations import SCHEMA_VERSION

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
LATENCY = ["p50", "p90", "p99", "p999", "max"]


@pytest.fixture
def bench(tmp_path):
    """Runs a subcommand, which saves its result in `tmp_path`."""

    def run(*arguments):
        command = [sys.executable, "-m", "bench", *arguments, "--results", str(tmp_path)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)

    return run


@pytest.fixture
def result_of(bench):
    """Runs a subcommand that must succeed, and returns its result."""

    def run(*arguments):
        done = bench(*arguments, "-o", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def assert_is_ascending(latency_us):
    assert list(latency_us) == LATENCY
    values = list(latency_us.values())
    assert values == sorted(values)
    assert values[0] > 0


@pytest.mark.parametrize("workers", [1, 2])
def test_throughput_answers_everything_beside_its_limit(result_of, workers):
    """Throughput shows a rate, its latencies and its limit, and every message that was sent was answered."""
    result = result_of("throughput", "--workers", str(workers), "--agents", "100", "--seconds", "1", "--window", "4")

    assert result["sent"] == result["answered"] > 0
    assert result["lost"] == result["lost_by_stats"] == result["refused"] == 0
    assert result["round_trips_per_s"] > 0
    assert result["ratio_to_limit"] == pytest.approx(
        result["round_trips_per_s"] / result["limit_round_trips_per_s"], abs=0.001
    )
    assert (result["workers"], result["agents"], result["payload"]) == (workers, 100, 100)
    assert_is_ascending(result["latency_us"])
    assert min(result["cpu_us_each"].values()) > 0
    assert result["machine"]["cores"] > 0


def test_durable_throughput_stands_beside_the_volatile_lane(result_of):
    """Durable throughput loses nothing, and shows both lanes, acknowledgements, commits and the fsync."""
    result = result_of("throughput", "--lane", "durable", "--agents", "100", "--seconds", "1")

    assert result["lane"] == "durable"
    assert result["sent"] == result["answered"] > 0
    assert result["lost"] == result["lost_by_stats"] == result["refused"] == result["dead_letters"] == 0
    assert result["ledger_balanced"] is True
    assert result["ratio_to_volatile"] == pytest.approx(
        result["round_trips_per_s"] / result["volatile_round_trips_per_s"], abs=0.001
    )
    assert result["acknowledged"] > 0
    assert result["commits_per_s"] > 0
    assert min(result["fsync_us"].values()) > 0
    for latency_us in ("latency_us", "volatile_latency_us"):
        assert_is_ascending(result[latency_us])
    for acknowledgement in ("idle", "under_load"):
        assert_is_ascending(result["acknowledgement_us"][acknowledgement])
    assert result["acknowledgement_us"]["idle"]["p50"] > min(result["fsync_us"].values()) / 2


def test_the_dashboard_stands_beside_the_same_run_without_it(result_of):
    """Pages are opened by a real browser for half of the stretches, and what they cost and keep is told."""
    if shutil.which("chromium") is None:
        pytest.skip("there is no chromium; scripts/system-packages installs it for root")
    result = result_of("dashboard", "--agents", "100", "--seconds", "1")

    assert min(result["round_trips_per_s"].values()) > 0
    assert result["rate_kept"] > 0
    assert result["first_visit"]["first_paint_ms"] > 0
    assert result["first_visit"]["bytes"] > 10_000
    assert result["gateway_share_of_a_core"] > 0
    assert min(*result["page_heap_bytes"].values(), *result["gateway_resident_bytes"].values()) > 0


@pytest.mark.parametrize("lane", ["durable", "volatile"])
def test_every_hop_leads_to_another_worker(result_of, lane):
    """Requests with hops are all answered, by the last of their agents, and the rate counts hops."""
    result = result_of("hops", "--agents", "20", "--hops", "3", "--seconds", "1", "--window", "2", "--lane", lane)

    assert result["sent"] == result["answered"] > 0
    assert result["lost"] == result["lost_by_stats"] == result["refused"] == 0
    assert result["ledger_balanced"] is True
    assert result["hops_per_s"] > 0
    assert ("ratio_to_volatile" in result) == (lane == "durable")
    assert (result["workers"], result["hops"], result["lane"]) == (2, 3, lane)
    assert_is_ascending(result["latency_us"])


def test_one_program_handles_all_it_is_sent(result_of):
    """Both lanes of one attached program are counted, and fast messages are answered while slow ones are under way."""
    result = result_of("attached", "--count", "1024", "--slow", "20")

    assert all(rate > 0 for rate in result["messages_per_s"].values())
    assert result["beside_slow"]["slow_waiting"] == 20
    assert_is_ascending(result["beside_slow"]["latency_us"])


def test_conversations_stand_beside_the_same_without(result_of):
    """Each load has its ratio to what it is compared with, nothing is refused, and the cheapest wins each round."""
    result = result_of("conversations", "--agents", "20", "--seconds", "1", "--only", "short,fipa-propose,nets")

    rows = {row["load"]: row for row in result["loads"]}
    assert [*rows] == ["without", "short", "proposals without", "fipa-propose"]
    assert (rows["without"]["ratio_to_without"], rows["proposals without"]["ratio_to_without"]) == (1, 1)
    assert min(row["round_trips_per_s"] for row in rows.values()) > 0
    assert result["refused"] == 0 < result["active"]
    assert [(row["bidders"], row["amiss"]) for row in result["nets"]] == [(10, 0), (100, 0)]
    assert min(row["rounds_per_s"] for row in result["nets"]) >= 0


def test_a_load_that_there_is_not_is_wrong_usage(bench):
    """And the usage names those that there are."""
    done = bench("conversations", "--only", "short,tall")
    assert done.returncode == 2
    assert "tall: take some of without,short,long" in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize("victim", ["workers", "supervisor", "all"])
def test_a_backlog_outlives_a_kill(result_of, victim):
    """Every message that waited for paused agents is handled after a kill, whoever was killed."""
    result = result_of("recovery", "--backlog", "3000", "--agents", "10", "--kill", victim)

    assert result["acknowledged"] == result["waited"] == result["processed"] == 3_000
    assert result["lost"] == result["dead_letters"] == 0
    assert result["ledger_balanced"] is True
    assert result["ready_s"] > 0
    assert result["replayed_per_s"] == pytest.approx(3_000 / result["replay_s"], rel=0.05)


def test_a_large_directory_is_brought_to_this_release_and_to_other_shards(result_of):
    """Every agent and message of a directory of an earlier version is there after both, and the ledger balances."""
    result = result_of("store", "--agents", "700", "--messages", "1301", "--shards", "2", "--to", "3")

    assert (result["from_version"], result["to_version"]) == (3, SCHEMA_VERSION)
    assert (result["agents_copied"], result["messages_copied"]) == (700, 1_301)
    assert result["complete"] is result["ledger_balanced"] is True
    assert result["migration_s"] >= 0 < result["reshard_rows_per_s"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["store", "--to", "33"], "--to"),
        (["throughput", "--window", "0"], "--window"),
        (["throughput", "--lane", "safe"], "--lane"),
        (["hops", "--workers", "1"], "--workers"),
        (["hops", "--hops", "25"], "--hops"),
        (["recovery", "--backlog", "0"], "--backlog"),
        (["recovery", "--kill", "nobody"], "--kill"),
        (["book", "--peers", "4097"], "--peers"),
    ],
)
def test_an_option_out_of_range_is_wrong_usage(bench, arguments, said):
    """An option that is out of its range is named, with exit code 2, before anything is started."""
    done = bench(*arguments)

    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hops", "--hops", "20", "--payload", "100"], "take at most 87, or fewer --hops"),
        (["recovery", "--backlog", "100000", "--agents", "1"], "take 2 or more, or a smaller --backlog"),
    ],
)
def test_options_that_do_not_fit_together_say_what_does(bench, arguments, said):
    """Options that contradict each other end as a ConfigurationError that says which values would do."""
    done = bench(*arguments, "-o", "json")

    assert done.returncode == 1
    told = json.loads(done.stderr)
    assert told["error"] == "ConfigurationError"
    assert said in told["message"]


def test_request_shows_latencies(result_of):
    """One request at a time has its percentiles, in ascending order."""
    result = result_of("request", "--count", "200", "--payload", "0")

    assert result["count"] == 200
    assert_is_ascending(result["latency_us"])


def test_a_book_is_read_beside_its_writer(result_of):
    """Every reading has its time, at rest and beside a writer, and the writer commits meanwhile."""
    result = result_of("book", "--count", "300", "--peers", "5", "--changes", "3")

    assert (result["count"], result["peers"], result["changes"]) == (300, 5, 3)
    assert result["commit_us"] > 0
    assert result["commits_per_s"] > 0
    for latency_us in ("read_at_rest_us", "read_at_rest_cpu_us", "read_beside_us", "read_beside_cpu_us"):
        assert_is_ascending(result[latency_us])


def test_agents_have_no_instance_before_their_first_message(result_of):
    """Agents are registered without an instance, each answers its first message, and each has one then."""
    result = result_of("agents", "--agents", "300", "--starts", "1")

    assert result["instances_before_first_use"] == 0
    assert result["instances_after_first_use"] == result["answered"] == 300
    assert result["deploy_many_per_s"] > 0
    assert result["ready_ms"]["median"] > 0
    assert result["first_deployment_ms"]["max"] > 0
    cached_ms = result["cached_deployment_ms"]
    assert cached_ms["max"] >= cached_ms["p99"] >= cached_ms["p90"] >= cached_ms["median"] > 0
    assert result["first_message_cold_ms"]["median"] > 0
    for latency_us in ("first_message_us", "next_message_us"):
        assert_is_ascending(result[latency_us])
    assert min(result["first_message_us"]["p50"], result["next_message_us"]["p50"]) > 0
    assert result["touched"] == 300
    assert result["touched_instance_kb_each"] > 0.9 * result["touched_memory_kb"] > result["idle_instance_kb_each"]


# With 96 batches under way, messages wait for credit when the worker dies: those never left, and are no loss.
@pytest.mark.parametrize("window", ["16", "96"])
def test_a_killed_worker_costs_exactly_what_the_stats_say(result_of, window):
    """After each kill the client misses as many answers as the runtime says it lost."""
    result = result_of("kill", "--runs", "3", "--agents", "200", "--window", window)

    assert result["equal_runs"] == result["of_runs"] == len(result["runs"]) == 3
    for run in result["runs"]:
        assert run["sent"] == run["answered"] + run["refused"] + run["lost_by_client"]
        assert run["lost_by_client"] == run["lost_by_stats"] == sum(run["lost_where"].values())


@pytest.mark.parametrize("word", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_bench_leaves_nothing_behind(tmp_path, word):
    """A bench that is told to end stops its runtime and removes its directories."""
    command = [sys.executable, "-m", "bench", "request", "--count", "10000000"]
    child = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path)}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    with child:
        served = wait_for_worker(psutil.Process(child.pid))
        child.send_signal(word)
        child.communicate(timeout=60)

    assert child.returncode != 0
    _, alive = psutil.wait_procs(served, timeout=60)
    assert alive == []
    assert list(tmp_path.iterdir()) == []


def wait_for_worker(parent):
    """Return every descendant of a bench, once there is a worker among them."""
    while parent.is_running():
        found = parent.children(recursive=True)
        if any(" ".join(process.cmdline()).startswith("caxton worker") for process in found):
            return found
    raise AssertionError("it ended before it had a worker")


def test_a_result_for_people_names_every_figure(bench):
    """Without -o json a result is a line for each figure."""
    done = bench("request", "--count", "50")

    assert done.returncode == 0
    assert "latency_us.p99" in done.stdout
    assert done.stderr.startswith("saved: ")

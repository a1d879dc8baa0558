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
        command = [sys.executable, "-m", "bench", *arguments, "--results", str(tmp_path)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)

    return run


def test_latency_counts_every_message_at_each_rate(bench):
    """Each rate has its percentiles, its curve and its counts, and the share is one of the maximum of the same run."""
    done = bench("latency", "--rates", "500", "--share", "0.02", "--seconds", "1", "-o", "json")

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    given, shared = result["rates"]
    assert (given["rate"], shared["rate"]) == (500, pytest.approx(0.02 * result["max_round_trips_per_s"], abs=1))
    assert result["lost"] == result["lost_by_stats"] == 0
    for one in (given, shared):
        assert one["sent"] == one["answered"] == 2 * one["rate"]  # a second of warm-up and one that is measured
        assert one["lost"] == one["refused"] == 0
        assert 0 < one["sent_per_s"] <= one["rate"]
        percentiles = list(one["latency_us"].values())
        assert 0 < percentiles[0] <= percentiles[-1] == max(percentiles)
        assert one["curve"] == sorted(one["curve"])
        assert [90.0, one["latency_us"]["p90"]] in one["curve"]


def test_sustain_looks_at_every_process(bench):
    """A rate that is held loses nothing, and the memory of client, supervisor and each worker is shown."""
    options = ["--rate", "500", "--seconds", "1", "--workers", "2", "--lane", "durable"]
    done = bench("sustain", *options, "-o", "json")

    assert done.stdout, done.stderr
    result = json.loads(done.stdout)
    assert done.returncode == (0 if result["held"] else 1)
    assert result["sent"] == result["answered"] == 1_000
    assert result["lost"] == result["lost_by_stats"] == 0
    assert result["ledger_balanced"] is True
    assert set(result["resident"]) == {"client", "supervisor", "worker_0", "worker_1"}
    first, last = result["samples"][0], result["samples"][-1]
    assert 0 <= first["at_s"] < last["at_s"]
    for name, resident in result["resident"].items():
        assert resident["start_bytes"] == first[name] > 1_000_000
        assert resident["grown_bytes"] == last[name] - first[name]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["latency", "--rates", "fast"], "'fast' is no rate"),
        (["latency", "--rates", "50000,,1"], "'' is no rate"),
        (["latency", "--rates", "50000,0"], "0 is out of range; give whole messages a second from 1 to 1000000"),
        (["latency", "--share", "1.5"], "--share"),
        (["sustain", "--rate", "1000001"], "--rate"),
        (["sustain", "--seconds", "0"], "--seconds"),
    ],
)
def test_a_rate_out_of_range_is_wrong_usage(bench, arguments, said):
    """What is no rate, or out of its range, is named with exit code 2, before anything is started."""
    done = bench(*arguments)

    assert done.returncode == 2
    assert said in done.stderr

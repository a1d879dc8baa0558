import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from caxton.errors import ConfigurationError

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bench(tmp_path):
    """Runs a subcommand, which saves its result in `tmp_path`."""

    def run(*arguments):
        command = [sys.executable, "-m", "bench", *arguments, "--results", str(tmp_path), "-o", "json"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)

    return run


@pytest.fixture
def result_of(bench):
    """Runs a subcommand that must succeed, and returns its result."""

    def run(*arguments):
        done = bench(*arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def _may_look(monkeypatch):
    """Leaves out what cannot be tried here: there is no py-spy, or the kernel forbids to look into another process."""
    monkeypatch.syspath_prepend(str(ROOT))
    from bench.sampling.py_spy import dump  # noqa: PLC0415 (the bench is no part of the package that is shipped)

    try:
        dump(os.getpid())
    except ConfigurationError as error:
        if "not permitted" in str(error) or "not installed" in str(error):
            pytest.skip(str(error))
        raise


@pytest.mark.usefixtures("_may_look")
def test_the_budget_adds_up(result_of):
    """The stages of a process add up to its computing time per turn, and next to nothing of it is of no known stage."""
    result = result_of("budget", "--lane", "durable", "--agents", "100", "--seconds", "1")

    assert result["sent"] == result["answered"] > 0
    assert result["lost"] == result["lost_by_stats"] == 0
    for process, seen in (("worker", {"sandbox", "turn", "commit", "pack"}), ("client", {"stamp", "answer", "load"})):
        rows = [row for row in result["stages"] if row["process"] == process]
        us = result["us_per_turn"][process]
        assert sum(row["us_per_turn"] for row in rows) == pytest.approx(us, abs=0.02)
        assert sum(row["share"] for row in rows) == pytest.approx(1, abs=0.02)
        assert sum(result["us_per_turn"][f"{process}_threads"].values()) == pytest.approx(us, abs=0.02)
        assert seen <= {row["stage"] for row in rows}
        assert sum(row["share"] for row in rows if row["stage"] == "other") < 0.1
        assert result["samples"][process] > 0
        assert 0 < result["kernel_us_per_turn"][process] < result["us_per_turn"][f"{process}_threads"]["main"]
    assert {"main", "commit"} <= {row["thread"] for row in result["stages"] if row["process"] == "worker"}
    assert "Sandbox.handle" in {row["function"] for row in result["hot"]}


@pytest.mark.usefixtures("_may_look")
def test_a_profile_shows_the_worker_at_work(result_of, tmp_path):
    """A recorded profile is where the result says, and in it is the sandbox."""
    result = result_of("profile", "--of", "worker", "--format", "flamegraph", "--seconds", "1", "--to", str(tmp_path))

    (profile,) = result["profiles"]
    picture = Path(profile["path"]).read_text(encoding="utf-8")
    assert profile["process"] == "worker"
    assert len(picture.encode()) == profile["bytes"]
    assert "<svg" in picture
    assert "Sandbox.handle" in picture


def test_a_profile_says_where_it_cannot_be_written(bench, tmp_path):
    """A folder that cannot be made ends the command before anything is started, with what to do."""
    (tmp_path / "file").touch()
    done = bench("profile", "--to", str(tmp_path / "file" / "folder"))

    assert done.returncode == 1
    assert "name a folder that can be written" in json.loads(done.stderr)["message"]


def test_each_bare_loop_does_more_than_the_one_before(result_of):
    """The limit has a rate and the computing time of each stage, and stands beside the stand-alone script."""
    result = result_of("limit", "--seconds", "0.5", "--agents", "100", "--window", "4")

    stages = {stage.pop("stage"): stage for stage in result["stages"]}
    assert list(stages) == ["frames", "messages", "sandbox", "commit"]
    for stage in stages.values():
        assert stage["us_each"] == pytest.approx(1e6 / stage["round_trips_per_s"], rel=0.02)
        assert min(stage["cpu_us_each"].values()) > 0
    of_workers = [stage["cpu_us_each"]["workers"] for stage in stages.values()]
    assert of_workers[0] < of_workers[1] < of_workers[2]
    assert stages["commit"]["fsync_us"] > 0
    assert result["sandbox_to_stand_alone"] == pytest.approx(
        stages["sandbox"]["round_trips_per_s"] / result["stand_alone_round_trips_per_s"], abs=0.001
    )


def test_a_stage_that_there_is_not_is_wrong_usage(bench):
    """A stage of no bare loop is named, with exit code 2, before anything is started."""
    done = bench("limit", "--stage", "actors")

    assert done.returncode == 2
    assert "--stage" in done.stderr

"""The runner of the tests at other speeds: what is around a run is what it says, and nothing of it stays behind."""

import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from faultlab.speeds import LONG, Ended, app

ROOT = Path(__file__).parents[2]
PROBE = """
import json, os
from pathlib import Path

import psutil
import pytest


{mark}
def test_probe(request):
    neighbours = [process.pid for process in psutil.Process(os.getppid()).children() if process.pid != os.getpid()]
    cores, seed = sorted(os.sched_getaffinity(0)), os.environ.get("PYTHONHASHSEED")
    with Path({path!r}).open("a") as file:
        file.write(json.dumps([neighbours, cores, [seed, request.config.getoption("randomly_seed", None)]]) + "\\n")
    assert {passes}
"""


@pytest.fixture
def speeds(tmp_path):
    """Runs one test of its own under the runner; returns the end of that, and what the test saw, each time it ran."""
    if importlib.util.find_spec("pytest_randomly") is None:
        pytest.skip("pytest-randomly is not installed; the extra caxton[test] has it")
    seen = tmp_path / "seen"

    def run(*options, passes=True, mark=""):
        test = tmp_path / "test_probe.py"
        test.write_text(PROBE.format(path=str(seen), passes=passes, mark=mark))
        command = [sys.executable, "-m", "faultlab.speeds", *options, str(test)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
        return done, [json.loads(line) for line in seen.read_text().splitlines()]

    return run


def test_a_short_run_has_one_core_a_neighbour_and_its_own_order(speeds):
    """The tests share one core with one other process, which ends with them, under the seed that was said."""
    before = os.sched_getaffinity(0)
    done, [(neighbours, cores, seed)] = speeds("--seed", "7")

    assert done.returncode == 0, done.stdout
    assert "beside a busy neighbour, another order, seed 7" in done.stdout
    assert (len(neighbours), len(cores), seed) == (1, 1, ["7", 7])
    assert not psutil.pid_exists(neighbours[0])
    assert os.sched_getaffinity(0) == before


def test_a_long_run_tries_every_setting_three_times(monkeypatch):
    """All tests, or those that are named, in each setting; each run in another order has a seed of its own."""
    runs = []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr("faultlab.speeds.run", lambda run, core=None: runs.append(run) or Ended(run, True, 1.0))
    done = CliRunner().invoke(app, ["--long", "-x", "tests/unit"])

    assert done.exit_code == 0
    assert Counter(run.setting.name for run in runs) == {setting.name: 3 for setting in LONG}
    assert len({run.seed for run in runs if run.setting.shuffled}) == 3
    assert all(run.words == ("-x", "tests/unit") for run in runs)
    assert sum(line.startswith("passed ") for line in done.stdout.splitlines()) == len(runs)


def test_runs_on_one_core_go_side_by_side(speeds):
    """Each has a core of its own where there are several, and what it prints is shown where it fails."""
    done, seen = speeds("--long", "--setting", "one core", "--runs", "2", passes=False)

    assert done.returncode == 1
    assert done.stdout.count("== begins on core ") == 2
    assert sum(line.startswith("1 failed") for line in done.stdout.splitlines()) == 2
    assert [len(cores) for _, cores, _ in seen] == [1, 1]
    assert len({core for _, [core], _ in seen}) == min(2, len(os.sched_getaffinity(0)))


def test_on_all_cores_tests_run_as_they_always_do(speeds):
    """As many files at once as there are cores for them."""
    done, [(_, cores, _)] = speeds("--long", "--setting", "all cores", "--runs", "1")

    assert done.returncode == 0, done.stdout
    assert "bringing up nodes" in done.stdout
    assert set(cores) == os.sched_getaffinity(0)


def test_benchmarks_are_left_out(speeds):
    """Tests that are `long` measure how fast something is, which is another thing at each speed; -m chooses others."""
    _, seen = speeds("-m", "not slow", mark="@pytest.mark.long")
    assert len(seen) == 1
    done, seen = speeds(mark="@pytest.mark.long")
    assert (done.returncode, len(seen)) == (0, 1)
    assert "1 deselected" in done.stdout


def test_a_setting_that_there_is_not_is_refused():
    """With those that there are."""
    done = CliRunner().invoke(app, ["--long", "--setting", "two cores"])

    assert done.exit_code == 1
    assert "choose one of all cores; one core; " in done.stderr


def test_without_its_plugin_nothing_is_run(monkeypatch):
    """Where there is nothing that takes another order, that is said with what to do, before any test is run."""
    runs = []
    monkeypatch.setattr("faultlab.speeds.run", lambda *run: runs.append(run))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "pytest_randomly" else name)
    done = CliRunner().invoke(app, [])

    assert done.exit_code == 1
    assert "pytest-randomly: it is not installed" in done.stderr
    assert runs == []


def test_a_run_that_fails_is_told(speeds):
    """One failure is the end of the runner, with the seed that repeats it."""
    done, _ = speeds("--seed", "9", passes=False)

    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("FAILED")
    assert done.stdout.endswith("seed 9\n")

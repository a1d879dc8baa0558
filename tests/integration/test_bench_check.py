import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHORT = ("--seconds", "1", "--rounds", "1", "-o", "json")


@pytest.fixture
def check(tmp_path):
    """Runs `check`, which saves its result in `tmp_path`."""

    def run(*arguments):
        command = [sys.executable, "-m", "bench", "check", *arguments, "--results", str(tmp_path / "results")]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)

    return run


@pytest.fixture
def wide(tmp_path):
    """The project's baseline with tolerances that hold on any machine, however busy: what it costs is for people."""
    baseline = json.loads((ROOT / "bench" / "baseline.json").read_text())
    for ratio in baseline["ratios"]:
        ratio["tolerance"] = 0.999 if ratio["better"] == "higher" else 1_000.0
    path = tmp_path / "wide.json"
    path.write_text(json.dumps(baseline))
    return path


def test_what_a_round_trip_costs_is_held_to_a_baseline(check, wide):
    """Each ratio of the baseline has its verdict or says why it has none, and nothing broken is exit code 0."""
    done = check(*SHORT, "--against", str(wide))

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["broken"] == []
    assert [verdict["name"] for verdict in result["verdicts"]] == [
        ratio["name"] for ratio in json.loads(wide.read_text())["ratios"]
    ]
    assert all(f"{verdict['name']}: " in done.stderr for verdict in result["verdicts"])
    assert len(result["rounds"]) >= 1
    assert min(result["rounds"][0]["limit"]["cpu_us_each"].values()) > 0


def test_a_baseline_that_is_not_there_is_told_before_anything_is_measured(check, tmp_path):
    """Without its baseline, `check` starts nothing and says how to make one."""
    done = check("--against", str(tmp_path / "nowhere.json"), "-o", "json")

    assert done.returncode == 1
    assert "--update" in json.loads(done.stderr)["message"]
    assert not (tmp_path / "results").exists()

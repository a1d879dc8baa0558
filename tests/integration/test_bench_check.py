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


def test_the_runtime_costs_what_the_baseline_says(check):
    """No ratio to the limit of the same run is worse than the project's baseline by more than its tolerance."""
    done = check(*SHORT)

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["broken"] == []
    assert [verdict["name"] for verdict in result["verdicts"] if verdict["skipped"] is None], "nothing was compared"
    assert all(f"{verdict['name']}: " in done.stderr for verdict in result["verdicts"])
    assert len(result["rounds"]) >= 1
    assert min(result["rounds"][0]["limit"]["cpu_us_each"].values()) > 0


def test_a_baseline_that_is_not_there_is_told_before_anything_is_measured(check, tmp_path):
    """Without its baseline, `check` starts nothing and says how to make one."""
    done = check("--against", str(tmp_path / "nowhere.json"), "-o", "json")

    assert done.returncode == 1
    assert "--update" in json.loads(done.stderr)["message"]
    assert not (tmp_path / "results").exists()

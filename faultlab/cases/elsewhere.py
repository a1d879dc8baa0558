"""Cases that tests or the bench hold already: run again here, so that the table is whole."""

import json
import re
import subprocess
import sys
from pathlib import Path

from faultlab.row import Row, Show

_ROOT = Path(__file__).resolve().parents[2]
_TIMEOUT_S = 900.0
_PASSED = re.compile(r"(\d+) passed")


def again(case: str, about: str, *tests: str, only: str) -> "Elsewhere":
    """Return a case that runs these test files again; `only` as pytest's -k."""
    return Elsewhere(case, about, tests, only)


class Elsewhere:
    """Callable as every case is."""

    def __init__(self, case: str, about: str, tests: tuple[str, ...], only: str) -> None:
        self._case, self._about, self._tests, self._only = case, about, tests, only

    def __call__(self, runs: int, show: Show) -> Row:
        """Run the tests so many times."""
        row = Row(self._case, self._about, runs)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *self._tests, "-k", self._only]
        for run in range(runs):
            show(run, f"run {run + 1} of {runs}")
            done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
            passed = _PASSED.search(done.stdout)
            row.notes["tests passed"] += int(passed[1]) if passed else 0
            row.claim(done.returncode == 0, f"run {run + 1} of the tests: {done.stdout[-1_000:]}")
        return row


def volatile_loss(runs: int, show: Show) -> Row:
    """Kill a receiver of the volatile lane: the loss that the runtime counts is the one that the client sees."""
    row = Row("13", "kill a receiver of the volatile lane: the loss is counted", runs)
    show(0, f"{runs} kills")
    command = [sys.executable, "-m", "bench", "kill", "--runs", str(runs), "-o", "json"]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    row.claim(done.returncode == 0, f"the bench ended with {done.returncode}: {done.stderr[-1_000:]}")
    if not done.stdout:
        return row
    for run in json.loads(done.stdout)["runs"]:
        row.acknowledged += run["answered"]
        row.lost += abs(run["lost_by_client"] - run["lost_by_stats"])
        row.notes["lost and counted"] += run["lost_by_stats"]
        row.recoveries_s.append(run["recovery_s"])
    return row

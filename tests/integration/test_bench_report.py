import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
RUN_ALL = """
import signal, sys
from pathlib import Path
from bench.report.runs import run_all
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
failed = run_all(sys.argv[2:], Path(sys.argv[1]), lambda line: print(line, flush=True))
print([(each.command, each.exit_code) for each in failed])
"""


@pytest.fixture
def run_all(tmp_path):
    """Starts subcommands one after the other, each of which saves its result in `tmp_path`."""
    command = [sys.executable, "-c", RUN_ALL, str(tmp_path / "results")]

    def start(*words):
        return subprocess.Popen(
            [*command, *words], cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, text=True
        )

    return start


def test_a_subcommand_that_fails_is_told_and_the_rest_go_on(run_all, tmp_path):
    """Each subcommand runs and saves its result with its command, also after one that fails, which is named."""
    with run_all("request --count 0", "request --count 20") as child:
        said, _ = child.communicate(timeout=60)

    assert "[1/2] python -m bench request --count 0" in said
    assert "[('python -m bench request --count 0', 2)]" in said
    [path] = (tmp_path / "results").iterdir()
    assert json.loads(path.read_bytes())["command"] == "python -m bench request --count 20"


def test_an_interrupted_run_leaves_nothing_behind(run_all, tmp_path):
    """When what runs them is told to end, the subcommand under way stops its runtime and removes its directories."""
    with run_all("request --count 10000000") as child:
        served = wait_for_worker(psutil.Process(child.pid))
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=60)

    _, alive = psutil.wait_procs(served, timeout=60)
    assert alive == []
    assert list(tmp_path.iterdir()) == []


def wait_for_worker(parent):
    """Return every descendant, once there is a worker among them."""
    while parent.is_running():
        found = parent.children(recursive=True)
        if any("caxton worker" in " ".join(process.cmdline()) for process in found):
            return found
    raise AssertionError("it ended before it had a worker")

"""Runs the subcommands that a report needs, each as a process of its own; one that fails does not end the others."""

import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[2]
# Longer than a runtime takes to drain and stop.
_END_TIMEOUT_S = 40.0


@dataclass(frozen=True)
class Failed:
    """A subcommand that ended with another exit code than 0, a signal's being negative."""

    command: str
    exit_code: int


def run_all(commands: Sequence[str], results_dir: Path, tell: Callable[[str], None]) -> list[Failed]:
    """Run each `python -m bench` with these words, and return those that failed.

    What they show of their progress goes to standard error, their results to `results_dir`. tell: told, before each,
    which it is. When this is interrupted, the subcommand under way is ended as well, and its runtime with it.
    """
    failed = []
    for number, words in enumerate(commands, 1):
        tell(f"[{number}/{len(commands)}] python -m bench {words}")
        if exit_code := _run(words, results_dir):
            failed.append(Failed(f"python -m bench {words}", exit_code))
            tell(f"failed with exit code {exit_code}: python -m bench {words}")
    return failed


def _run(words: str, results_dir: Path) -> int:
    command = [
        sys.executable,
        "-m",
        "bench",
        *shlex.split(words),
        "-o",
        "json",
        "--results",
        str(results_dir.absolute()),
    ]
    # A session of its own: Ctrl-C comes to us, and we pass it on once, while nothing else ends it meanwhile.
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.DEVNULL, start_new_session=True) as child:
        try:
            return child.wait()
        except BaseException:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(_END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                child.kill()
            raise

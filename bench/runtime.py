"""A runtime to measure: `caxton serve` as a child process, in fresh temporary directories that go when it ends."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from caxton.errors import ConfigurationError, Timeout

READY_TIMEOUT_S = 30.0
# Longer than a drain, after which the runtime kills its workers by itself.
STOP_TIMEOUT_S = 20.0
_COMMAND = (sys.executable, "-P", "-c", "from caxton.cli.main import main; main()")


@dataclass(frozen=True)
class Served:
    """A runtime that serves. ready_s: seconds from the spawn of `caxton serve` to the line that says it is ready."""

    runtime_dir: Path
    ready_s: float


@contextmanager
def serving(workers: int, options: Sequence[str] = ()) -> Iterator[Served]:
    """Serve from a child process until the block ends, however it ends; `options` are further ones of `caxton serve`.

    The child has a session of its own: Ctrl-C reaches only us, and we stop it in order. Raises ConfigurationError when
    it does not start (it has said why on stderr), Timeout when it is not ready in 30 s.
    """
    with TemporaryDirectory(prefix="bench-") as directory:
        runtime_dir, data_dir = Path(directory, "run"), Path(directory, "data")
        serve = ["serve", "-o", "json", "--workers", str(workers), *options]
        began_s = time.perf_counter()
        child = subprocess.Popen(
            [*_COMMAND, *serve, "--runtime-dir", str(runtime_dir), "--data-dir", str(data_dir)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            _await_ready(child)
            yield Served(runtime_dir, time.perf_counter() - began_s)
        finally:
            _stop(child)


def _await_ready(child: "subprocess.Popen[bytes]") -> None:
    """Return when the child has written the line that says it is ready.

    What it writes later stays in the pipe: a line for each death and restart of a worker, and 64 KiB of them fit.
    """
    if child.stdout is None:
        raise ValueError("the child's stdout is a pipe")
    deadline_s = time.monotonic() + READY_TIMEOUT_S
    told = b""
    while not any(json.loads(line).get("event") == "ready" for line in told.split(b"\n")[:-1]):
        readable, _, _ = select.select([child.stdout], [], [], max(0.0, deadline_s - time.monotonic()))
        if not readable:
            raise Timeout("starting a runtime to measure", READY_TIMEOUT_S)
        more = os.read(child.stdout.fileno(), 1 << 16)
        if not more:
            code = child.wait(STOP_TIMEOUT_S)
            raise ConfigurationError("the runtime to measure", f"it ended with exit code {code}", "see what it wrote")
        told += more


def _stop(child: "subprocess.Popen[bytes]") -> None:
    with child:
        child.terminate()
        try:
            child.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()

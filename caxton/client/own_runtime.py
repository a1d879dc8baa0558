"""A runtime of one's own: `caxton serve` as a child process, in temporary directories that go when it ends.

python -P -m caxton.client.own_runtime PARENT COMMAND…      becomes COMMAND, and ends when PARENT does
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from caxton.errors import ConfigurationError, Timeout

READY_TIMEOUT_S = 90.0
# Longer than a drain, after which the runtime kills its workers by itself.
STOP_TIMEOUT_S = 20.0
_PR_SET_PDEATHSIG = 1


@contextmanager
def own_runtime(workers: int | None, options: Sequence[str] = ()) -> Iterator[Path]:
    """Serve in a child process until the end of the block; yields the runtime directory.

    workers None: one for each core. `options` are further ones of `caxton serve`.

    The child has a session of its own, so that Ctrl-C reaches only us, and we stop it in order. Raises
    ConfigurationError when it does not start (it has said why on stderr), Timeout when it is not ready in 90 s.
    """
    with TemporaryDirectory(prefix="caxton-") as directory:
        runtime_dir = Path(directory, "run")
        serve = ["serve", "-o", "json", "--runtime-dir", str(runtime_dir), "--data-dir", str(Path(directory, "data"))]
        serve += [*options] if workers is None else ["--workers", str(workers), *options]
        python = [sys.executable, "-P"]
        child = subprocess.Popen(
            [*python, "-m", __name__, str(os.getpid()), *python, "-m", "caxton", *serve],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            _await_ready(child)
            yield runtime_dir
        finally:
            _stop(child)


def _await_ready(child: "subprocess.Popen[bytes]") -> None:
    """Return when the child has told that it is ready; what it tells before is kept, for the case that it never is."""
    if child.stdout is None:
        raise ValueError("the child's stdout is a pipe")
    deadline = monotonic() + READY_TIMEOUT_S
    told = b""
    while not any(_says_ready(line) for line in told.split(b"\n")[:-1]):
        readable, _, _ = select.select([child.stdout], [], [], max(0.0, deadline - monotonic()))
        if not readable:
            raise Timeout("starting a runtime", READY_TIMEOUT_S)
        more = os.read(child.stdout.fileno(), 1 << 16)
        if not more:
            code = child.wait(STOP_TIMEOUT_S)
            problem = f"`caxton serve` ended with exit code {code} {told.decode(errors='replace')}"
            raise ConfigurationError("a runtime of its own", problem.strip(), "see above what it said")
        told += more


def _says_ready(line: bytes) -> bool:
    return bool(json.loads(line).get("event") == "ready")


def _stop(child: "subprocess.Popen[bytes]") -> None:
    with child:
        child.terminate()
        try:
            child.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()


def main(parent: int, command: list[str]) -> None:
    """Become `command`, which is told to end (SIGTERM) when the process `parent` has ended, however it ends."""
    end_with(parent, signal.SIGTERM)
    os.execv(command[0], command)  # noqa: S606 (the command is ours, a list, and needs no shell)


def end_with(parent: int, number: signal.Signals) -> None:
    """Have the kernel send us a signal when the process `parent` has ended; ends here where it has ended already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        raise SystemExit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])

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
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from types import FrameType

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
    with TemporaryDirectory(prefix="caxton-") as directory, ExitStack() as stack:
        runtime_dir = Path(directory, "run")
        serve = ["serve", "-o", "json", "--runtime-dir", str(runtime_dir), "--data-dir", str(Path(directory, "data"))]
        serve += [*options] if workers is None else ["--workers", str(workers), *options]
        python = [sys.executable, "-P"]
        with interrupts_afterwards():
            child = subprocess.Popen(
                [*python, "-m", __name__, str(os.getpid()), *python, "-m", "caxton", *serve],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
            stack.callback(_stop, child)
        _await_ready(child)
        yield runtime_dir


@contextmanager
def interrupts_afterwards() -> Iterator[None]:
    """Handle SIGINT and SIGTERM that come in the block when it ends, where what they raise would come in its midst.

    Between the start of a child and the moment that it is known here, nobody could end it. Only the main thread
    handles signals; in others this does nothing.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    came: list[tuple[int, FrameType | None]] = []
    here = threading.current_thread() is threading.main_thread()
    held = {number: handler for number, handler in handlers.items() if here and callable(handler)}
    for number in held:
        signal.signal(number, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        for came_number, frame in came:
            held[signal.Signals(came_number)](came_number, frame)


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

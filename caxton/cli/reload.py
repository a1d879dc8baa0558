"""Runs this very command line anew whenever a Python file has changed: for programs that are being written."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from caxton.cli.output import print_text
from caxton.errors import ConfigurationError

OPTION = "--reload"
# Longer than a block waits for the calls that run, unless told otherwise.
_END_TIMEOUT_S = 15.0


def run_again_when_changed(folder: Path) -> int:
    """Run this command line without `--reload`, and again when a Python file below `folder` has changed.

    Returns 0 at Ctrl-C or SIGTERM, when what runs has ended. One that ends by itself is started at the next change.
    Raises ConfigurationError without the library that watches.
    """
    try:
        import watchfiles  # noqa: PLC0415 (an extra, for those who write programs)
    except ImportError:
        raise ConfigurationError(
            OPTION, "watchfiles is not installed", "in a clone of Caxton: pip install '.[reload]'"
        ) from None
    command = [sys.executable, *(word for word in sys.orig_argv[1:] if word != OPTION)]
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    changes = watchfiles.watch(
        folder, watch_filter=watchfiles.PythonFilter(), stop_event=over, raise_interrupt=False, debounce=400
    )
    # Python knows compiled code by the second in which its source was written, and by its size: within one second the
    # code of before a change would run again.
    env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    child = subprocess.Popen(command, env=env)
    try:
        for changed in changes:
            names = sorted({Path(path).name for _, path in changed})
            print_text(f"{', '.join(names)} changed: starting anew")
            _end(child)
            child = subprocess.Popen(command, env=env)
    finally:
        _end(child)
    return 0


def _end(child: subprocess.Popen[bytes]) -> None:
    """Let it finish; kill it if that takes too long."""
    child.terminate()
    try:
        child.wait(_END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()

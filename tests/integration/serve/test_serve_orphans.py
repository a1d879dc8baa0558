"""A supervisor that inherits processes, as process 1 of a container does."""

import os
import signal
import sys

# Becomes the command that follows, as a parent of processes that it did not start: one that ends soon, and twenty that
# this one leaves behind.
WITH_ORPHANS = """
import ctypes, os, subprocess, sys
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER
leave = "import subprocess, sys; [subprocess.Popen([sys.executable, '-c', '']) for _ in range(20)]"
subprocess.Popen([sys.executable, "-c", leave])
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_what_is_inherited_is_reaped_and_what_is_ours_is_waited_for(serve):
    """Orphans do not stay as zombies, and the exit code of a worker that dies meanwhile is still known."""
    served = serve(within=(sys.executable, "-P", "-c", WITH_ORPHANS))
    served.event("ready")
    workers = [worker["pid"] for worker in served.health()["workers"]]

    served.until(served.children, lambda children: len(children) == 3 and {*workers} < {*children})
    os.kill(workers[0], signal.SIGABRT)

    assert served.event("worker_died")["how"] == "killed by SIGABRT"
    served.event("worker_restarted")
    served.until(served.children, lambda children: len(children) == 3)

"""The pace of this machine, now: what is promised in seconds is promised of one that has nothing else to do."""

import subprocess
import sys
import time

# What every process of a runtime begins with, for as many of them as a runtime of two workers has; and how long two
# cores with nothing else to do take for it.
_BEGIN = [sys.executable, "-P", "-c", "import aiosqlite, msgspec, uvloop, wasmtime, zmq"]
_PROCESSES = 4
_BEGIN_S = 0.6


def pace() -> float:
    """Return how many times as long this machine takes now to begin as many processes as a runtime has; 1 at least.

    Takes about half a second. Raises CalledProcessError where they cannot begin.
    """
    began_s = time.monotonic()
    processes = [subprocess.Popen(_BEGIN) for _ in range(_PROCESSES)]
    code = max([process.wait() for process in processes], key=abs)
    if code:
        raise subprocess.CalledProcessError(code, _BEGIN)
    return max(1.0, (time.monotonic() - began_s) / _BEGIN_S)


def in_time(took_s: float, promised_s: float) -> bool:
    """Return whether something took what is promised, or as many times as long as this machine is slower now."""
    return took_s <= promised_s or took_s <= promised_s * pace()

"""The threads of a process: what each is called, and the computing time that it has taken."""

from collections.abc import Mapping
from pathlib import Path

import psutil

from bench.sampling.py_spy import dump

MAIN = "main"
# A thread that runs code of this file does one thing, whatever it is called.
_BY_FILE = {"aiosqlite/core.py": "commit"}
# Threads without Python, by the beginning of the name that they have in the kernel.
_BY_KERNEL_NAME = {"ZMQbg/IO": "zmq io", "ZMQbg/Reap": "zmq reaper"}
OTHER = "other"


def names_of(pid: int) -> dict[int, str]:
    """Return what each thread of a process is called, by its id: `main`, `commit`, `zmq io`, or Python's own name.

    Raises what `dump` raises.
    """
    names = {thread.id: _kernel_name(pid, thread.id) for thread in psutil.Process(pid).threads()}
    for thread in dump(pid):
        files = {frame["short_filename"] or frame["filename"] for frame in thread["frames"]}
        by_file = next((name for file, name in _BY_FILE.items() if file in files), None)
        names[int(thread["os_thread_id"])] = by_file or str(thread["thread_name"] or OTHER)
    return names | {pid: MAIN}


def computed_s(pid: int) -> dict[int, float]:
    """Return the seconds that each thread has computed, in user and kernel mode, in steps of 10 ms, by its id."""
    return {thread.id: thread.user_time + thread.system_time for thread in psutil.Process(pid).threads()}


def kernel_s(pid: int) -> float:
    """Return how many of the seconds that its main thread has computed were spent in the kernel, for its calls."""
    return sum(float(thread.system_time) for thread in psutil.Process(pid).threads() if thread.id == pid)


def us_by_name(
    before: Mapping[int, float], after: Mapping[int, float], names: Mapping[int, str], turns: int
) -> dict[str, float]:
    """Return the microseconds of computing that a turn took in threads of each name, the most first."""
    found: dict[str, float] = {}
    for thread, seconds in after.items():
        name = names.get(thread, OTHER)
        found[name] = found.get(name, 0.0) + (seconds - before.get(thread, 0.0)) * 1e6 / turns
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _kernel_name(pid: int, thread: int) -> str:
    try:
        said = Path(f"/proc/{pid}/task/{thread}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return OTHER  # it has ended meanwhile
    return next((name for start, name in _BY_KERNEL_NAME.items() if said.startswith(start)), OTHER)

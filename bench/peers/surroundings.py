"""What a peer finds around it: a folder of its own for everything that it writes, which is also its mark.

Whatever a peer starts inherits its temporary folder. So everything of it can be found, daemons too: to see what it
computed, and when it has ended.
"""

import os
import site
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_GONE_TIMEOUT_S = 10.0
# Peers put sockets into their temporary folder, below long names of their own; a socket's path holds 107 bytes.
_LONGEST_PARENT = 20
PATH = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))


@contextmanager
def surroundings() -> Iterator[dict[str, str]]:
    """Give the environment of one peer; at the end whoever still runs in it is killed, and its folder removed."""
    parent = tempfile.gettempdir()
    short = len(os.fsencode(parent)) <= _LONGEST_PARENT
    folder = tempfile.TemporaryDirectory(
        prefix="cx-peer-",
        dir=parent if short else "/tmp",  # noqa: S108 (fits sockets)
        ignore_cleanup_errors=True,
    )
    with folder as name:
        try:
            yield {
                **os.environ,
                "PATH": PATH,
                "TMPDIR": name,
                "HOME": name,
                "PYTHONUSERBASE": site.getuserbase(),  # which follows from HOME otherwise
                "XOSCAR_DIR": name,
                "SPT_NOENV": "1",  # a process that changes its title would overwrite its environment otherwise
            }
        finally:
            _kill_all_of(name)


def computing_s() -> dict[int, float]:
    """Return the computing time of each process in the surroundings of this one, by its id."""
    found = _all_of(os.environ["TMPDIR"]) if "TMPDIR" in os.environ else [psutil.Process()]
    times: dict[int, float] = {}
    for process in found:
        with suppress(psutil.NoSuchProcess):
            taken = process.cpu_times()
            times[process.pid] = taken.user + taken.system
    return times


def computed_since(before: Mapping[int, float]) -> float:
    """Return the seconds that all of them computed since then; those that have ended do not count."""
    return sum(taken_s - before.get(process, 0.0) for process, taken_s in computing_s().items())


def _all_of(folder: str) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _temporary_folder(process) == folder]


def _kill_all_of(folder: str) -> None:
    left = _all_of(folder)
    for process in left:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(left, timeout=_GONE_TIMEOUT_S)


def _temporary_folder(process: psutil.Process) -> str | None:
    try:
        found: str | None = process.environ().get("TMPDIR")
    except (psutil.Error, OSError):
        return None
    return found

"""What a peer finds around it: a folder of its own for everything that it writes, which is also its mark.

Whatever a peer starts inherits its temporary folder. So everything of it can be found when it has ended, daemons too.
"""

import os
import site
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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


def _kill_all_of(folder: str) -> None:
    left = [process for process in psutil.process_iter() if _temporary_folder(process) == folder]
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

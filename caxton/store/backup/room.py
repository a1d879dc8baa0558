"""Whether there is room for a backup, or for what is restored from one, told before anything is copied."""

import os
from pathlib import Path

from caxton.errors import StorageFull

# What is left free, so that a runtime on the same disk goes on.
SPARED_BYTES = 64 << 20


def check_room(directory: Path, needed: int, what: str) -> None:
    """Make sure that a directory, which need not be there yet, has room for so many bytes, and some to spare.

    Raises StorageFull, and OSError. what: is to be copied there.
    """
    there = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    found = os.statvfs(there)
    free = found.f_bavail * found.f_frsize
    if needed + SPARED_BYTES > free:
        problem = f"{what} takes {needed >> 20} MiB and leaves {SPARED_BYTES >> 20}, and {free >> 20} MiB are free"
        full = StorageFull(str(directory), problem)
        raise full.suggesting("make room, or name a directory on another disk")

"""What one fsync costs on the disk that a runtime writes to: every durable figure hangs on it."""

import os
import statistics
import time
from pathlib import Path

TIMES = 200
_BLOCK = b"\0" * 4_096


def fsync_us(directory: Path) -> float:
    """Return the median of 200 appends of 4 KB with fdatasync to a file in `directory`, which is removed, in µs.

    Raises OSError when the directory cannot be written to.
    """
    path = directory / "fsync"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        return statistics.median(_once(descriptor) for _ in range(TIMES)) * 1e6
    finally:
        os.close(descriptor)
        path.unlink()


def _once(descriptor: int) -> float:
    began_s = time.perf_counter()
    os.write(descriptor, _BLOCK)
    os.fdatasync(descriptor)
    return time.perf_counter() - began_s

"""The lock of a directory: one process serves from it at a time, and the lock's file says which.

The kernel drops the lock when its holder ends, however it ends, so a file that is left behind means nothing.
"""

import fcntl
import os
import time
from pathlib import Path

from caxton.errors import ConfigurationError
from caxton.store.regular_file import NotRegularFileError, opened

LOCK_NAME = "lock"
# Somebody who only asks who holds the lock (`holder`) has it for microseconds; a holder keeps it much longer.
_PATIENCE_S = 0.2


class DirectoryLock:
    """A held lock. Raises ConfigurationError, with the holder's pid, when another process has it."""

    def __init__(self, directory: Path) -> None:
        self._descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        give_up_at = time.monotonic() + _PATIENCE_S
        while not _try(self._descriptor, fcntl.LOCK_EX):
            if time.monotonic() > give_up_at:
                pid = _pid_in(self._descriptor)
                self.close()
                raise ConfigurationError(
                    str(directory),
                    f"in use by process {pid}",
                    "stop that runtime with `caxton stop`, or choose another directory",
                )
            time.sleep(_PATIENCE_S / 20)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Let go. Closing twice is fine."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def holder(directory: Path) -> int | None:
    """Return the pid of the process that holds a directory's lock: None when nobody does, 0 while it is not written."""
    try:
        descriptor = os.open(directory / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return None if _try(descriptor, fcntl.LOCK_SH) else _pid_in(descriptor)
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool | None:
    """True while some process holds the lock of a file, None when no regular file is there.

    True too when it cannot be looked at, for want of a descriptor perhaps: nobody is taken for gone because of that.
    """
    try:
        with opened(path) as descriptor:
            return not _try(descriptor, fcntl.LOCK_SH)
    except (FileNotFoundError, NotRegularFileError):
        return None
    except OSError:
        return True


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pid_in(descriptor: int) -> int:
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else 0

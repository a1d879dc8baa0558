"""The lock of a directory: one process serves from it at a time, and the lock's file says which.

The directory itself is locked, and the file as well. So nobody else gets in when somebody tidied the file away, and
whoever tidies directories that are old sees that this one is in use (systemd-tmpfiles looks). The kernel drops the
locks when their holder ends, however it ends: a file that is left behind means nothing.
"""

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import time
from pathlib import Path
from typing import NamedTuple

from caxton.errors import ConfigurationError
from caxton.store.regular_file import NotRegularFileError, opened

LOCK_NAME = "lock"
# Somebody who only asks who holds the lock (`holder`) has it for microseconds; a holder keeps it much longer.
_PATIENCE_S = 0.2
_RUN_BYTES = 8
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Holder(NamedTuple):
    """Who holds a lock: a pid, which in a container is always the same one, and a word that no two lives share.

    pid 0: somebody who has not written it yet, or whose file is gone.
    """

    pid: int
    run: str


class DirectoryLock:
    """A held lock. Raises ConfigurationError, with the holder's pid, when another process has it.

    run: the random word of this life, as `holder` tells it to others. path: the lock's file.
    """

    def __init__(self, directory: Path) -> None:
        self.run = secrets.token_hex(_RUN_BYTES)
        self.path = directory / LOCK_NAME
        self._directory = os.open(directory, _DIRECTORY | os.O_NOFOLLOW)
        self._file = -1
        try:
            _take(self._directory, directory)
            self._write()
        except BaseException:
            self.close()
            raise

    @property
    def is_in_place(self) -> bool:
        """True while the directory that is locked is the one of that name."""
        return _is(self._directory, self.path.parent)

    def restore(self) -> None:
        """Put the file back if it is gone. Raises OSError, and ConfigurationError when somebody else has its lock."""
        if not _is(self._file, self.path):
            if self._file >= 0:
                os.close(self._file)
            self._file = -1
            self._write()

    def close(self) -> None:
        """Let go. Closing twice is fine."""
        for descriptor in (self._file, self._directory):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._directory = -1

    def _write(self) -> None:
        how = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            self._file = os.open(self.path, how, 0o600)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            raise ConfigurationError(str(self.path), "a symbolic link", "move it away") from None
        found = os.fstat(self._file)
        if not stat.S_ISREG(found.st_mode):
            raise ConfigurationError(str(self.path), "not a regular file", "move it away")
        if found.st_nlink != 1:  # what is written here would be written into somebody's other file
            raise ConfigurationError(str(self.path), "a file of other names too (a hard link)", "move it away")
        _take(self._file, self.path.parent)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n{self.run}\n".encode(), 0)


def holder(directory: Path) -> Holder | None:
    """Return who holds a directory's lock, None when nobody does.

    Raises ConfigurationError when that cannot be known, because the directory is not ours to enter for example.
    """
    try:
        descriptor = os.open(directory, _DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        problem = error.strerror or str(error)
        raise ConfigurationError(str(directory), problem, "name the directory of a runtime of yours") from None
    try:
        is_held = not _try(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)
    # Where directories cannot be locked, the file's lock says it.
    return _named_in(directory) if is_held or is_locked(directory / LOCK_NAME) else None


def still_holds(before: Holder | None, directory: Path) -> bool:
    """True while the one who held a directory's lock before still does, or may: its file can be gone for a moment.

    True too when the directory cannot be looked at, for want of a descriptor perhaps: nobody is taken for gone because
    of that.
    """
    try:
        now = holder(directory)
    except ConfigurationError:
        return before is not None
    return before is not None and now is not None and (now.run == before.run or "" in {now.run, before.run})


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


def _take(descriptor: int, directory: Path) -> None:
    give_up_at = time.monotonic() + _PATIENCE_S
    while not _try(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > give_up_at:
            raise ConfigurationError(
                str(directory),
                f"in use by process {_named_in(directory).pid}",
                "stop that runtime with `caxton stop`, or choose another directory",
            )
        time.sleep(_PATIENCE_S / 20)


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # A file system that locks no directories: the file's lock decides.
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise
    return True


def _is(descriptor: int, path: Path) -> bool:
    """True when the file that is open is the one of that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _named_in(directory: Path) -> Holder:
    with contextlib.suppress(OSError), opened(directory / LOCK_NAME) as descriptor:
        pid, _, run = os.pread(descriptor, 64, 0).decode("ascii", "replace").strip().partition("\n")
        return Holder(int(pid) if pid.isdecimal() and pid.isascii() else 0, run)
    return Holder(0, "")

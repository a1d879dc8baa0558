"""Whether a shard's file can be served from where it is, told before SQLite says something less clear."""

import os
import stat
from pathlib import Path

from caxton.errors import StorageError


def check_premises(path: Path) -> None:
    """Make sure that the file is there, ours, and writable, and its directory too; an empty one is made if need be.

    Never opens a file that is there: closing it again would drop the locks that this process has on it. Raises
    StorageError.
    """
    directory = path.parent
    if not directory.is_dir():
        raise StorageError(str(path), "unable to open it: its directory is not there")
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        raise StorageError(str(directory), f"the directory is not writable for user {os.geteuid()}, or read-only")
    for beside in ("", "-wal", "-journal", "-shm"):
        _check_file(path.with_name(f"{path.name}{beside}"))
    if not path.exists():
        _make(path)


def _check_file(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(str(path), f"cannot be looked at: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise StorageError(str(path), "not a regular file; move it away")
    if found.st_uid != os.geteuid():
        raise StorageError(
            str(path), f"belongs to user {found.st_uid}; serve as that user, or change its owner to {os.geteuid()}"
        )
    if not os.access(path, os.R_OK | os.W_OK):
        raise StorageError(str(path), f"not readable and writable for user {os.geteuid()}, or on a read-only disk")


def _make(path: Path) -> None:
    """Make the file for its user alone, and its name safe from a power cut."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise StorageError(str(path), f"cannot be made: {error.strerror}") from error

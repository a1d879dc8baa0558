"""The copy of a shard's file from before its schema changed: whoever goes back to an earlier release needs it."""

import os
import sqlite3
from pathlib import Path

from caxton.errors import StorageError


def keep_copy(db: sqlite3.Connection, path: Path, version: int) -> Path:
    """Copy a file of an earlier version beside itself, whole and on the disk, and return where. Once for each version.

    A copy that is there is of before the first try to change it, and stays. Raises StorageError, and as SQLite does.
    """
    copy = path.with_name(f"{path.name}.version-{version}")
    try:
        if not copy.exists():
            _copy(db, path.with_name(f"{path.name}.partial"), copy)
    except OSError as error:
        raise StorageError(str(path), f"it cannot be kept as it is: {error.strerror}") from error
    return copy


def _copy(db: sqlite3.Connection, partial: Path, copy: Path) -> None:
    partial.unlink(missing_ok=True)  # of a process that was killed at it
    descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        db.execute("VACUUM INTO ?", (str(partial),))  # into an empty file of ours: what SQLite makes, others may read
        os.fsync(descriptor)
    except BaseException:
        partial.unlink()
        raise
    finally:
        os.close(descriptor)
    partial.rename(copy)
    directory = os.open(copy.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)

"""What SQLite says, in the words of `caxton.errors`."""

import os
import sqlite3
import tempfile
from pathlib import Path

from caxton.errors import StorageDamaged, StorageError, StorageFull
from caxton.store.file_errors import NO_ROOM

_DAMAGED = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_IOERR_DATA,
    sqlite3.SQLITE_IOERR_CORRUPTFS,
}
# What is said, under no code of its own, of text and of a header that nobody wrote.
_UNREADABLE = ("Could not decode to UTF-8", "unsupported file format")
# More than a file system keeps inside an inode, so that a full one cannot take it.
_PROBE_BYTES = 64 << 10


def mapped(path: Path, error: sqlite3.Error) -> StorageError:
    """Return the error that this one of SQLite's means for the file at `path`."""
    code = getattr(error, "sqlite_errorcode", 0)  # an error that Python's module raises by itself has none
    name = getattr(error, "sqlite_errorname", "")
    text = one_line(f"{error} ({name})" if name else str(error))
    if code == sqlite3.SQLITE_FULL:
        return StorageFull(str(path), text)
    if code & 0xFF == sqlite3.SQLITE_IOERR and code not in _DAMAGED and not _has_room(path.parent):
        return StorageFull(str(path), f"{text}: no room on the disk, or within the quota")
    if code == sqlite3.SQLITE_READONLY and os.access(path, os.W_OK):
        return StorageDamaged(str(path), f"{text}: its header says so, and the file system does not")
    if code in _DAMAGED or code & 0xFF == sqlite3.SQLITE_CORRUPT or text.startswith(_UNREADABLE):
        return StorageDamaged(str(path), text)
    return StorageError(str(path), text)


def one_line(problem: str) -> str:
    """Return what SQLite says without the name that it gives every database, and its lines as one."""
    return " ".join(problem.removeprefix("*** in database main ***").split())


def _has_room(directory: Path) -> bool:
    """Try whether a file can grow here: SQLite does not tell why a write failed when it was a quota, or a late sync."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno not in NO_ROOM
    return True

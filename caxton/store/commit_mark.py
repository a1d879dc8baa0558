"""The mark beside a shard's file: how many transactions were safely in it, kept where losing them does not lose it.

A write-ahead log that is cut short or damaged reads like a shorter one: SQLite goes on from there as if nothing had
been lost. The mark is written after the log was synced, so it is never ahead of an intact file, whatever ends the
process or the machine. It may be behind, when the page cache that holds it went down with the machine.
"""

import mmap
import os
from pathlib import Path
from typing import NamedTuple, Self

from caxton.errors import StorageError
from caxton.store.file_errors import refused
from caxton.store.regular_file import NotRegularFileError, opened

_WORD = 8
_NAME, _VERSION = b"caxmark", 1
_MAGIC = int.from_bytes(_NAME + bytes([_VERSION]), "little")
_AT_MAGIC, _AT_FILE, _AT_COMMITS, _WORDS = 0, 1, 2, 3


class Marked(NamedTuple):
    """What a mark says: the id of the file that it belongs to, and the number of its last transaction."""

    file_id: int
    commits: int


def mark_path(database: Path) -> Path:
    """Where the mark of this database is."""
    return database.with_suffix(".mark")


def read_mark(path: Path) -> Marked | None:
    """Return what the mark says; None when there is none, or none that was ever finished.

    Raises StorageError, also for a mark of a later version: it is never taken for none.
    """
    try:
        with opened(path) as descriptor:
            raw = os.read(descriptor, _WORDS * _WORD + 1)
    except FileNotFoundError:
        return None
    except NotRegularFileError:
        raise StorageError(str(path), "not a regular file; move it away") from None
    except OSError as error:
        raise StorageError(str(path), f"the mark cannot be read: {error.strerror}") from error
    if len(raw) != _WORDS * _WORD:
        return None
    words = memoryview(raw).cast("Q")
    version = raw[len(_NAME)]
    if raw.startswith(_NAME) and version > _VERSION:
        raise StorageError(
            str(path),
            f"a mark of version {version}, and this release reads up to {_VERSION}; use the one that wrote it",
        )
    return Marked(words[_AT_FILE], words[_AT_COMMITS]) if words[_AT_MAGIC] == _MAGIC else None


class CommitMark:
    """The mapped mark of an open database. For its one owner; `close` twice is fine."""

    def __init__(self, mapped: mmap.mmap) -> None:
        self._mapped = mapped
        self._words: memoryview[int] | None = memoryview(mapped).cast("Q")

    @classmethod
    def open(cls, path: Path, marked: Marked) -> Self:
        """Make the file or take it over, all of its size reserved; raises StorageError."""
        size = _WORDS * _WORD
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.ftruncate(descriptor, size)
                os.posix_fallocate(descriptor, 0, size)  # a mapped hole on a full disk would be a deadly SIGBUS later
                mapped = mmap.mmap(descriptor, size)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise refused(path, error, "the mark cannot be made") from error
        mark = cls(mapped)
        mark._begin(marked)
        return mark

    def set(self, commits: int) -> None:
        """Store the number of the last transaction that is synced: one store of eight bytes, whole or not at all."""
        if self._words is not None:
            self._words[_AT_COMMITS] = commits

    def close(self) -> None:
        """Let go of the file."""
        words, self._words = self._words, None
        if words is not None:
            words.release()
            self._mapped.close()

    def _begin(self, marked: Marked) -> None:
        if self._words is not None:
            self._words[_AT_FILE], self._words[_AT_COMMITS] = marked
            self._words[_AT_MAGIC] = _MAGIC

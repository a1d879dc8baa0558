"""A shard's file that nobody has open, read as it stands: nothing is written to it, and nothing made beside it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from caxton.errors import StorageDamaged, StorageError
from caxton.store.seal import BrokenSeal
from caxton.store.sqlite_errors import mapped


@contextmanager
def read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a file that nobody else has open, for the block. Raises StorageError when its log is beside it."""
    # Nobody else has it open, and its log is in it: so it is read without a log, and nothing is made beside it.
    if path.with_name(f"{path.name}-wal").exists():
        raise StorageError(str(path), "its log is still beside it; serve and stop it once, with room on its disk")
    db = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True, isolation_level=None)
    try:
        yield db
    finally:
        db.close()


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Let every error of SQLite's, and every row that is not what was written, name the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise mapped(path, error) from error
    except (BrokenSeal, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise StorageDamaged(str(path), str(error)) from error

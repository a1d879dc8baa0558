"""One shard's SQLite file, with exactly one connection to it, on a thread of its own. The only door to aiosqlite.

Every call is one hop to that thread, whatever the number of statements in it (facts: a hop per statement costs 83 µs).
"""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

import aiosqlite

from caxton.errors import StorageError

SCHEMA_VERSION = 1
T = TypeVar("T")


class Database:
    """Runs functions on the connection's thread, one after the other. `close` twice is fine."""

    def __init__(self, path: Path, connection: aiosqlite.Connection) -> None:
        self.path = path
        self._connection: aiosqlite.Connection | None = connection

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open or create the file; raises StorageError when it cannot be read, or is of another version."""
        connection = aiosqlite.connect(path, isolation_level=None)
        try:
            await connection
        except (sqlite3.Error, OSError) as error:
            # Its thread ends by itself, with a last word to a loop that may be closed by then: wait for it here.
            await asyncio.to_thread(connection._thread.join)  # noqa: SLF001 (no public way; the version is pinned)
            raise StorageError(str(path), str(error)) from error
        database = cls(path, connection)
        try:
            await database.run(lambda db: _prepare(db, path))
        except StorageError:
            await database.close()
            raise
        return database

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on the connection's thread and return what it returns.

        Raises StorageError for whatever SQLite raises, and when the database is closed. A cancelled caller leaves the
        work running to its end.
        """
        if self._connection is None:
            raise StorageError(str(self.path), "the database is closed")
        raw = self._connection._conn  # noqa: SLF001 (no public way to run one function on its thread; pinned, tested)
        try:
            return await asyncio.shield(self._connection._execute(work, raw))  # type: ignore[no-untyped-call] # noqa: SLF001 (as above)
        except sqlite3.Error as error:
            raise StorageError(str(self.path), str(error)) from error

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one transaction: all of it is on the disk when this returns, or nothing of it."""
        return await self.run(lambda db: _in_transaction(db, work))

    async def close(self) -> None:
        """Close the connection and end its thread."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _in_transaction(db: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    db.execute("BEGIN IMMEDIATE")
    try:
        result = work(db)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # SQLite ends it by itself after some errors, such as a full disk
            db.execute("ROLLBACK")
        raise
    return result


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    _pragma(db, path, "locking_mode", "EXCLUSIVE", "exclusive")
    _pragma(db, path, "journal_mode", "WAL", "wal")
    _pragma(db, path, "synchronous", "FULL", 2)
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version not in (0, SCHEMA_VERSION):
        raise StorageError(str(path), f"written by version {version} of the schema; this one reads {SCHEMA_VERSION}")
    if version == 0:
        db.executescript(Path(__file__).with_name("schema.sql").read_text())
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _pragma(db: sqlite3.Connection, path: Path, name: str, value: str, wanted: object) -> None:
    db.execute(f"PRAGMA {name} = {value}")
    (found,) = db.execute(f"PRAGMA {name}").fetchone()
    if found != wanted:
        raise StorageError(str(path), f"{name} is {found!r} where {wanted!r} was set")

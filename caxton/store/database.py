"""One shard's SQLite file, with exactly one connection to it, on a thread of its own. The only door to aiosqlite.

Every call is one hop to that thread, whatever the number of statements in it (facts: a hop per statement costs 83 µs).
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

import aiosqlite

from caxton.errors import CaxtonError, StorageDamaged, StorageError
from caxton.store.audit import append
from caxton.store.backup.online_copy import OnlineCopy, make_empty, remove, sync
from caxton.store.earlier_copy import keep_copy
from caxton.store.premises import check_premises
from caxton.store.schema.migrations import SCHEMA_VERSION, OtherVersion, check_schema, migrate
from caxton.store.seal import BrokenSeal
from caxton.store.sqlite_errors import mapped, one_line
from caxton.threads import to_its_end
from caxton.wire.audit import AuditHead, Entry

# How long a successor waits for the process that held the file before it: that one is killed, and the kernel may take
# a moment to be done with it.
PATIENCE_S = 10.0
_LOOK_AGAIN_S = 0.02
# The log is copied into the file when it has grown to this: at SQLite's own 4 MB that would be six times a second.
WAL_BYTES = 64 << 20
_PAGE_BYTES = 4096
_CACHE_KIB = 16 << 10
# Kept prepared: those of a commit, for each table of each size, and those of reads.
_STATEMENTS = 256
T = TypeVar("T")


class Database:
    """Runs functions on the connection's thread, one after the other. `close` twice is fine.

    earlier: where the file is as it was, if opening it brought it to another version of the schema. audit_head: of the
    file's own chain, as far as it is on the disk; None while nothing is in it.
    """

    def __init__(self, path: Path, connection: aiosqlite.Connection) -> None:
        self.path = path
        self.earlier: Path | None = None
        self.audit_head: AuditHead | None = None
        self._connection: aiosqlite.Connection | None = connection
        # Has the thread while it is made, and runs there what is asked of the database.
        self._copy: OnlineCopy | None = None
        # The file and its log, as they were opened.
        self._opened: list[tuple[Path, os.stat_result]] = []

    @classmethod
    async def open(cls, path: Path, patience_s: float = PATIENCE_S, *, may_be_new: bool = True) -> Self:
        """Open the file, or create it if it `may_be_new`, and bring it to the present version of the schema.

        Waits up to `patience_s` while another process has it. Raises StorageDamaged when it is not what was written,
        StorageError when it is of a later version, not ours, not writable, or held by somebody else to the end.
        """
        check_premises(path)
        connection = aiosqlite.connect(path, isolation_level=None, timeout=0, cached_statements=_STATEMENTS)
        try:
            await connection
        except (sqlite3.Error, OSError) as error:
            # Its thread ends by itself, with a last word to a loop that may be closed by then: wait for it here.
            await asyncio.to_thread(connection._thread.join)  # noqa: SLF001 (no public way; the version is pinned)
            raise StorageError(str(path), str(error)) from error
        database = cls(path, connection)
        try:
            database.earlier = await database.run(lambda db: _prepare(db, path, patience_s, may_be_new=may_be_new))
            database._opened = await asyncio.to_thread(_found, path)
        except BaseException:
            await database.close()
            raise
        return database

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on the connection's thread and return what it returns.

        Raises StorageError for whatever SQLite raises: StorageFull when there is no room, StorageDamaged when the file
        is not what was written to it, also by a BrokenSeal; and when the database is closed. A cancelled caller leaves
        the work running to its end.
        """
        if self._connection is None:
            raise StorageError(str(self.path), "the database is closed")
        raw = self._connection._conn  # noqa: SLF001 (no public way to run one function on its thread; pinned, tested)
        if self._copy is not None:
            return await self._copy.run(partial(_named, self.path, work, raw))
        # Without a task around it, the work begins now and not after whatever the loop has to do first.
        return await self._connection._execute(_named, self.path, work, raw)  # type: ignore[no-any-return, no-untyped-call] # noqa: SLF001 (as above)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one transaction: all of it is on the disk when this returns, or nothing of it.

        Raises as `run` does, and as `check_in_place`.
        """
        return await self.run(partial(self._transact, work))

    async def write_audited(self, work: Callable[[sqlite3.Connection], object], entries: Sequence[Entry]) -> None:
        """Do as `write` does, and add to the audit in the same transaction what is told of it."""

        def audited(db: sqlite3.Connection) -> AuditHead | None:
            work(db)
            return append(db, entries)

        def transact(db: sqlite3.Connection) -> None:
            self.saw_audit(self._transact(audited, db))

        await self.run(transact)

    def saw_audit(self, head: AuditHead | None) -> None:
        """Keep the head of the audit, which is on the disk; None where nothing was added to it."""
        if head is not None:
            self.audit_head = head

    def _transact(self, work: Callable[[sqlite3.Connection], T], db: sqlite3.Connection) -> T:
        result = in_transaction(db, work)
        self.check_in_place()
        return result

    async def copy(self, copy: OnlineCopy) -> None:
        """Make a copy of the file, while everything that is asked of it meanwhile is done; one at a time.

        Returns when it is whole and on the disk, which `copy.is_done` says, or when there will be none, and
        `copy.failed` says why: whatever goes wrong is a matter of the copy, and not of the shard. Nothing is left of
        one that failed, unless its disk lets nothing be removed.
        """
        try:
            await self._make_on_disk(copy)
        except CaxtonError as error:
            copy.close(error)
        except BaseException as error:
            copy.close(StorageError(str(copy.path), f"not made: {error!r}"))
            if not isinstance(error, Exception):
                raise
        else:
            copy.close()

    async def _make_on_disk(self, copy: OnlineCopy) -> None:
        is_made = False

        def begin() -> None:
            nonlocal is_made
            make_empty(copy.path)
            is_made = True

        try:
            await to_its_end(begin)
            await self._make(copy)
            await asyncio.to_thread(sync, copy.path)
        except BaseException:
            if is_made:  # and not somebody else's, which was there before
                await to_its_end(partial(remove, copy.path))
            raise

    async def _make(self, copy: OnlineCopy) -> None:
        """Let it have the thread until it is made. Raises StorageError."""
        connection = self._connection
        if connection is None or self._copy is not None:
            problem = "the database is closed" if connection is None else "another copy of it is being made"
            raise StorageError(str(self.path), problem)
        self._copy = copy
        try:
            await connection._execute(copy.make, connection._conn)  # type: ignore[no-untyped-call] # noqa: SLF001 (as in run)
        except BaseException:
            copy.give_up()  # it is over, unless this was cancelled
            raise
        finally:
            self._copy = None  # whatever is asked from now on comes after the rest of what was asked of the copy
            await connection._execute(copy.serve_rest)  # type: ignore[no-untyped-call] # noqa: SLF001 (as in run)

    def check_in_place(self) -> None:
        """Raise StorageDamaged when the file or its log is not the one of that name any more, and nobody will find it.

        After a transaction and before anybody is told of it. On any thread; two looks at names, and no file is opened.
        """
        for path, opened in self._opened:
            try:
                is_there = os.path.samestat(path.stat(), opened)
            except OSError:
                is_there = False
            if not is_there:
                raise StorageDamaged(str(path), "removed or replaced while it was served")

    async def close(self) -> None:
        """Close the connection and end its thread; the log is copied into the file."""
        connection, self._connection = self._connection, None
        if self._copy is not None:
            self._copy.give_up()
        if connection is not None:
            await connection.close()


def _found(path: Path) -> list[tuple[Path, os.stat_result]]:
    return [(name, name.stat()) for name in (path, path.with_name(f"{path.name}-wal")) if name.exists()]


def in_transaction(db: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """Run `work` in one transaction, on the connection's thread."""
    db.execute("BEGIN IMMEDIATE")
    try:
        result = work(db)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # SQLite ends it by itself after some errors, such as a full disk
            db.execute("ROLLBACK")
        raise
    return result


def _named(path: Path, work: Callable[[sqlite3.Connection], T], db: sqlite3.Connection) -> T:
    """Run `work`, and let every error name the file; on the connection's thread, since that may touch the disk."""
    try:
        return work(db)
    except sqlite3.Error as error:
        raise mapped(path, error) from error
    except (BrokenSeal, UnicodeDecodeError) as error:  # also what SQLite says of a schema may be no text any more
        raise StorageDamaged(str(path), str(error)) from error
    except OtherVersion as error:
        raise StorageError(str(path), f"{error}; use the release that wrote it, or another data directory") from None


def _prepare(db: sqlite3.Connection, path: Path, patience_s: float, *, may_be_new: bool) -> Path | None:
    _lock(db, path, patience_s)
    for name, value, wanted in (
        ("journal_mode", "WAL", "wal"),
        ("synchronous", "FULL", 2),
        ("wal_autocheckpoint", WAL_BYTES // _PAGE_BYTES, WAL_BYTES // _PAGE_BYTES),
        ("journal_size_limit", WAL_BYTES, WAL_BYTES),
        ("secure_delete", 0, 0),  # Debian's default is on: every deletion would write its pages once more
        ("temp_store", "MEMORY", 2),
        ("mmap_size", 0, 0),
        ("cache_size", -_CACHE_KIB, -_CACHE_KIB),
        ("cell_size_check", 1, 1),
        ("trusted_schema", 0, 0),
    ):
        _pragma(db, path, name, value, wanted)
    problems = [text for (text,) in db.execute("PRAGMA quick_check(1)") if text != "ok"]
    if problems:
        raise StorageDamaged(str(path), one_line(problems[0]))
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if not version and not may_be_new:
        raise StorageDamaged(str(path), "empty, and it was not")
    earlier = keep_copy(db, path, version) if 0 < version < SCHEMA_VERSION else None
    migrate(db)
    check_schema(db)
    if version != SCHEMA_VERSION:  # then whatever becomes of the log, the file itself says whose it is
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return earlier


def _lock(db: sqlite3.Connection, path: Path, patience_s: float) -> None:
    """Take the file for this connection alone, as soon as nobody else has it."""
    _pragma(db, path, "locking_mode", "EXCLUSIVE", "exclusive")
    give_up_at = time.monotonic() + patience_s
    while True:
        try:
            db.execute("BEGIN EXCLUSIVE")
            db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            if time.monotonic() >= give_up_at:
                raise StorageError(
                    str(path), f"another process has held it for {patience_s:g} s; stop that runtime with `caxton stop`"
                ) from error
            time.sleep(_LOOK_AGAIN_S)  # on the connection's own thread: nobody else waits
        else:
            return


def _pragma(db: sqlite3.Connection, path: Path, name: str, value: object, wanted: object) -> None:
    db.execute(f"PRAGMA {name} = {value}").fetchall()
    (found,) = db.execute(f"PRAGMA {name}").fetchone()
    if found != wanted:
        raise StorageError(str(path), f"{name} is {found!r} where {wanted!r} was set")

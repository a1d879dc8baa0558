"""What one shard keeps: commits go in, and its worker's successor finds everything that was committed."""

import asyncio
import sqlite3
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Self

from caxton.errors import StorageDamaged, StorageError
from caxton.store import dead_letters
from caxton.store.audit import read_head, read_page
from caxton.store.commit import Commit, DeadRow
from caxton.store.commit_mark import CommitMark, Marked, mark_path, read_mark
from caxton.store.counters import read_counters, write_counters
from caxton.store.database import Database, in_transaction
from caxton.store.integers import bounded
from caxton.store.ledger_rows import RowCounts, read_shard_ledger
from caxton.store.meta import Meta, read_meta, write_meta
from caxton.store.recovered import Recovered, Stays, all_come, read_everything
from caxton.store.transaction import apply
from caxton.store.waiting import Waiting
from caxton.store.waiting_rows import Place, read_places
from caxton.wire.audit import AuditHead, AuditPage, ReadAudit
from caxton.wire.calls import DeadLetterFilter, DeadLetters
from caxton.wire.dead_letter_results import DeadLetterFigures
from caxton.wire.shard_ledger import ShardLedger


class ShardStore:
    """The file of one shard. Calls run one after the other, in the order in which they were made."""

    def __init__(self, database: Database, meta: Meta, counts: dict[str, int], mark: CommitMark) -> None:
        self.database = database
        self.file_id = meta.file_id
        self._meta = meta
        self._counts = counts
        self._mark = mark
        self._rows = RowCounts()

    @classmethod
    async def open(cls, path: Path, shard: int) -> Self:
        """Open or create the file of a shard.

        Waits for the predecessor's lock. Raises StorageDamaged when the file is not what was written to it, or when
        transactions that were safely in it are gone; StorageError when it is another shard's, or as `Database.open`.
        """
        marked = await asyncio.to_thread(_marked, path)
        database = await Database.open(path, may_be_new=marked is None)
        try:
            meta, counts = await database.run(lambda db: _claim(db, path, shard, marked))
            database.saw_audit(await database.run(lambda db: read_head(db, meta.file_id)))
            mark = CommitMark.open(mark_path(path), Marked(meta.file_id, meta.commits))
        except BaseException:
            await database.close()
            raise
        return cls(database, meta, counts, mark)

    async def load(self, stays: Stays = all_come) -> Recovered:
        """Return everything that a worker goes on from. Raises StorageDamaged for what is not what was written.

        stays: tells, on the connection's thread, which of the messages that wait are left in the file for now.
        """
        return await self.database.run(lambda db: read_everything(db, self._meta, stays))

    async def waiting(self, places: list[Place], most_bytes: int) -> list[Waiting]:
        """Return what waits at the first of these places, in their order, from rows of `most_bytes` and one row more.

        Raises StorageDamaged for a place at which nothing was committed, or that is not what was written.
        """
        return await self.database.run(lambda db: read_places(db, places, most_bytes))

    async def commit(self, commit: Commit) -> None:
        """Write all of it in one transaction; it is on the disk when this returns.

        Raises StorageFull when there is no room: nothing of it was written, and it may be tried again as it is. Any
        other StorageError leaves open whether it was written: only the file knows, so end, and open it again. After
        StorageDamaged there is none that anybody would find: it was removed, or is not what was written.
        """
        await self.database.run(lambda db: self._write(db, commit))

    async def dead_letters(
        self, which: DeadLetterFilter, after: int, limit: int, *, with_content: bool = False
    ) -> DeadLetters:
        """Return up to `limit` letters with numbers beyond `after`, oldest first; fewer when their content is large."""

        def read(db: sqlite3.Connection) -> DeadLetters:
            rows, more = dead_letters.read_rows(db, which, after, limit)
            return dead_letters.read_page(rows, self._meta.shard, more=more, with_content=with_content)

        return await self.database.run(read)

    async def letters_with_messages(
        self, which: DeadLetterFilter, limit: int, after: int = 0
    ) -> tuple[list[DeadRow], bool]:
        """Return up to `limit` letters whole, oldest first, and whether there are more; fewer when they are large."""
        return await self.database.run(lambda db: dead_letters.read_rows(db, which, after, limit))

    async def numbers(self, which: DeadLetterFilter, limit: int) -> tuple[list[int], bool]:
        """Return the numbers of up to `limit` letters, oldest first, and whether there are more."""
        return await self.database.run(lambda db: dead_letters.read_numbers(db, which, limit))

    async def dead_letter_stats(self, capacity: int) -> DeadLetterFigures:
        """Return how many letters there are, why, how old and how large; `capacity` is told as it is given."""
        return await self.database.run(lambda db: dead_letters.read_stats(db, capacity, self._counts.get("evicted", 0)))

    async def audit(self, asked: ReadAudit) -> AuditPage:
        """Return rows of the audit."""
        return await self.database.run(lambda db: read_page(db, asked))

    async def ledger(self) -> ShardLedger:
        """Return the shard's books, counted at one moment."""
        return await self.database.write(lambda db: read_shard_ledger(db, self._rows))

    async def close(self) -> None:
        """Close the file; twice is fine."""
        await self.database.close()
        self._mark.close()

    def _write(self, db: sqlite3.Connection, commit: Commit) -> None:
        """Write it on the connection's thread; once more after making room inside the log, if that is what it takes."""
        try:
            self._transact(db, commit)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_FULL:
                raise
            with suppress(sqlite3.Error):  # the second try says whether it helped
                db.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
            self._transact(db, commit)
        finally:
            commit.tried = True

    def _transact(self, db: sqlite3.Connection, commit: Commit) -> None:
        was = self._meta
        meta = was._replace(next_number=max(was.next_number, bounded(commit.next_number)), commits=was.commits + 1)

        def write(db: sqlite3.Connection) -> tuple[dict[str, int], AuditHead | None]:
            changes = Counter(commit.counts)
            changes.update(apply(db, commit))
            values = {name: self._counts.get(name, 0) + more for name, more in changes.items() if more}
            write_counters(db, values.items())
            write_meta(db, meta)
            return values, read_head(db, meta.file_id) if commit.audit else None

        values, head = in_transaction(db, write)
        self.database.check_in_place()
        self.database.saw_audit(head)
        self._mark.set(meta.commits)
        self._meta = meta
        self._counts.update(values)


def _marked(path: Path) -> Marked | None:
    """Return the mark of a file, if there is one; raises StorageDamaged when the file itself is gone."""
    marked = read_mark(mark_path(path))
    if marked is not None and (not path.exists() or not path.stat().st_size):
        raise StorageDamaged(str(path), f"gone, with the {marked.commits} transactions that were safely in it")
    return marked


def _claim(db: sqlite3.Connection, path: Path, shard: int, marked: Marked | None) -> tuple[Meta, dict[str, int]]:
    """Make sure that the file is this shard's, and whole."""
    meta = read_meta(db)
    if meta.shard not in {-1, shard}:
        raise StorageError(str(path), f"the file of shard {meta.shard}, where that of shard {shard} belongs")
    if marked is not None and marked.file_id != meta.file_id:
        raise StorageDamaged(str(path), f"not the file that {mark_path(path).name} was written for")
    if marked is not None and marked.commits > meta.commits:
        raise StorageDamaged(
            str(path),
            f"{marked.commits} transactions were safely in it, and the last {marked.commits - meta.commits} are gone",
        )
    counts = read_counters(db)
    if meta.shard != shard:
        meta = meta._replace(shard=shard)
        in_transaction(db, lambda db: write_meta(db, meta))
    return meta, counts

"""The supervisor's own file of the audit: a chain for each kind of row, each with room of its own.

A row is on the disk when `add` returns, whatever happens then. One thread at a time uses it.
"""

import os
import secrets
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from caxton.errors import StorageDamaged, StorageError
from caxton.printable import counted, printable
from caxton.store.audit import add_to, copy_rows, last_row, make_room_in, read_head, read_heads, read_page
from caxton.store.backup.manifest import AUDIT
from caxton.store.backup.online_copy import make_empty, remove, sync
from caxton.store.database import in_transaction
from caxton.store.integers import bounded
from caxton.store.premises import check_premises
from caxton.store.read_only import named_errors, read_only
from caxton.store.seal import BrokenSeal
from caxton.store.sqlite_errors import one_line
from caxton.wire.anchors import ANCHOR, MOST_HEADS, anchors_text
from caxton.wire.audit import (
    HASH_BYTES,
    KIND_BITS,
    ROOM,
    RUNTIME,
    AuditHead,
    AuditPage,
    AuditRow,
    Entry,
    Kind,
    ReadAudit,
    chain_of,
    is_of,
)

FILE_NAME = AUDIT
FORMAT_VERSION = 1
# In characters: what is longer is cut. The heads of an anchor are not: they are no more than there are shards.
MOST_TEXT = 200
# More than all of these rows take.
MOST_FILE_BYTES = 512 << 20
_PAGE_BYTES = 4096
_TABLES = (
    """CREATE TABLE audit (
        place INTEGER PRIMARY KEY, chain INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL,
        action TEXT NOT NULL, principal TEXT NOT NULL, subject TEXT NOT NULL, outcome TEXT NOT NULL,
        previous BLOB NOT NULL, hash BLOB NOT NULL)""",
    "CREATE UNIQUE INDEX audit_chain ON audit (chain, number)",
    """CREATE TABLE audit_heads (
        chain INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, hash BLOB NOT NULL)""",
)


class SupervisorAudit:
    """The file, open and locked. file: its id, which its chains are named by. `close` twice is fine.

    was_new: it was made when it was opened. Every call raises StorageError for what SQLite raises: StorageFull when
    there is no room, StorageDamaged when the file is not what was written to it, or is not there any more.
    """

    def __init__(self, path: Path, db: sqlite3.Connection, most_rows: Mapping[Kind, int]) -> None:
        self.path = path
        self._db = db
        self._most_rows = most_rows
        self._opened = path.stat()
        self.was_new = False
        self.file = 0
        # What an anchor of this run has said of each chain.
        self._anchored: dict[int, AuditHead] = {}

    @classmethod
    def open(cls, path: Path, most_rows: Mapping[Kind, int] = ROOM) -> Self:
        """Open the file, or make it, for its owner alone.

        Raises StorageError for what is no regular file, not ours, of a later version, or open elsewhere; StorageDamaged
        for what is no such file.
        """
        check_premises(path)
        with named_errors(path):
            db = sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False)
            try:
                opened = cls(path, db, most_rows)
                opened._prepare()
            except BaseException:
                db.close()
                raise
        return opened

    def add(self, entries: Iterable[tuple[Kind, Entry]]) -> None:
        """Add rows to the chains of their kinds, all of them or none."""
        by_kind: dict[Kind, list[Entry]] = {}
        for kind, entry in entries:
            texts = (printable(text, MOST_TEXT) for text in entry[1:])
            by_kind.setdefault(kind, []).append(Entry(bounded(entry.at), *texts))
        self._write(by_kind)

    def anchor(self, shards: Iterable[AuditHead], now_ms: int) -> AuditHead:
        """Add the heads of the shards' chains, and of this file's others, where any is not what the last anchor said.

        Returns the head of the anchors, in which all of these are then.
        """
        with named_errors(self.path):
            heads = [*shards, *(head for head in read_heads(self._db) if not is_of(head.chain, Kind.ANCHORS))]
        told = [head for head in heads if _is_whole(head) and self._anchored.get(head.chain) != head]
        for some in (told[at : at + MOST_HEADS] for at in range(0, len(told), MOST_HEADS)):
            row = Entry(now_ms, ANCHOR, RUNTIME, counted(len(some), "chains"), anchors_text(some))
            self._write({Kind.ANCHORS: [row]})
            self._anchored |= {head.chain: head for head in some}
        return self.head(Kind.ANCHORS)

    def read(self, asked: ReadAudit) -> AuditPage:
        """Return rows of all chains, in the order in which they were written, and all heads."""
        with named_errors(self.path):
            return read_page(self._db, asked)

    def head(self, kind: Kind) -> AuditHead:
        """Return how far a chain goes; its last number is 0 where it has no row yet."""
        with named_errors(self.path):
            found = read_head(self._db, chain_of(self.file, kind))
        if found is None:
            raise StorageDamaged(str(self.path), "the head of a chain is gone")
        return found

    def last(self, kind: Kind, actions: Sequence[str]) -> AuditRow | None:
        """Return the last row of a chain with one of these actions, None where there is none."""
        with named_errors(self.path):
            return last_row(self._db, chain_of(self.file, kind), actions)

    def copy(self, target: Path) -> None:
        """Make a copy where nothing is; it is on the disk when this returns, and nothing is left of one that fails."""
        make_empty(target)
        try:
            with named_errors(target):
                copy = sqlite3.connect(target, isolation_level=None)
                try:
                    self._db.backup(copy)
                finally:
                    copy.close()
            sync(target)
        except BaseException:
            remove(target)
            raise

    def close(self) -> None:
        """Let go of the file, and leave nothing beside it."""
        with suppress(sqlite3.Error):  # it is closed, or its disk is gone
            self._db.execute("PRAGMA locking_mode = NORMAL").fetchall()
            self._db.execute("PRAGMA journal_mode = DELETE").fetchall()
        self._db.close()

    def _prepare(self) -> None:
        db, most_pages = self._db, MOST_FILE_BYTES // _PAGE_BYTES
        for pragma in (
            "locking_mode = EXCLUSIVE",
            "journal_mode = TRUNCATE",
            "synchronous = FULL",
            "cell_size_check = 1",
            "trusted_schema = 0",
            f"max_page_count = {most_pages}",
        ):
            db.execute(f"PRAGMA {pragma}").fetchall()
        problems = [text for (text,) in db.execute("PRAGMA quick_check(1)") if text != "ok"]
        if problems:
            raise StorageDamaged(str(self.path), one_line(problems[0]))
        in_transaction(db, lambda _: None)  # nobody else has the file open now, and nobody will
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if not version:
            in_transaction(db, _make)
            self.was_new = True
        elif version != FORMAT_VERSION:
            problem = f"format {version}, and this release reads {FORMAT_VERSION}; use the release that wrote it"
            raise StorageError(str(self.path), problem)
        self.file = _file_of(read_heads(db))

    def _write(self, by_kind: Mapping[Kind, Sequence[Entry]]) -> None:
        def write(db: sqlite3.Connection) -> None:
            for kind, entries in by_kind.items():
                head = add_to(db, chain_of(self.file, kind), entries)
                make_room_in(db, head, self._most_rows[kind])

        with named_errors(self.path):
            in_transaction(self._db, write)
            self._check_in_place()

    def _check_in_place(self) -> None:
        try:
            is_there = os.path.samestat(self.path.stat(), self._opened)
        except OSError:
            is_there = False
        if not is_there:
            raise StorageDamaged(str(self.path), "removed or replaced while it was served")


def _is_whole(head: AuditHead) -> bool:
    """Tell whether a head has a row, and the hash of one: of what a file says that is not, no anchor is made."""
    return head.last > 0 and len(head.hash) == HASH_BYTES


def look_at_audit(path: Path) -> None:
    """Look whether a file that nobody has open is a whole one, and nothing is written. Raises StorageError."""
    with named_errors(path), read_only(path) as db:
        problems = [text for (text,) in db.execute("PRAGMA integrity_check(1)") if text != "ok"]
        if problems:
            raise StorageDamaged(str(path), one_line(problems[0]))
        _file_of(read_heads(db))


def _make(db: sqlite3.Connection) -> None:
    for statement in _TABLES:
        db.execute(statement)
    file = secrets.randbits(64 - KIND_BITS)
    copy_rows(db, [], [AuditHead(chain_of(file, kind), 1, 0, b"") for kind in Kind])
    db.execute(f"PRAGMA user_version = {FORMAT_VERSION}")


def _file_of(heads: Sequence[AuditHead]) -> int:
    """Return the id of the file that has these chains; raises BrokenSeal unless they are all that a file has."""
    file = heads[0].chain >> KIND_BITS if heads else 0
    if {head.chain for head in heads} != {chain_of(file, kind) for kind in Kind}:
        raise BrokenSeal("its chains are not those of a supervisor")
    return file

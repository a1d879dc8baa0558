"""The audit in a shard's file: rows of a chain, each written in the transaction that does what it tells."""

import sqlite3
from collections.abc import Sequence

from caxton.store.integers import signed, unsigned
from caxton.store.meta import read_meta
from caxton.store.seal import BrokenSeal
from caxton.wire.audit import AuditHead, AuditPage, AuditRow, Entry, linked

# Rows that a file keeps, those of files before it included; the oldest make room.
MOST_ROWS = 100_000
_COLUMNS = "chain, number, at, action, principal, subject, outcome, previous, hash"
_INSERT = f"INSERT INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 (our own words only)


def append(db: sqlite3.Connection, entries: Sequence[Entry], most_rows: int = MOST_ROWS) -> None:
    """Add entries to the chain of this file, within one transaction of the caller. Raises BrokenSeal."""
    if not entries:
        return
    chain = read_meta(db).file_id
    found = db.execute("SELECT first, last, hash FROM audit_heads WHERE chain = ?", (signed(chain),)).fetchone()
    first, last, previous = found or (1, 0, b"")
    rows = []
    for entry in entries:
        last += 1
        row = linked(entry, chain, last, previous)
        rows.append(row)
        previous = row.hash
    _write(db, rows, [AuditHead(chain, first, last, previous)])
    _make_room(db, most_rows)


def read_page(db: sqlite3.Connection, after: int, limit: int) -> AuditPage:
    """Return rows behind a place, and all heads. Raises BrokenSeal for what is no row at all."""
    sql = f"SELECT place, {_COLUMNS} FROM audit WHERE place > ? ORDER BY place LIMIT ?"  # noqa: S608 (our own words only)
    found = db.execute(sql, (after, limit + 1)).fetchall()
    try:
        rows = [AuditRow(unsigned(chain), *rest) for _, chain, *rest in found[:limit]]
        for row in rows:
            _check(row)
    except TypeError as error:
        raise BrokenSeal(f"a row of the audit that cannot be read: {error}") from None
    end = found[:limit][-1][0] if found else after
    return AuditPage(rows, read_heads(db), end, len(found) > limit)


def read_heads(db: sqlite3.Connection) -> list[AuditHead]:
    """Return what the chains of this file are by its own account."""
    found = db.execute("SELECT chain, first, last, hash FROM audit_heads ORDER BY chain").fetchall()
    return [AuditHead(unsigned(chain), *rest) for chain, *rest in found]


def copy_rows(db: sqlite3.Connection, rows: Sequence[AuditRow], heads: Sequence[AuditHead]) -> None:
    """Add chains of other files as they stand, within one transaction of the caller."""
    _write(db, rows, heads)


def _write(db: sqlite3.Connection, rows: Sequence[AuditRow], heads: Sequence[AuditHead]) -> None:
    for row in rows:
        told = row.number, row.at, row.action, row.principal, row.subject, row.outcome, row.previous, row.hash
        db.execute(_INSERT, (signed(row.chain), *told))
    for head in heads:
        db.execute(
            "INSERT OR REPLACE INTO audit_heads VALUES (?, ?, ?, ?)",
            (signed(head.chain), head.first, head.last, head.hash),
        )


def _make_room(db: sqlite3.Connection, most_rows: int) -> None:
    sql = "DELETE FROM audit WHERE place <= (SELECT max(place) FROM audit) - ?"
    if db.execute(sql, (most_rows,)).rowcount > 0:
        db.execute(
            "DELETE FROM audit_heads WHERE NOT EXISTS (SELECT 1 FROM audit WHERE audit.chain = audit_heads.chain)"
        )
        db.execute(
            "UPDATE audit_heads SET first = (SELECT min(number) FROM audit WHERE audit.chain = audit_heads.chain)"
        )


def _check(row: AuditRow) -> None:
    texts = row.action, row.principal, row.subject, row.outcome
    blobs = row.previous, row.hash
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(blob, bytes) for blob in blobs):
        raise TypeError("a column of another kind")

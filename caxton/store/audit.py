"""The audit in a file: rows of chains, each of a shard's written in the transaction that does what it tells."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from caxton.store.integers import bounded, signed, unsigned
from caxton.store.meta import read_meta
from caxton.store.seal import BrokenSeal
from caxton.wire.audit import MOST_ROWS, AuditHead, AuditPage, AuditRow, Entry, ReadAudit, fits, linked

# Rows that are looked at for one page, whether or not they are asked for: nobody waits for long behind it.
MOST_LOOKED_AT = 2_000
_BEHIND_ALL = (1 << 63) - 1
_COLUMNS = "chain, number, at, action, principal, subject, outcome, previous, hash"
_INSERT = f"INSERT INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 (our own words only)


def append(db: sqlite3.Connection, entries: Sequence[Entry], most_rows: int = MOST_ROWS) -> AuditHead | None:
    """Add entries to the chain of this file, within one transaction of the caller; returns its head if there were any.

    Raises BrokenSeal.
    """
    if not entries:
        return None
    chain = read_meta(db).file_id
    add_to(db, chain, entries)
    _make_room(db, most_rows)
    return read_head(db, chain)


def add_to(db: sqlite3.Connection, chain: int, entries: Sequence[Entry]) -> AuditHead:
    """Add entries to a chain, within one transaction of the caller; returns its head."""
    before = read_head(db, chain) or AuditHead(chain, 1, 0, b"")
    first, last, previous = before.first, before.last, before.hash
    rows = []
    for entry in entries:
        last += 1
        row = linked(entry, chain, last, previous)
        rows.append(row)
        previous = row.hash
    head = AuditHead(chain, first, last, previous)
    copy_rows(db, rows, [head])
    return head


def read_page(db: sqlite3.Connection, asked: ReadAudit) -> AuditPage:
    """Return rows, and all heads. Raises BrokenSeal for what is no row at all."""
    where, order = ("<", "DESC") if asked.backwards else (">", "ASC")
    sql = f"SELECT place, {_COLUMNS} FROM audit WHERE place {where} ? ORDER BY place {order} LIMIT ?"  # noqa: S608 (our own words only)
    begin = bounded(asked.after) if asked.after or not asked.backwards else _BEHIND_ALL
    rows: list[AuditRow] = []
    places: list[int] = []
    after, more = asked.after, False
    for looked_at, (place, chain, *rest) in enumerate(db.execute(sql, (begin, MOST_LOOKED_AT + 1))):
        more = looked_at == MOST_LOOKED_AT or len(rows) == asked.limit
        if more:
            break
        row = _row(chain, rest)
        if fits(row, asked):
            rows.append(row)
            places.append(place)
        after = place
    return AuditPage(rows, read_heads(db), after, more, places)


def last_row(db: sqlite3.Connection, chain: int, actions: Sequence[str]) -> AuditRow | None:
    """Return the last row of a chain with one of these actions, None where there is none. Raises BrokenSeal."""
    among = ", ".join("?" * len(actions))
    sql = f"SELECT {_COLUMNS} FROM audit WHERE chain = ? AND action IN ({among}) ORDER BY number DESC LIMIT 1"  # noqa: S608 (our own words only)
    found = db.execute(sql, (signed(chain), *actions)).fetchone()
    return None if found is None else _row(found[0], found[1:])


def read_head(db: sqlite3.Connection, chain: int) -> AuditHead | None:
    """Return what a chain is by the file's own account; None where it has no row yet. Raises BrokenSeal."""
    sql = "SELECT chain, first, last, hash FROM audit_heads WHERE chain = ?"
    found = db.execute(sql, (signed(chain),)).fetchone()
    return None if found is None else _checked(found)


def read_heads(db: sqlite3.Connection) -> list[AuditHead]:
    """Return what the chains of this file are by its own account. Raises BrokenSeal."""
    found = db.execute("SELECT chain, first, last, hash FROM audit_heads ORDER BY chain").fetchall()
    return [_checked(head) for head in found]


def copy_rows(db: sqlite3.Connection, rows: Sequence[AuditRow], heads: Sequence[AuditHead]) -> None:
    """Add rows and heads as they stand, within one transaction of the caller."""
    for row in rows:
        told = row.number, row.at, row.action, row.principal, row.subject, row.outcome, row.previous, row.hash
        db.execute(_INSERT, (signed(row.chain), *told))
    for head in heads:
        db.execute(
            "INSERT OR REPLACE INTO audit_heads VALUES (?, ?, ?, ?)",
            (signed(head.chain), head.first, head.last, head.hash),
        )


def make_room_in(db: sqlite3.Connection, head: AuditHead, most_rows: int) -> None:
    """Forget the oldest rows of a chain, within one transaction of the caller, so that so many are kept of it."""
    first = head.last - most_rows + 1
    if head.first < first:
        db.execute("DELETE FROM audit WHERE chain = ? AND number < ?", (signed(head.chain), first))
        db.execute("UPDATE audit_heads SET first = ? WHERE chain = ?", (first, signed(head.chain)))


def _make_room(db: sqlite3.Connection, most_rows: int) -> None:
    sql = "DELETE FROM audit WHERE place <= (SELECT max(place) FROM audit) - ?"
    if db.execute(sql, (most_rows,)).rowcount > 0:
        db.execute(
            "DELETE FROM audit_heads WHERE NOT EXISTS (SELECT 1 FROM audit WHERE audit.chain = audit_heads.chain)"
        )
        db.execute(
            "UPDATE audit_heads SET first = (SELECT min(number) FROM audit WHERE audit.chain = audit_heads.chain)"
        )


def _checked(found: tuple[Any, ...]) -> AuditHead:
    chain, first, last, digest = found
    numbers = chain, first, last
    if not all(isinstance(number, int) for number in numbers) or not isinstance(digest, bytes) or min(first, last) < 0:
        raise BrokenSeal("a head of the audit that cannot be read")
    return AuditHead(unsigned(chain), first, last, digest)


def _row(chain: int, rest: Sequence[Any]) -> AuditRow:
    wanted = (int, int, str, str, str, str, bytes, bytes)
    if not all(isinstance(value, kind) for value, kind in zip((chain, *rest), (int, *wanted), strict=True)):
        raise BrokenSeal("a row of the audit that cannot be read: a column of another kind")
    return AuditRow(unsigned(chain), *rest)

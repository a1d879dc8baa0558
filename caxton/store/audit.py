"""The audit in a file: rows of chains, each of a shard's written in the transaction that does what it tells."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from caxton.store.integers import bounded, signed, unsigned
from caxton.store.meta import read_meta
from caxton.wire.audit import MENDED, MOST_ROWS, RUNTIME, AuditHead, AuditPage, AuditRow, Entry, ReadAudit, fits, linked

# Rows that are looked at for one page, whether or not they are asked for: nobody waits for long behind it.
MOST_LOOKED_AT = 2_000
_BEHIND_ALL = (1 << 63) - 1
# A number beyond this is none that was written here.
_LARGEST_NUMBER = 1 << 62
_COLUMNS = "chain, number, at, action, principal, subject, outcome, previous, hash"
_HEADS = "SELECT chain, first, last, hash FROM audit_heads"
_NUMBERED = "FROM audit WHERE chain = ? AND number BETWEEN 0 AND ? AND typeof(number) = 'integer' ORDER BY number"
_FIRST, _LAST = f"SELECT number {_NUMBERED} LIMIT 1", f"SELECT number, hash {_NUMBERED} DESC LIMIT 1"
# Nothing but a row that somebody put in has the number of the next one: that keeps nobody from adding it.
_INSERT = f"INSERT OR REPLACE INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 (our own words only)


def append(db: sqlite3.Connection, entries: Sequence[Entry], most_rows: int = MOST_ROWS) -> AuditHead | None:
    """Add entries to this file's chain, within one transaction of the caller; returns its head if there were any."""
    if not entries:
        return None
    chain = read_meta(db).file_id
    add_to(db, chain, entries)
    _make_room(db, most_rows)
    return read_head(db, chain)


def add_to(db: sqlite3.Connection, chain: int, entries: Sequence[Entry]) -> AuditHead:
    """Add entries to a chain, within one transaction of the caller; returns its head.

    Where the file's own account of the chain is not what was written, whoever changed it keeps nobody from serving: the
    chain goes on behind the highest number of either, and a row before these says so.
    """
    head, problem = _end_of(db, chain)
    last, previous = head.last, head.hash
    told = [Entry(entries[0].at, MENDED, RUNTIME, f"chain {chain:016x}", problem)] if problem else []
    rows = []
    for entry in (*told, *entries):
        last += 1
        row = linked(entry, chain, last, previous)
        rows.append(row)
        previous = row.hash
    head = AuditHead(chain, head.first, last, previous)
    copy_rows(db, rows, [head])
    return head


def read_page(db: sqlite3.Connection, asked: ReadAudit) -> AuditPage:
    """Return rows, and all heads; of what is no row at all its place."""
    where, order = ("<", "DESC") if asked.backwards else (">", "ASC")
    sql = f"SELECT place, {_COLUMNS} FROM audit WHERE place {where} ? AND place > 0 ORDER BY place {order} LIMIT ?"  # noqa: S608 (our own words only)
    begin = bounded(asked.after) if asked.after or not asked.backwards else _BEHIND_ALL
    rows: list[AuditRow] = []
    places: list[int] = []
    unreadable: list[int] = []
    after, more = asked.after, False
    for looked_at, (place, chain, *rest) in enumerate(db.execute(sql, (begin, MOST_LOOKED_AT + 1))):
        more = looked_at == MOST_LOOKED_AT or asked.limit in {len(rows), len(unreadable)}
        if more:
            break
        row = _row(chain, rest)
        if row is None:
            unreadable.append(place)
        elif fits(row, asked):
            rows.append(row)
            places.append(place)
        after = place
    return AuditPage(rows, read_heads(db), after, more, places, unreadable)


def read_rows(db: sqlite3.Connection) -> Iterator[AuditRow]:
    """Yield all rows that can be read, in the order in which they were written."""
    after, more = 0, True
    while more:
        page = read_page(db, ReadAudit(after))
        yield from page.rows
        after, more = page.after, page.more


def last_row(db: sqlite3.Connection, chain: int, actions: Sequence[str]) -> AuditRow | None:
    """Return the last row of a chain with one of these actions, None where there is none, or it cannot be read."""
    among = ", ".join("?" * len(actions))
    sql = f"SELECT {_COLUMNS} FROM audit WHERE chain = ? AND action IN ({among}) ORDER BY number DESC LIMIT 1"  # noqa: S608 (our own words only)
    found = db.execute(sql, (signed(chain), *actions)).fetchone()
    return None if found is None else _row(found[0], found[1:])


def read_head(db: sqlite3.Connection, chain: int) -> AuditHead | None:
    """Return what a chain is by the file's own account; None where it has no row yet, or that cannot be read."""
    found = db.execute(f"{_HEADS} WHERE chain = ?", (signed(chain),)).fetchone()
    return None if found is None else _head(*found)


def read_heads(db: sqlite3.Connection) -> list[AuditHead]:
    """Return what the chains of this file are by its own account, as far as that can be read."""
    found = (_head(*row) for row in db.execute(f"{_HEADS} ORDER BY chain").fetchall())
    return [head for head in found if head is not None]


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


def _end_of(db: sqlite3.Connection, chain: int) -> tuple[AuditHead, str]:
    """Return behind what the next row of a chain goes, and what is wrong with the file's account of that, or ""."""
    head = read_head(db, chain)
    most = max(_LARGEST_NUMBER >> 1, 0 if head is None else head.last)  # a larger one leaves no room behind it
    number, found = db.execute(_LAST, (signed(chain), most)).fetchone() or (0, b"")
    if head is None and not (number or _has_head(db, chain)):
        return AuditHead(chain, 1, 0, b""), ""
    if head is None:
        (first,) = db.execute(_FIRST, (signed(chain), most)).fetchone() or (1,)
        head, problem = AuditHead(chain, first, 0, b""), "the account of its last row could not be read"
    elif head.last == number:
        return head, ""
    else:
        problem = f"its last row was {head.last} by the file's account, and {number} was the last one there"
    if head.last < number:  # else rows are gone, and what was the hash of the last one goes on saying so
        head = AuditHead(chain, head.first, number, found if isinstance(found, bytes) else b"")
    return head, problem


def _has_head(db: sqlite3.Connection, chain: int) -> bool:
    return db.execute(f"{_HEADS} WHERE chain = ?", (signed(chain),)).fetchone() is not None


def _head(chain: int, first: Any, last: Any, hashed: Any) -> AuditHead | None:
    """Return a head as it was read, None where it is none."""
    if not all(isinstance(value, int) and 0 <= value <= _LARGEST_NUMBER for value in (first, last)):
        return None
    return AuditHead(unsigned(chain), first, last, hashed) if isinstance(hashed, bytes) else None


def _row(chain: Any, rest: Sequence[Any]) -> AuditRow | None:
    """Return a row as it was read, None where it is none."""
    kinds = (int, int, int, str, str, str, str, bytes, bytes)
    if not all(isinstance(value, kind) for value, kind in zip((chain, *rest), kinds, strict=True)):
        return None
    number, at = rest[:2]
    return AuditRow(unsigned(chain), *rest) if number >= 0 and at >= 0 else None

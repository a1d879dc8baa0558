"""Many rows with one statement: SQLite gives the interpreter lock away at each statement, not at each row.

Ten thousand rows, one at a time beside a busy thread, wait ten thousand times for the lock: 17 s were measured. So a
statement has up to 256 rows, of a few sizes, each of which the connection keeps prepared.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain

Row = tuple[object, ...]
# How many rows a statement has. Some 11 columns each are well below the 32,766 variables that SQLite takes.
SIZES = (256, 32, 4, 1)
# Of blobs in one statement of several rows: what is bound stays in memory until the statement is used again.
OF_STATEMENT = 1 << 20


def insert(db: sqlite3.Connection, table: str, rows: Sequence[Row], *, replace: bool = False) -> None:
    """Add rows, every column of them in order; with `replace` in the place of those with the same keys."""
    for some in _by_statement(rows):
        db.execute(_insertion(table, len(some[0]), len(some), replace=replace), [*chain.from_iterable(some)])


def delete(db: sqlite3.Connection, table: str, keys: Sequence[Row], *columns: str) -> int:
    """Delete the rows with these keys, which are values of `columns`; return how many there were."""
    gone = 0
    for some in _by_statement(keys):
        sql = f"DELETE FROM {table} WHERE {_one_of(columns, len(some))}"  # noqa: S608 (our own words only)
        gone += db.execute(sql, [*chain.from_iterable(some)]).rowcount
    return gone


def count_there(db: sqlite3.Connection, table: str, keys: Sequence[Row], *columns: str) -> int:
    """Return how many rows have one of these keys, which are values of `columns`."""
    there = 0
    for some in _by_statement(keys):
        sql = f"SELECT count(*) FROM {table} WHERE {_one_of(columns, len(some))}"  # noqa: S608 (our own words only)
        there += db.execute(sql, [*chain.from_iterable(some)]).fetchone()[0]
    return there


def _by_statement(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Cut rows into as many as a statement has: the largest size that is full and does not hold too much."""
    at, left = 0, len(rows)
    while left:
        for size in SIZES:
            if size <= left and (size == 1 or _weight(rows[at : at + size]) <= OF_STATEMENT):
                break
        yield rows[at : at + size]
        at, left = at + size, left - size


def _weight(rows: Sequence[Row]) -> int:
    """Return the bytes of the blobs, which stand last in their rows."""
    return sum([len(blob) for *_, blob in rows if isinstance(blob, bytes)])


@cache
def _insertion(table: str, columns: int, count: int, *, replace: bool) -> str:
    row = f"({', '.join('?' * columns)})"
    verb = "INSERT OR REPLACE" if replace else "INSERT"
    return f"{verb} INTO {table} VALUES {', '.join([row] * count)}"


@cache
def _one_of(columns: tuple[str, ...], count: int) -> str:
    """Return a condition for which SQLite looks each key up: of pairs in a list it would walk through the table."""
    if len(columns) == 1:
        return f"{columns[0]} IN ({', '.join('?' * count)})"
    key = " AND ".join(f"{column} = ?" for column in columns)
    return " OR ".join([f"({key})"] * count)

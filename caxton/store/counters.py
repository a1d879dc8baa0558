"""The counters of a shard's file: its worker's, and of the rows of tables, kept as rows are added and removed."""

import sqlite3
from collections.abc import Iterable

from caxton.store.seal import BrokenSeal, number_of, seal, unseal
from caxton.store.statements import insert

# Before the name of a table: how many rows it had when the last transaction ended.
ROWS = "rows."
# For how many milliseconds the file has been served: with each commit, what has passed since the one before.
SERVED = "served_ms"


def read_counters(db: sqlite3.Connection) -> dict[str, int]:
    """Return every counter by its name; raises BrokenSeal."""
    found: dict[str, int] = {}
    for name, value, sealed in db.execute("SELECT name, value, seal FROM ledger").fetchall():
        if not isinstance(name, str):
            raise BrokenSeal("a counter whose name is no text")
        unseal(sealed, number_of(name.encode()), value)
        found[name] = value
    return found


def write_counters(db: sqlite3.Connection, values: Iterable[tuple[str, int]]) -> None:
    """Write counters anew."""
    rows = [(name, value, seal(b"", number_of(name.encode()), value)) for name, value in values]
    insert(db, "ledger", rows, replace=True)


def add_to_counter(db: sqlite3.Connection, name: str, more: int) -> None:
    """Add to a counter that nobody keeps in memory."""
    row = db.execute("SELECT value, seal FROM ledger WHERE name = ?", (name,)).fetchone()
    value = 0
    if row is not None:
        value = row[0]
        unseal(row[1], number_of(name.encode()), value)
    write_counters(db, [(name, value + more)])

"""What a shard's file says of itself, in one row."""

import sqlite3
from typing import NamedTuple

from caxton.store.seal import BrokenSeal, seal, unseal


class Meta(NamedTuple):
    """file_id: random, 63 bits. shard: -1 until one opens it. next_number: the first that no row ever had."""

    file_id: int
    shard: int
    next_number: int
    commits: int


def read_meta(db: sqlite3.Connection) -> Meta:
    """Return the row; raises BrokenSeal when it is gone or not what was written."""
    row = db.execute("SELECT file_id, shard, next_number, commits, seal FROM meta WHERE id = 1").fetchone()
    if row is None:
        raise BrokenSeal("the row that says whose file it is, is gone")
    *numbers, sealed = row
    unseal(sealed, *numbers)
    return Meta(*numbers)


def write_meta(db: sqlite3.Connection, meta: Meta) -> None:
    """Write the row anew."""
    db.execute("INSERT OR REPLACE INTO meta VALUES (1, ?, ?, ?, ?, ?)", (*meta, seal(b"", *meta)))

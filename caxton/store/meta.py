"""What a shard's file says of itself, in one row."""

import sqlite3
from typing import NamedTuple

from caxton.store.seal import BrokenSeal, number_of, seal, unseal


class Meta(NamedTuple):
    """file_id: random, 63 bits. shard: -1 until one opens it. boot: grows with every boot seen, the last is boot_id."""

    file_id: int
    shard: int
    next_number: int
    commits: int
    boot: int
    boot_id: str


def read_meta(db: sqlite3.Connection) -> Meta:
    """Return the row; raises BrokenSeal when it is gone or not what was written."""
    row = db.execute(
        "SELECT file_id, shard, next_number, commits, boot, boot_id, seal FROM meta WHERE id = 1"
    ).fetchone()
    if row is None:
        raise BrokenSeal("the row that says whose file it is, is gone")
    meta = Meta(*row[:6])
    unseal(row[6], *meta[:5], number_of(str(meta.boot_id).encode()))
    return meta


def write_meta(db: sqlite3.Connection, meta: Meta) -> None:
    """Write the row anew."""
    check = seal(b"", *meta[:5], number_of(meta.boot_id.encode()))
    db.execute("INSERT OR REPLACE INTO meta VALUES (1, ?, ?, ?, ?, ?, ?, ?)", (*meta, check))

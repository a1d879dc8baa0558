"""The books of one shard, counted in the rows of its file, all at one moment."""

import sqlite3

from caxton.store.counters import read_counters
from caxton.store.integers import unsigned
from caxton.store.meta import read_meta
from caxton.store.seal import BrokenSeal, unseal
from caxton.store.waiting import count_done
from caxton.wire.shard_ledger import ShardLedger

# No message is counted in their rows, so each has a counter of its rows.
COUNTED_TABLES = (
    "absences",
    "agents",
    "agent_states",
    "agent_versions",
    "charges",
    "conversations",
    "idempotency_keys",
    "routes",
    "sources",
    "targets",
)


def read_shard_ledger(db: sqlite3.Connection) -> ShardLedger:
    """Count everything, within one transaction of the caller. Raises BrokenSeal."""
    meta = read_meta(db)
    targets = db.execute("SELECT target, emitted, acknowledged FROM targets").fetchall()
    outbox = db.execute("SELECT target, sum(last - first + 1) FROM outbox GROUP BY target").fetchall()
    return ShardLedger(
        shard=meta.shard,
        file=meta.file_id,
        counts=read_counters(db),
        pending=_pending(db),
        outbox={unsigned(target): messages for target, messages in outbox},
        dead_letters=_count(db, "dead_letters"),
        emitted={unsigned(target): unsigned(emitted) for target, emitted, _ in targets},
        acknowledged={unsigned(target): unsigned(acknowledged) for target, _, acknowledged in targets},
        taken={unsigned(file): unsigned(taken) for file, taken in db.execute("SELECT file, taken FROM sources")},
        rows={table: _count(db, table) for table in COUNTED_TABLES},
    )


def _pending(db: sqlite3.Connection) -> int:
    """Count the messages that were taken and are not done: row by row, and mark by mark."""
    pending = _count(db, "message_queue")
    sql = """SELECT number, size, done, marks FROM unfinished LEFT JOIN unfinished_done USING (number)"""
    for number, size, done, sealed in db.execute(sql):
        if not isinstance(size, int):
            raise BrokenSeal(f"unfinished row {number} has a size that is no number")
        pending += size
        if sealed is not None:
            pending -= count_done(unseal(sealed, number, done))
    return pending


def _count(db: sqlite3.Connection, table: str) -> int:
    (count,) = db.execute(f"SELECT count(*) FROM {table} NOT INDEXED").fetchone()  # noqa: S608 (our own words only)
    return int(count)

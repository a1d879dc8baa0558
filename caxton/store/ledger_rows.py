"""The books of one shard, counted in the rows of its file, all at one moment."""

import sqlite3
from collections.abc import Callable, Iterable
from time import monotonic

from caxton.store.counters import ROWS, read_counters
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
# What is counted where dead letters come and go.
_OF_DEAD_LETTERS = ("dead", "dead_outbox", "expired", "purged", "requeued", "evicted")
# For how long a count of rows holds that nothing should have changed. Until then a row that is lost is not missed.
HOLDS_S = 10.0


class RowCounts:
    """How many rows the tables of one file had when they were last counted, row by row.

    With 100,000 agents that takes 15 ms of the thread that commits, for each who asks. So a count holds, for 10 s at
    most, as long as the counters are what they were that are kept of the table. clock: monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        # By table: what its counters were, the count, and when it was counted.
        self._counted: dict[str, tuple[list[int], int, float]] = {}

    def of(self, db: sqlite3.Connection, table: str, counts: dict[str, int], kept: Iterable[str]) -> int:
        """Return how many rows a table has, of which these counters are kept."""
        counters, now_s = [counts.get(name, 0) for name in kept], self._clock()
        before = self._counted.get(table)
        if before is not None and before[0] == counters and now_s - before[2] < HOLDS_S:
            return before[1]
        count = _count(db, table)
        self._counted[table] = counters, count, now_s
        return count


def read_shard_ledger(db: sqlite3.Connection, rows: RowCounts | None = None) -> ShardLedger:
    """Count everything, within one transaction of the caller. rows: what was counted before. Raises BrokenSeal."""
    rows = rows or RowCounts()
    meta, counts = read_meta(db), read_counters(db)
    targets = db.execute("SELECT target, emitted, acknowledged FROM targets").fetchall()
    outbox = db.execute("SELECT target, sum(last - first + 1) FROM outbox GROUP BY target").fetchall()
    return ShardLedger(
        shard=meta.shard,
        file=meta.file_id,
        counts=counts,
        pending=_pending(db),
        outbox={unsigned(target): messages for target, messages in outbox},
        dead_letters=rows.of(db, "dead_letters", counts, _OF_DEAD_LETTERS),
        emitted={unsigned(target): unsigned(emitted) for target, emitted, _ in targets},
        acknowledged={unsigned(target): unsigned(acknowledged) for target, _, acknowledged in targets},
        taken={unsigned(file): unsigned(taken) for file, taken in db.execute("SELECT file, taken FROM sources")},
        rows={table: rows.of(db, table, counts, [f"{ROWS}{table}"]) for table in COUNTED_TABLES},
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

"""Rows that are counted for the ledger: a count holds while nothing should have changed, and not for long."""

import pytest

from caxton.agents.manifest import Manifest
from caxton.store.agents import StoredAgents
from caxton.store.ledger import check
from caxton.store.ledger_rows import HOLDS_S, RowCounts, read_shard_ledger
from caxton.store.shard_store import ShardStore


@pytest.fixture
async def store(tmp_path):
    """A shard's file with three agents."""
    store = await ShardStore.open(tmp_path / "shard-0.db", 0)
    await StoredAgents(store.database).add([(number, Manifest(f"a{number}", bytes(32))) for number in (1, 2, 3)], 0)
    yield store
    await store.close()


class Clock:
    """Seconds that pass when the test says so."""

    now_s = 100.0

    def __call__(self):
        return self.now_s


async def counted(store, rows):
    """How many agents the books count, and whether they balance."""
    ledger = await store.database.write(lambda db: read_shard_ledger(db, rows))
    return ledger.rows["agents"], check([ledger]).balanced


async def test_a_row_that_is_lost_is_missed_within_ten_seconds(store):
    """Until then what was counted before is told, where the counters say that nothing has changed."""
    clock = Clock()
    rows = RowCounts(clock)
    assert await counted(store, rows) == (3, True)
    await store.database.write(lambda db: db.execute("DELETE FROM agents WHERE id = 2"))
    clock.now_s += HOLDS_S - 0.1
    assert await counted(store, rows) == (3, True)
    clock.now_s += 0.1
    assert await counted(store, rows) == (2, False)
    assert await counted(store, RowCounts(clock)) == (2, False)


async def test_what_has_changed_is_counted_at_once(store):
    """Whatever was counted a moment ago."""
    rows = RowCounts(Clock())
    assert await counted(store, rows) == (3, True)
    await StoredAgents(store.database).add([(4, Manifest("a4", bytes(32)))], 0)
    assert await counted(store, rows) == (4, True)
    await StoredAgents(store.database).remove([1, 2])
    assert await counted(store, rows) == (2, True)
    await store.database.write(lambda db: db.execute("DELETE FROM agents WHERE id = 3"))
    await StoredAgents(store.database).add([(5, Manifest("a5", bytes(32)))], 0)
    assert await counted(store, rows) == (2, False), "a row that was lost meanwhile is missed"

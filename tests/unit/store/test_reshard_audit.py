"""The audits of old shards in a new file, and what makes room there first."""

from types import SimpleNamespace

from caxton.store.audit import append, copy_rows
from caxton.store.reshard.copying import Copying
from caxton.store.reshard.old_shard import look
from caxton.store.shard_store import ShardStore
from caxton.wire.audit import MAX_AUDIT_PAGE, Entry, ReadAudit
from caxton.wire.audit_check import faults

ROWS = MAX_AUDIT_PAGE // 2 + 1


async def test_whatever_makes_room_first_is_the_oldest_of_all_shards(tmp_path):
    """And not all that one shard has; the chains of each go on standing, and end where they end."""
    old = []
    for shard in range(3):
        path = tmp_path / f"old-{shard}.db"
        store = await ShardStore.open(path, shard)
        rows = [Entry(10 * n + shard, "pause", "", f"agent {shard}") for n in range(ROWS)]
        await store.database.write(lambda db, rows=rows: append(db, rows))
        await store.close()
        old.append(await look(path, shard, 0))
    new = await ShardStore.open(tmp_path / "new.db", 0)

    async def add_audit(rows, heads):
        await new.database.write(lambda db: copy_rows(db, rows, heads))

    first = SimpleNamespace(add_audit=add_audit)
    await Copying(old, SimpleNamespace(shards=[first]), 0, lambda *_: None)._audit()
    page = await new.audit(ReadAudit())
    assert [row.at for row in page.rows] == sorted(10 * n + shard for n in range(ROWS) for shard in range(3))[:500]
    assert len(page.heads) == 3

    await new.database.write(lambda db: append(db, [Entry(10 * ROWS, "deploy", "", "b")], most_rows=ROWS))
    kept = await new.audit(ReadAudit())
    await new.close()
    counts = [sum(row.subject == f"agent {shard}" for row in kept.rows) for shard in range(3)]
    assert len(kept.rows) == ROWS
    assert max(counts) - min(counts) <= 1
    assert faults(kept.rows, kept.heads) == []

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caxton.errors import StorageDamaged
from caxton.store.counters import read_counters
from caxton.store.database import Database
from caxton.store.routes import Route, StoredRoutes

AGENT = st.integers(0, 2**64 - 1)
ROUTE = st.builds(
    Route, st.text(st.characters(exclude_categories=["Cs"]), max_size=9), st.integers(0, 9), st.integers(0, 2**62)
)


@settings(max_examples=settings().max_examples // 4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.dictionaries(AGENT, ROUTE, max_size=4) | st.sets(AGENT, max_size=4), max_size=5))
async def test_the_ways_that_were_saved_last_are_loaded(tmp_path, steps):
    """After any number of calls and a reopening, by agent, and their rows are counted."""
    path = tmp_path / "shard.db"
    path.unlink(missing_ok=True)
    database, known = await Database.open(path), {}
    for step in steps:
        if isinstance(step, dict):
            await StoredRoutes(database).save(step)
            known |= step
        else:
            gone = step | set(list(known)[:1])
            await StoredRoutes(database).remove(gone)
            known = {agent_id: route for agent_id, route in known.items() if agent_id not in gone}
    await database.close()
    database = await Database.open(path)
    found = await StoredRoutes(database).load()
    counters = await database.run(read_counters)
    await database.close()

    assert found == known
    assert counters.get("rows.routes", 0) == len(known)


@pytest.mark.parametrize("change", ["node_id = 'c'", "node_id = x'62'", "hops = 2", "updated_at = 8", "agent_id = 2"])
async def test_a_way_that_is_not_what_was_written_is_damage(tmp_path, change):
    """No message is sent to another node than the one that was stored."""
    database = await Database.open(tmp_path / "shard.db")
    await StoredRoutes(database).save({1: Route("b", 1, 7)})
    await database.write(lambda db: db.execute(f"UPDATE routes SET {change}"))  # noqa: S608 (this file's own words)
    with pytest.raises(StorageDamaged):
        await StoredRoutes(database).load()
    await database.close()

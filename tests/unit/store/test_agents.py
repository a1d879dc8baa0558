import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caxton.agents.lifecycle import AgentState
from caxton.agents.limits import BOUNDS, Limits
from caxton.agents.manifest import Encoding, Manifest
from caxton.errors import StorageDamaged, StorageError
from caxton.store.agents import StoredAgents
from caxton.store.counters import read_counters
from caxton.store.database import Database

NAME = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20)
LIMITS = st.builds(Limits, **{name: st.integers(*bounds) for name, bounds in BOUNDS.items()})
MANIFEST = st.builds(
    Manifest,
    NAME,
    st.binary(min_size=32, max_size=32),
    st.sampled_from(Encoding),
    st.lists(NAME, max_size=4).map(tuple),
    LIMITS,
    st.none() | st.just("a name that is none of theirs"),
)


async def open_agents(path):
    database = await Database.open(path)
    return database, StoredAgents(database)


@settings(max_examples=settings().max_examples // 4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(manifests=st.dictionaries(st.integers(1, 2**63 - 1), MANIFEST, max_size=5))
async def test_registrations_survive_reopening(tmp_path, manifests):
    """Every field of a manifest comes back after the file was closed and opened again."""
    path = tmp_path / "shard.db"
    path.unlink(missing_ok=True)
    database, stored = await open_agents(path)
    await stored.add(manifests.items(), 5)
    await database.close()
    database, stored = await open_agents(path)
    found = await stored.load()
    await database.close()

    assert {agent_id: manifest for agent_id, manifest, _ in found} == manifests
    assert {state for _, _, state in found} <= {AgentState.RUNNING}


async def test_states_and_removals_survive_reopening(tmp_path):
    """A stored state comes back, a removed agent does not, and who was never there changes nothing."""
    database, stored = await open_agents(tmp_path / "shard.db")
    await stored.add([(n, Manifest(f"a{n}", bytes(32))) for n in (1, 2, 3)], 5)
    await stored.set_state(1, AgentState.STOPPED, 6)
    await stored.set_state(9, AgentState.STOPPED, 6)
    await stored.remove([2, 9])
    await stored.remove([])
    await database.close()
    database, stored = await open_agents(tmp_path / "shard.db")
    found = await stored.load()
    await database.close()

    assert {agent_id: state for agent_id, _, state in found} == {1: AgentState.STOPPED, 3: AgentState.RUNNING}


async def test_until_when_an_agent_drains_survives_reopening(tmp_path):
    """It is told of who drains, as it was said; of who stopped since, and of what earlier releases wrote, it is not."""
    database, stored = await open_agents(tmp_path / "shard.db")
    await stored.add([(n, Manifest(f"a{n}", bytes(32))) for n in (1, 2, 3)], 5)
    await stored.drain(1, 6, 9_000)
    await stored.drain(2, 6, 9_000)
    await stored.set_state(2, AgentState.STOPPED, 7)
    await stored.set_state(3, AgentState.DRAINING, 7)
    await database.close()
    database, stored = await open_agents(tmp_path / "shard.db")
    found, until = await stored.load(), await stored.draining()
    await database.close()

    states = [AgentState.DRAINING, AgentState.STOPPED, AgentState.DRAINING]
    assert ([state for _, _, state in found], until) == (states, {1: 9_000})


async def test_agents_are_stored_together_or_not_at_all(tmp_path):
    """When one of several agents cannot be stored, none of them is."""
    database, stored = await open_agents(tmp_path / "shard.db")
    await stored.add([(3, Manifest("old", bytes(32)))], 5)
    with pytest.raises(StorageError, match="UNIQUE"):
        await stored.add([(n, Manifest(f"a{n}", bytes(32))) for n in (1, 2, 3)], 5)
    assert [agent_id for agent_id, _, _ in await stored.load()] == [3]
    await database.close()


async def test_what_few_agents_have_stands_only_where_they_have_it(tmp_path):
    """The manifest of an agent that escalates to nobody has no field for it."""
    database, stored = await open_agents(tmp_path / "shard.db")
    plain, other = Manifest("a1", bytes(32)), Manifest("a2", bytes(32), escalate_to="a1")
    await stored.add([(1, plain), (2, other)], 5)
    rows = await database.run(lambda db: [text for (text,) in db.execute("SELECT manifest FROM agent_versions")])
    await database.close()

    assert ["escalate_to" in text for text in rows] == [False, True]


async def test_an_agent_and_its_version_come_and_go_together(tmp_path):
    """Each has a row that names the other, both tables are counted, and nothing is left of who was removed."""
    database, stored = await open_agents(tmp_path / "shard.db")
    await stored.add([(n, Manifest(f"a{n}", bytes([n] * 32), capabilities=("x",))) for n in (1, 2)], 5)
    await stored.set_state(1, AgentState.PAUSED, 6)
    await stored.remove([2])
    agents = await database.run(lambda db: db.execute("SELECT * FROM agents").fetchall())
    versions = await database.run(lambda db: db.execute("SELECT * FROM agent_versions").fetchall())
    counters = await database.run(read_counters)
    await database.close()

    assert [row[:-1] for row in agents] == [(1, "a1", "paused", '["x"]', 1, "", 6, 5, 6)]
    assert [(*row[:3], *row[4:-1]) for row in versions] == [(1, 1, "", bytes([1] * 32), 5)]
    assert (counters["rows.agents"], counters["rows.agent_versions"]) == (1, 1)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("DELETE FROM agent_versions", "version 1 of agent 1 is gone"),
        ("UPDATE agents SET version = 2", "version 2 of agent 1 is gone"),
        ("UPDATE agents SET name = 'b1'", "differs from what was written"),
        ("UPDATE agents SET node_id = 'there'", "differs from what was written"),
        ("UPDATE agents SET capabilities = '[\"y\"]'", "differs from what was written"),
        ("UPDATE agent_versions SET label = 'other'", "differs from what was written"),
        ("UPDATE agent_versions SET module = zeroblob(32)", "differs from what was written"),
        ("UPDATE agent_versions SET created_at = 7", "differs from what was written"),
        ("UPDATE agent_versions SET manifest = replace(manifest, '50', '60')", "differs from what was written"),
        ("UPDATE agent_versions SET module = 5", "cannot be read"),
        ("UPDATE agents SET state = 'runnink'", "not a valid AgentState"),
    ],
)
async def test_a_registration_that_is_not_what_was_written_is_damage(tmp_path, change, problem):
    """Whatever somebody changes in one of the two rows is told, with what it is."""
    database, stored = await open_agents(tmp_path / "shard.db")
    await stored.add([(1, Manifest("a1", bytes([1] * 32)))], 5)
    await database.write(lambda db: db.execute(change))
    with pytest.raises(StorageDamaged, match=problem):
        await stored.load()
    if "state" not in change:  # that it is none of the states is seen when it is read
        with pytest.raises(StorageDamaged, match=problem):
            await stored.count()
    await database.close()

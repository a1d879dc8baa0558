import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caxton.agents.lifecycle import AgentState
from caxton.agents.limits import BOUNDS, Limits
from caxton.agents.manifest import Encoding, Manifest
from caxton.errors import StorageError
from caxton.store.agents import StoredAgents
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


async def test_agents_are_stored_together_or_not_at_all(tmp_path):
    """When one of several agents cannot be stored, none of them is."""
    database, stored = await open_agents(tmp_path / "shard.db")
    await stored.add([(3, Manifest("old", bytes(32)))], 5)
    with pytest.raises(StorageError, match="UNIQUE"):
        await stored.add([(n, Manifest(f"a{n}", bytes(32))) for n in (1, 2, 3)], 5)
    assert [agent_id for agent_id, _, _ in await stored.load()] == [3]
    await database.close()

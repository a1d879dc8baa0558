"""Where names land, pinned: a change here would move every agent there is."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.ids import SESSION_BIT, AgentNames
from caxton.placement.slot_table import MAX_WORKERS, SlotTable
from caxton.placement.slots import SLOT_MASK

KEY = bytes(range(32))
PINNED = [
    ("echo", 0x7918EB19CFFFED64, 356),
    ("counter-0", 0x044446391BED3F7B, 891),
    ("counter-1", 0x7F77BA6ED844AD6B, 363),
    ("a", 0x4263689033BCC5F8, 504),
    ("agent 17", 0x69668A21B187CDCD, 461),
    ("ä", 0x782DB37BE4967499, 153),
    ("splitter", 0x4A8780C8E72F0D31, 305),
]
NAMES = 100_000


@pytest.fixture(scope="module")
def ids():
    """The ids of 100,000 names under one key."""
    names = AgentNames(KEY)
    return [names.id_of(f"agent-{number}") for number in range(NAMES)]


@pytest.mark.parametrize(("name", "agent_id", "slot"), PINNED)
def test_known_names_have_known_ids_and_slots(name, agent_id, slot):
    """For the key 00 01 … 1f, on every machine and in every process."""
    assert AgentNames(KEY).id_of(name) == agent_id
    assert agent_id & SLOT_MASK == slot


@pytest.mark.parametrize("workers", range(2, MAX_WORKERS + 1))
def test_agents_are_spread_evenly_over_the_workers(ids, workers):
    """100,000 names: the fullest shard has less than 1.2 times as many as the emptiest."""
    counts = Counter(map(SlotTable.even(workers).shard_of, ids))
    assert len(counts) == workers
    assert max(counts.values()) < 1.2 * min(counts.values())


def test_names_get_ids_of_their_own(ids):
    """None twice in 100,000, all of 63 bits, none zero."""
    assert len(set(ids)) == NAMES
    assert min(ids) > 0
    assert max(ids) < SESSION_BIT


@given(agent_id=st.integers(1, SESSION_BIT - 1), workers=st.integers(1, MAX_WORKERS))
def test_the_owner_of_an_agent_is_the_owner_of_its_slot(agent_id, workers):
    """Whatever the id, its low ten bits are its slot, and somebody owns that."""
    table = SlotTable.even(workers)
    assert table.shard_of(agent_id) == table.owners[agent_id & 1_023] < workers

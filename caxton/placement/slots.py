"""Which slot an agent belongs to. Pinned by a table test: a change here moves every agent there is."""

SLOTS = 1_024
SLOT_MASK = SLOTS - 1


def slot_of(agent_id: int) -> int:
    """Return the slot of an agent's id, 0 to 1,023. Ids are keyed hashes, so their low bits are already even."""
    return agent_id & SLOT_MASK

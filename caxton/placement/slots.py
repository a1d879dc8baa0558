"""Which slot an agent belongs to. Pinned by a table test: a change here moves every agent there is."""

SLOTS = 1_024
# The slot is in the low bits of an agent's id. Ids are keyed hashes, so these are even already.
SLOT_MASK = SLOTS - 1

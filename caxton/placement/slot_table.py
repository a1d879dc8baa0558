"""Which worker owns each slot: versioned, so that a stale view is recognised and replaced."""

from typing import Annotated, Self

import msgspec

from caxton.errors import ConfigurationError
from caxton.placement.slots import SLOT_MASK, SLOTS

MAX_WORKERS = 32


class SlotTable(msgspec.Struct, frozen=True, array_like=True):
    """slot → shard. `version` grows with every change; `owners` has 1,024 shard numbers."""

    version: Annotated[int, msgspec.Meta(ge=1)]
    owners: Annotated[
        tuple[Annotated[int, msgspec.Meta(ge=0, lt=MAX_WORKERS)], ...], msgspec.Meta(min_length=SLOTS, max_length=SLOTS)
    ]

    @classmethod
    def even(cls, workers: int, version: int = 1) -> Self:
        """Deal the slots to `workers` shards in turn. Raises ConfigurationError outside 1..32."""
        if not 1 <= workers <= MAX_WORKERS:
            raise ConfigurationError("--workers", f"{workers} workers", f"choose from 1 to {MAX_WORKERS}")
        return cls(version, tuple(slot % workers for slot in range(SLOTS)))

    def shard_of(self, agent_id: int) -> int:
        """Return the shard that owns an agent."""
        return self.owners[agent_id & SLOT_MASK]

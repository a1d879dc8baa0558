"""The registrations of one shard, on disk."""

import sqlite3
from collections.abc import Iterable, Mapping

import msgspec

from caxton.agents.lifecycle import AgentState
from caxton.agents.limits import Limits
from caxton.agents.manifest import Encoding, Manifest
from caxton.errors import StorageDamaged, ValidationError
from caxton.store.counters import ROWS, add_to_counter
from caxton.store.database import Database
from caxton.store.migrations import agent_seal
from caxton.store.seal import BrokenSeal

_INSERT = "INSERT INTO agents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ROWS = f"{ROWS}agents"
_to_json = msgspec.json.Encoder().encode
_limits = msgspec.json.Decoder(Limits).decode
_capabilities = msgspec.json.Decoder(tuple[str, ...]).decode


class StoredAgents:
    """Adds, changes, removes and loads registrations; each call is one transaction. Raises StorageError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, agents: Iterable[tuple[int, Manifest]], now_ms: int, state: AgentState = AgentState.RUNNING
    ) -> None:
        """Store agents, all of them or none; `state` is the one they are to have after a restart."""
        rows = [_row(agent_id, manifest, state, now_ms) for agent_id, manifest in agents]

        def insert(db: sqlite3.Connection) -> None:
            db.executemany(_INSERT, rows)
            add_to_counter(db, _ROWS, len(rows))

        await self._database.write(insert)

    async def set_state(self, agent_id: int, state: AgentState, now_ms: int) -> None:
        """Store the state that an agent is to have after a restart."""
        await self.set_states({agent_id: state}, now_ms)

    async def set_states(self, states: Mapping[int, AgentState], now_ms: int) -> None:
        """Store the states that agents are to have after a restart, all of them or none."""
        rows = [(state.value, now_ms, agent_id) for agent_id, state in states.items()]
        await self._database.write(
            lambda db: db.executemany("UPDATE agents SET state = ?, updated_at = ? WHERE id = ?", rows)
        )

    async def remove(self, agent_ids: Iterable[int]) -> None:
        """Forget agents."""
        rows = [(agent_id,) for agent_id in agent_ids]

        def delete(db: sqlite3.Connection) -> None:
            removed = db.executemany("DELETE FROM agents WHERE id = ?", rows).rowcount if rows else 0
            add_to_counter(db, _ROWS, -removed)

        await self._database.write(delete)

    async def load(self) -> list[tuple[int, Manifest, AgentState]]:
        """Return every registration with the state it was stored in; raises StorageDamaged for what is not one."""
        try:
            return await self._database.run(_load)
        except (msgspec.DecodeError, ValueError, TypeError, AttributeError, ValidationError) as error:
            problem = f"a registration in it cannot be read: {error}"
            raise StorageDamaged(str(self._database.path), problem) from error


def _row(agent_id: int, manifest: Manifest, state: AgentState, now_ms: int) -> tuple[object, ...]:
    capabilities, limits = _to_json(manifest.capabilities).decode(), _to_json(manifest.limits).decode()
    return (
        agent_id,
        manifest.name,
        state.value,
        capabilities,
        manifest.module,
        manifest.encoding.value,
        limits,
        now_ms,
        now_ms,
        agent_seal(agent_id, manifest.name, capabilities, manifest.module, manifest.encoding.value, limits),
    )


def _load(db: sqlite3.Connection) -> list[tuple[int, Manifest, AgentState]]:
    kept: dict[str, Limits] = {}  # agents mostly share their limits: keep each kind once
    found = []
    for agent_id, name, state, capabilities, module, encoding, limits, sealed in db.execute(
        "SELECT id, name, state, capabilities, module, encoding, limits, seal FROM agents"
    ):
        if sealed != agent_seal(agent_id, name, capabilities, module, encoding, limits):
            raise BrokenSeal(f"the registration of agent {agent_id} differs from what was written")
        shared = kept.get(limits) or kept.setdefault(limits, _limits(limits))
        manifest = Manifest(name, module, Encoding(encoding), _capabilities(capabilities), shared)
        found.append((agent_id, manifest, AgentState(state)))
    return found

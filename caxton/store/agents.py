"""The registrations of one shard, on disk."""

import sqlite3
from collections.abc import Iterable

import msgspec

from caxton.agents.lifecycle import AgentState
from caxton.agents.limits import Limits
from caxton.agents.manifest import Encoding, Manifest
from caxton.errors import StorageError, ValidationError
from caxton.store.database import Database

_INSERT = "INSERT INTO agents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_to_json = msgspec.json.Encoder().encode
_limits = msgspec.json.Decoder(Limits).decode
_capabilities = msgspec.json.Decoder(tuple[str, ...]).decode


class StoredAgents:
    """Adds, changes, removes and loads registrations; each call is one transaction. Raises StorageError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, agents: Iterable[tuple[int, Manifest]], now_ms: int) -> None:
        """Store agents as running."""
        rows = [_row(agent_id, manifest, now_ms) for agent_id, manifest in agents]
        await self._database.write(lambda db: db.executemany(_INSERT, rows))

    async def set_state(self, agent_id: int, state: AgentState, now_ms: int) -> None:
        """Store the state that an agent is to have after a restart."""
        row = (state.value, now_ms, agent_id)
        await self._database.write(
            lambda db: db.execute("UPDATE agents SET state = ?, updated_at = ? WHERE id = ?", row)
        )

    async def remove(self, agent_ids: Iterable[int]) -> None:
        """Forget agents."""
        rows = [(agent_id,) for agent_id in agent_ids]
        await self._database.write(lambda db: db.executemany("DELETE FROM agents WHERE id = ?", rows))

    async def load(self) -> list[tuple[int, Manifest, AgentState]]:
        """Return every registration with the state it was stored in."""
        try:
            return await self._database.run(_load)
        except (msgspec.DecodeError, ValueError, ValidationError) as error:
            raise StorageError(str(self._database.path), f"a registration in it cannot be read: {error}") from error


def _row(agent_id: int, manifest: Manifest, now_ms: int) -> tuple[object, ...]:
    return (
        agent_id,
        manifest.name,
        AgentState.RUNNING.value,
        _to_json(manifest.capabilities).decode(),
        manifest.module,
        manifest.encoding.value,
        _to_json(manifest.limits).decode(),
        now_ms,
        now_ms,
    )


def _load(db: sqlite3.Connection) -> list[tuple[int, Manifest, AgentState]]:
    kept: dict[str, Limits] = {}  # agents mostly share their limits: keep each kind once
    found = []
    for agent_id, name, state, capabilities, module, encoding, limits in db.execute(
        "SELECT id, name, state, capabilities, module, encoding, limits FROM agents"
    ):
        shared = kept.get(limits) or kept.setdefault(limits, _limits(limits))
        manifest = Manifest(name, module, Encoding(encoding), _capabilities(capabilities), shared)
        found.append((agent_id, manifest, AgentState(state)))
    return found

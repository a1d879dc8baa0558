"""The registrations of one shard, on disk: an agent, and beside it each of its versions."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

import msgspec

from caxton.agents.lifecycle import AgentState
from caxton.agents.limits import Limits
from caxton.agents.manifest import DEFAULT_WEIGHT, Encoding, Health, Manifest
from caxton.errors import StorageDamaged, ValidationError
from caxton.store.counters import ROWS, add_to_counter
from caxton.store.database import Database
from caxton.store.seal import BrokenSeal, number_of, seal, unseal
from caxton.store.statements import Row, delete, insert
from caxton.wire.audit import Entry

# Who has an agent whose row is in this file, and the version that it begins with.
HERE, FIRST_VERSION = "", 1
_TABLES = {"agents": "id", "agent_versions": "agent_id"}
_PRESENT = """SELECT id, name, state, capabilities, version, node_id, agents.seal,
    label, manifest, module, agent_versions.created_at, agent_versions.seal
    FROM agents NOT INDEXED LEFT JOIN agent_versions ON agent_id = id AND number = version"""
T = TypeVar("T")
_to_json = msgspec.json.Encoder().encode


class StoredManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What stands as the manifest of a version, in JSON: all that an agent's own row and its module do not say."""

    encoding: Encoding
    limits: Limits
    escalate_to: str | None = None


class Offered(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What stands as the capabilities of an agent, in JSON: all that changes in place, if that is more than names."""

    names: tuple[str, ...]
    weight: int = DEFAULT_WEIGHT
    health: Health = Health.AUTO
    version: str = ""
    system: str = ""


_read_manifest = msgspec.json.Decoder(StoredManifest).decode
_read_offered = msgspec.json.Decoder(tuple[str, ...] | Offered).decode


class StoredAgents:
    """Adds, changes, removes and loads registrations; each call is one transaction. Raises StorageError.

    audit: what is told of it, in the same transaction.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        agents: Iterable[tuple[int, Manifest]],
        now_ms: int,
        state: AgentState = AgentState.RUNNING,
        audit: Sequence[Entry] = (),
    ) -> None:
        """Store agents, all of them or none; `state` is the one they are to have after a restart."""
        new = [(agent_id, manifest, state) for agent_id, manifest in agents]

        def add(db: sqlite3.Connection) -> None:
            add_agents(db, new, now_ms)

        await self._database.write_audited(add, audit)

    async def set_state(self, agent_id: int, state: AgentState, now_ms: int, audit: Sequence[Entry] = ()) -> None:
        """Store the state that an agent is to have after a restart."""
        await self.set_states({agent_id: state}, now_ms, audit)

    async def set_states(self, states: Mapping[int, AgentState], now_ms: int, audit: Sequence[Entry] = ()) -> None:
        """Store the states that agents are to have after a restart, all of them or none."""
        rows = [(state.value, now_ms, agent_id) for agent_id, state in states.items()]
        sql = "UPDATE agents SET state = ?1, updated_at = ?2, last_heartbeat = ?2 WHERE id = ?3"

        def change(db: sqlite3.Connection) -> None:
            db.executemany(sql, rows)

        await self._database.write_audited(change, audit)

    async def drain(self, agent_id: int, now_ms: int, until_ms: int, audit: Sequence[Entry] = ()) -> None:
        """Store that an agent drains, also after a restart, and until when: its node tells of it until then."""
        row = AgentState.DRAINING.value, now_ms, until_ms, agent_id
        sql = "UPDATE agents SET state = ?, updated_at = ?, last_heartbeat = ? WHERE id = ?"

        def change(db: sqlite3.Connection) -> None:
            db.execute(sql, row)

        await self._database.write_audited(change, audit)

    async def draining(self) -> dict[int, int]:
        """Return until when agents drain (ms since 1970), as far as that was stored."""
        sql = "SELECT id, last_heartbeat FROM agents WHERE state = ? AND last_heartbeat > updated_at"
        rows = await self._database.run(lambda db: db.execute(sql, (AgentState.DRAINING.value,)).fetchall())
        return {agent_id: until_ms for agent_id, until_ms in rows if isinstance(until_ms, int)}

    async def remove(self, agent_ids: Iterable[int], audit: Sequence[Entry] = ()) -> None:
        """Forget agents, with all their versions."""
        rows = [(agent_id,) for agent_id in agent_ids]

        def forget(db: sqlite3.Connection) -> None:
            for table, key in _TABLES.items():
                add_to_counter(db, f"{ROWS}{table}", -delete(db, table, rows, key))

        await self._database.write_audited(forget, audit)

    async def load(self) -> list[tuple[int, Manifest, AgentState]]:
        """Return every registration with the state it was stored in; raises StorageDamaged for what is not one."""
        return await self._read(load_agents)

    async def count(self) -> int:
        """Return how many registrations there are, each as it was written; raises StorageDamaged for what is not."""
        return await self._read(lambda db: sum(1 for _ in present_rows(db)))

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await self._database.run(work)
        except (msgspec.DecodeError, ValueError, TypeError, AttributeError, ValidationError) as error:
            problem = f"a registration in it cannot be read: {error}"
            raise StorageDamaged(str(self._database.path), problem) from error


def add_agents(db: sqlite3.Connection, agents: Iterable[tuple[int, Manifest, AgentState]], now_ms: int) -> None:
    """Write registrations that are new, each with its first version, within one transaction of the caller."""
    of_agents, of_versions = [], []
    texts: dict[tuple[object, ...], str] = {}  # agents mostly share their limits
    for agent_id, manifest, state in agents:
        kind = manifest.encoding, manifest.limits, manifest.escalate_to
        text = texts.get(kind) or texts.setdefault(kind, _manifest_text(manifest))
        of_agents.append(_agent_row(agent_id, manifest, state, now_ms))
        of_versions.append(_version_row(agent_id, text, manifest.module, now_ms))
    add_agent_rows(db, of_agents, of_versions)


def add_agent_rows(db: sqlite3.Connection, agents: list[Row], versions: list[Row]) -> None:
    """Write rows of the two tables as they stand, within one transaction of the caller, and count them."""
    for table, rows in (("agents", agents), ("agent_versions", versions)):
        insert(db, table, rows)
        add_to_counter(db, f"{ROWS}{table}", len(rows))


def load_agents(db: sqlite3.Connection) -> list[tuple[int, Manifest, AgentState]]:
    """Return every registration, as its present version has it; raises BrokenSeal, and for what cannot be read."""
    kept: dict[str, StoredManifest] = {}  # agents mostly share their limits: keep each kind once
    can: dict[str, Offered] = {}
    found = []
    for agent_id, name, state, capabilities, text, module in present_rows(db):
        stored = kept.get(text) or kept.setdefault(text, _read_manifest(text))
        able = can.get(capabilities)
        if able is None:
            read = _read_offered(capabilities)
            able = can[capabilities] = read if isinstance(read, Offered) else Offered(names=read)
        of_version = stored.encoding, able.names, stored.limits, stored.escalate_to
        manifest = Manifest(name, module, *of_version, able.weight, able.health, able.version, able.system)
        found.append((agent_id, manifest, AgentState(state)))
    return found


def present_rows(db: sqlite3.Connection) -> Iterator[tuple[int, str, str, str, str, bytes]]:
    """Every agent with its present version: id, name, state, capabilities, manifest, module. Raises BrokenSeal."""
    number_of_version = lru_cache(maxsize=1_000)(_number_of)  # agents mostly share their modules, too
    for agent_id, name, state, capabilities, version, node, sealed, *of_version in db.execute(_PRESENT):
        label, text, module, created, version_seal = of_version
        if version_seal is None:
            raise BrokenSeal(f"version {version} of agent {agent_id} is gone")
        unseal(sealed, agent_id, version, _number_of(name, capabilities, node))
        unseal(version_seal, agent_id, version, created, number_of_version(label, text, module))
        yield agent_id, name, state, capabilities, text, module


def change_offered(db: sqlite3.Connection, changed: Mapping[int, tuple[Manifest, int]]) -> None:
    """Write what agents can do now, and since when (ms since 1970), within one transaction of the caller."""
    for agent_id, (manifest, now_ms) in changed.items():
        text = _offered_text(manifest)
        for version, node in db.execute("SELECT version, node_id FROM agents WHERE id = ?", (agent_id,)).fetchall():
            check = seal(b"", agent_id, version, _number_of(manifest.name, text, node))
            sql = "UPDATE agents SET capabilities = ?, updated_at = ?, seal = ? WHERE id = ?"
            db.execute(sql, (text, now_ms, check, agent_id))


def _agent_row(agent_id: int, manifest: Manifest, state: AgentState, now_ms: int) -> Row:
    """Columns: id, name, state, capabilities, version, node_id, last_heartbeat, created_at, updated_at, seal."""
    capabilities = _offered_text(manifest)
    check = seal(b"", agent_id, FIRST_VERSION, _number_of(manifest.name, capabilities, HERE))
    times = now_ms, now_ms, now_ms
    return agent_id, manifest.name, state.value, capabilities, FIRST_VERSION, HERE, *times, check


def _version_row(agent_id: int, text: str, module: bytes, now_ms: int) -> Row:
    """Columns: agent_id, number, label, manifest, module, created_at, seal."""
    check = seal(b"", agent_id, FIRST_VERSION, now_ms, _number_of("", text, module))
    return agent_id, FIRST_VERSION, "", text, module, now_ms, check


def _manifest_text(manifest: Manifest) -> str:
    stored = StoredManifest(encoding=manifest.encoding, limits=manifest.limits, escalate_to=manifest.escalate_to)
    return _to_json(stored).decode()


def _offered_text(manifest: Manifest) -> str:
    offered = Offered(
        names=manifest.capabilities,
        weight=manifest.weight,
        health=manifest.health,
        version=manifest.version,
        system=manifest.system,
    )
    plain = offered == Offered(names=manifest.capabilities)
    return _to_json(manifest.capabilities if plain else offered).decode()


def _number_of(*texts: str | bytes) -> int:
    return number_of(*[text.encode() if isinstance(text, str) else text for text in texts])

"""Files of earlier versions of the schema."""

import errno
import sqlite3

import msgspec
import pytest

from caxton.agents.lifecycle import AgentState
from caxton.agents.limits import Limits
from caxton.agents.manifest import Encoding, Manifest
from caxton.errors import StorageDamaged, StorageError
from caxton.store.agents import StoredAgents
from caxton.store.schema import migrations
from caxton.store.shard_store import ShardStore

# As release 0.1 wrote it.
VERSION_1 = """
CREATE TABLE IF NOT EXISTS agents (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    capabilities TEXT NOT NULL, -- JSON array
    module BLOB NOT NULL,       -- sha256 of the wasm bytes
    encoding TEXT NOT NULL,
    limits TEXT NOT NULL,       -- JSON object
    created_at INTEGER NOT NULL, -- milliseconds since 1970
    updated_at INTEGER NOT NULL
);
PRAGMA journal_mode = WAL;
PRAGMA user_version = 1;
"""
MANIFESTS = {
    7: Manifest("word counter é", bytes(range(32)), Encoding.MSGPACK, ("count", "words"), Limits(max_fuel=20_000)),
    2**63 - 1: Manifest("echo", bytes(32)),
}


@pytest.fixture
def path(tmp_path):
    """A file of version 1 with two agents in it."""
    path = tmp_path / "shard-4.db"
    db = sqlite3.connect(path)
    db.executescript(VERSION_1)
    to_json = msgspec.json.encode
    for (number, manifest), state in zip(MANIFESTS.items(), ("running", "stopped"), strict=True):
        db.execute(
            "INSERT INTO agents VALUES (?, ?, ?, ?, ?, ?, ?, 1, 2)",
            (
                number,
                manifest.name,
                state,
                to_json(manifest.capabilities).decode(),
                manifest.module,
                manifest.encoding.value,
                to_json(manifest.limits).decode(),
            ),
        )
    db.commit()
    db.close()
    return path


async def agents_of(path):
    """Return the agents in the file, and what its books say."""
    store = await ShardStore.open(path, 4)
    try:
        return await StoredAgents(store.database).load(), await store.ledger()
    finally:
        await store.close()


async def test_agents_of_version_1_are_kept(path):
    """With their states, once and again, and the new books count them."""
    for _ in range(2):
        agents, ledger = await agents_of(path)
        assert {number: (manifest, state) for number, manifest, state in agents} == {
            7: (MANIFESTS[7], AgentState.RUNNING),
            2**63 - 1: (MANIFESTS[2**63 - 1], AgentState.STOPPED),
        }
        assert ledger.rows["agents"] == ledger.counts["rows.agents"] == 2


async def test_a_file_is_kept_as_it_was_before_it_changes(path):
    """The copy is whole, its user's alone and of the version before; a file of the present version has none."""
    store = await ShardStore.open(path, 4)
    earlier = store.database.earlier
    await store.close()
    db = sqlite3.connect(earlier)
    assert earlier == path.with_name("shard-4.db.version-1")
    assert (earlier.stat().st_mode & 0o777, db.execute("PRAGMA user_version").fetchone()) == (0o600, (1,))
    assert db.execute("SELECT count(*) FROM agents").fetchone() == (2,)
    db.close()
    again = await ShardStore.open(path, 4)
    await again.close()
    assert again.database.earlier is None
    assert sorted(file.name for file in path.parent.iterdir()) == ["shard-4.db", "shard-4.db.version-1", "shard-4.mark"]


class KilledError(BaseException):
    """As if the process were killed here."""


async def test_a_change_may_be_killed_at_any_statement(path, monkeypatch):
    """The file and its copy are of the version before, and the next try changes it."""
    statements = list(migrations._statements(2))
    for reached in range(len(statements) + 1):

        def killed(_step, reached=reached):
            yield from statements[:reached]
            raise KilledError

        with monkeypatch.context() as patched:
            patched.setattr(migrations, "_statements", killed)
            with pytest.raises(KilledError):
                await agents_of(path)
        for file in (path, path.with_name("shard-4.db.version-1")):
            db = sqlite3.connect(file)
            assert db.execute("PRAGMA user_version").fetchone() == (1,)
            assert [name for (name,) in db.execute("SELECT name FROM sqlite_master")] == ["agents"]
            db.close()
    agents, _ = await agents_of(path)
    assert len(agents) == 2


async def test_without_a_copy_nothing_is_changed(path, monkeypatch):
    """A copy that cannot be made is told; what a killed process left of one is no hindrance."""
    path.with_name("shard-4.db.partial").write_bytes(b"half of it")

    def fails(_descriptor):
        raise OSError(errno.EIO, "as if the disk failed")

    with monkeypatch.context() as patched:
        patched.setattr("caxton.store.earlier_copy.os.fsync", fails)
        with pytest.raises(StorageError, match="cannot be kept as it is: as if the disk failed"):
            await agents_of(path)
    assert [file.name for file in path.parent.iterdir() if "version" in file.name or "partial" in file.name] == []
    agents, _ = await agents_of(path)
    assert len(agents) == 2


async def test_a_step_that_fails_leaves_the_file_as_it_was(path, monkeypatch):
    """A migration is whole or did not happen, and succeeds when it is tried again."""
    statements = migrations._statements

    def fail(step):
        yield from statements(step)
        raise sqlite3.OperationalError("as if the power went")

    monkeypatch.setattr(migrations, "_statements", fail)
    with pytest.raises(StorageError, match="as if the power went"):
        await agents_of(path)
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (1,)
    assert [name for (name,) in db.execute("SELECT name FROM sqlite_master")] == ["agents"]
    db.close()
    monkeypatch.undo()
    agents, _ = await agents_of(path)
    assert len(agents) == 2


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE outbox",
        "ALTER TABLE sources RENAME COLUMN taken TO given",
        "ALTER TABLE meta ADD COLUMN more",
        "CREATE TABLE other (a)",
        "DROP INDEX message_queue_agent",
    ],
)
async def test_a_schema_that_is_not_ours_is_damage(path, change):
    """Tables, columns and indexes are those that the version says, or the file is refused."""
    await agents_of(path)
    db = sqlite3.connect(path)
    db.execute(change)
    db.close()
    with pytest.raises(StorageDamaged, match=f"its schema is not that of version {migrations.SCHEMA_VERSION}"):
        await agents_of(path)

"""From version 3 of the schema to version 4: an agent's versions get rows of their own, and boots are forgotten."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from caxton.agents.lifecycle import AgentState
from caxton.agents.limits import Limits
from caxton.agents.manifest import Encoding, Manifest
from caxton.errors import StorageDamaged
from caxton.store import ledger
from caxton.store.agents import StoredAgents
from caxton.store.schema import migrations
from caxton.store.schema.migrations import migrate
from caxton.store.seal import number_of, seal, unseal
from caxton.store.shard_store import ShardStore
from caxton.store.waiting import decode_waiting

KEPT = Path(__file__).parents[2] / "data" / "formats"
STATEMENTS = list(migrations._statements(4))


@pytest.fixture(params=["directory-2", "directory-3"])
def path(request, tmp_path):
    """A shard's file of version 2 or 3, with something in most of its tables."""
    return Path(shutil.copy(KEPT / request.param / "shard-0.db", tmp_path / "shard-0.db"))


def content(path):
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as db:
        return [db.execute("PRAGMA user_version").fetchone(), *db.iterdump()]


def messages_before(path):
    """Every message that waits, by the row that it stands in, as the earlier versions had them."""
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT number, boot, size, messages FROM unfinished").fetchall()
        found = {number: decode_waiting(unseal(blob, number, boot, size)) for number, boot, size, blob in rows}
        for *numbers, retry, boot, row, place, blob in db.execute("SELECT * FROM message_queue"):
            after = -1 if retry is None else retry, boot, row, place
            found[numbers[0]] = decode_waiting(unseal(blob, *numbers, *after))
    return found


async def test_everything_is_there_in_the_rows_of_now(path):
    """Agents with their first version, what waits, states, letters and ways; and the books balance."""
    waits = messages_before(path)
    before = content(path)
    store = await ShardStore.open(path, 0)
    agents = {manifest.name: (manifest, state) for _, manifest, state in await StoredAgents(store.database).load()}
    found, books = await store.load(), await store.ledger()
    version = await store.database.run(lambda db: db.execute("PRAGMA user_version").fetchone())
    earlier = store.database.earlier
    await store.close()

    assert version == (migrations.SCHEMA_VERSION,)
    assert content(earlier) == before
    limits = Limits(max_execution_ms=10_000, mailbox_capacity=1_000)
    assert {name: (manifest.encoding, manifest.limits, state) for name, (manifest, state) in agents.items()} == {
        "desk": (Encoding.MSGPACK, limits, AgentState.PAUSED),
        "program": (Encoding.ATTACHED, limits, AgentState.RUNNING),
        "retired": (Encoding.MSGPACK, limits, AgentState.STOPPED),
    }
    assert agents["desk"][0].capabilities == ("count", "of desk")
    places = {}
    for at, waiting in found.waiting:
        places.setdefault(at.number, []).append(waiting)
    assert places == {1: waits[1][1:], 2: waits[2]}, "the first of the shared row is done"
    assert [len(each) for each in (found.states, found.keys, found.dead_letters, found.outbox)] == [1, 2, 1, 3]
    assert books.rows["agents"] == books.rows["agent_versions"] == books.counts["rows.agent_versions"] == 3
    assert list(ledger._own(books)) == []


async def test_an_agent_that_escalates_still_does(tmp_path):
    """Its deployment stood among its limits, and stands in the manifest of its version now."""
    path = tmp_path / "shard-0.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, 3)
        limits = msgspec.json.encode({**msgspec.to_builtins(Limits()), "escalate_to": "chief"}).decode()
        texts = "one", '["x"]', bytes(32), "content", limits
        check = seal(b"", 7, number_of(*(text if isinstance(text, bytes) else text.encode() for text in texts)))
        name, capabilities, module, encoding, limits = texts
        row = 7, name, "running", capabilities, module, encoding, limits, 1, 2, check
        db.execute("INSERT INTO agents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    store = await ShardStore.open(path, 0)
    found = await StoredAgents(store.database).load()
    await store.close()
    assert found == [(7, Manifest("one", bytes(32), capabilities=("x",), escalate_to="chief"), AgentState.RUNNING)]


class KilledError(BaseException):
    """As if the process were killed here."""


def test_the_step_may_end_at_any_statement(path, monkeypatch):
    """Whatever ends it, the file is as it was, and the next try brings it to the end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, 3)
    before = content(path)
    for reached in range(len(STATEMENTS) + 1):

        def killed(_step, reached=reached):
            yield from STATEMENTS[:reached]
            raise KilledError

        with monkeypatch.context() as patched, closing(sqlite3.connect(path, isolation_level=None)) as db:
            patched.setattr(migrations, "_statements", killed)
            with pytest.raises(KilledError):
                migrate(db, 4)
        assert content(path) == before
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, 4)
    assert content(path)[0] == (4,)


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from caxton.store.schema import migrations
from caxton.store.shard_store import ShardStore

statements, reached = migrations._statements, int(sys.argv[2])

def killed(step):
    for number, statement in enumerate(statements(step)):
        if (step, number) == (4, reached):
            os.kill(os.getpid(), signal.SIGKILL)
        yield statement
    if step == 4:
        os.kill(os.getpid(), signal.SIGKILL)

migrations._statements = killed
asyncio.run(ShardStore.open(Path(sys.argv[1]), 0))
"""


@pytest.mark.parametrize("reached", [0, len(STATEMENTS) // 2, len(STATEMENTS)])
async def test_a_process_that_is_killed_in_its_midst_leaves_the_old_or_the_new(path, reached):
    """Its log is of no meaning, the copy is whole, and the next process goes on."""
    waits, before = messages_before(path), content(path)
    child = subprocess.run([sys.executable, "-c", KILLED, str(path), str(reached)], check=False, timeout=60)
    assert child.returncode == -signal.SIGKILL
    version = before[0][0]
    assert content(path.with_name(f"shard-0.db.version-{version}")) == before
    store = await ShardStore.open(path, 0)
    found = await store.load()
    await store.close()
    assert sorted(waiting.message.message_id for _, waiting in found.waiting) == sorted(
        waiting.message.message_id for waiting in [*waits[1][1:], *waits[2]]
    )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE agents SET name = 'desk two' WHERE name = 'desk'",
        "UPDATE agents SET limits = '{}'",
        "UPDATE agents SET limits = 5",
        "UPDATE agents SET limits = 'no JSON'",
        "UPDATE unfinished SET size = 2",
        "UPDATE unfinished SET messages = x'00'",
        "UPDATE message_queue SET boot = 7",
        "UPDATE message_queue SET created_at = 'soon'",
        "UPDATE meta SET boot = 7",
        "UPDATE ledger SET value = 9 WHERE name = 'rows.agents'",
    ],
)
async def test_no_row_is_sealed_anew_that_is_not_what_was_written(path, change):
    """Damage stays damage: it is told, and the file is of the version that it had."""
    with closing(sqlite3.connect(path)) as db:
        db.execute(change)
        db.commit()
    with pytest.raises(StorageDamaged, match="a row that cannot be brought to this version"):
        await ShardStore.open(path, 0)
    assert content(path)[0] <= (3,)


def test_without_room_nothing_is_changed(path):
    """A disk that is full in the midst of it leaves the file as it was, and with room it is brought to its end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, 3)
        (pages,) = db.execute("PRAGMA page_count").fetchone()
    before = content(path)
    for more in (0, 1, 4):
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute(f"PRAGMA max_page_count = {pages + more}").fetchall()
            with pytest.raises(sqlite3.OperationalError, match="full"):
                migrate(db, 4)
        assert content(path) == before
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, 4)
    assert content(path)[0] == (4,)

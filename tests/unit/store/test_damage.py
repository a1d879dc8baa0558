"""A file that is not what was written to it is refused, loudly, or reads as if nothing had happened."""

import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from caxton.acl.envelope import Envelope
from caxton.agents.manifest import Manifest
from caxton.errors import StorageDamaged, StorageError
from caxton.store.agents import StoredAgents
from caxton.store.commit import Commit, DeadRow, KeyRow, OutboxRow, QueueRow, SourceRow, TargetRow, UnfinishedRow
from caxton.store.commit_mark import read_mark
from caxton.store.shard_store import ShardStore
from caxton.store.waiting import Waiting, encode_waiting
from caxton.wire.calls import DeadLetterFilter, Failed

SESSION = 1 << 63
PLACE, BIT = st.integers(0, 2**32), st.integers(0, 7)
NAMES = ("shard-0.db", "shard-0.db-wal", "shard-0.mark")


def full_commit(number):
    """A commit that has something for every table."""
    message = Envelope(number.to_bytes(16), 3, SESSION | 5, 6, b"content" * 100)
    waits = [Waiting(message, 1, 2, 0, 0)]
    commit = Commit()
    commit.sources = {SESSION | 5: SourceRow(number, b"refused"), 77: SourceRow(number, None)}
    commit.targets = {SESSION | 5: TargetRow(SESSION | 5, number, 0), 1: TargetRow(78, number, 0)}
    commit.outbox = [OutboxRow(number, 1, number, number, encode_waiting([message]) * 9)]
    commit.unfinished = [UnfinishedRow(number, 2, encode_waiting(waits * 2))]
    commit.done = {number: (b"\x01", 1)}
    commit.queued = {number: QueueRow(number, 6, 5, 1, 7, 8, encode_waiting(waits), number, 1)}
    failed = Failed("AgentError", {"agent": "a", "error_code": -7})
    raw = encode_waiting(message)
    commit.dead = {number: DeadRow(number, "retry_limit", failed, 4, 9, SESSION | 5, 6, 700, raw, None)}
    commit.states = {6: b"state" * number}
    commit.charges = {(SESSION | 5, number): 1}
    commit.keys = {(6, b"key"): KeyRow(6, b"key", number, b"answer")}
    commit.counts["processed"] = number
    commit.next_number = number + 1
    return commit


async def everything(path):
    """Return all that a worker and its users can read of a shard."""
    store = await ShardStore.open(path, 0)
    try:
        agents = await StoredAgents(store.database).load()
        found = await store.load()
        letters = await store.letters_with_messages(DeadLetterFilter(), 500)
        return store.file_id, agents, letters, found, await store.ledger(), await store.dead_letter_stats(9)
    finally:
        await store.close()


async def outcome(path):
    """Return what can be read, or why nothing can."""
    try:
        return await everything(path)
    except StorageError as error:
        return error


def copied(directory, files):
    """Put files, by name, into a directory of their own; return where the database is."""
    own = Path(tempfile.mkdtemp(dir=directory))
    for name, content in files.items():
        (own / name).write_bytes(content)
    return own / NAMES[0]


class Files(dict):
    """Contents by name, told by their sizes where a failing example is printed."""

    def __repr__(self):
        return f"Files({ {name: len(content) for name, content in self.items()} })"


async def written(directory, *, commits, close):
    """Return the files of a shard after some commits: closed, or as a SIGKILL leaves them."""
    path = directory / NAMES[0]
    store = await ShardStore.open(path, 0)
    await StoredAgents(store.database).add([(6, Manifest("a name", bytes(range(32)), capabilities=("c",)))], 1)
    for number in range(1, commits + 1):
        await store.commit(full_commit(number))
    if close:
        await store.close()
    files = Files((name, (directory / name).read_bytes()) for name in NAMES if (directory / name).exists())
    await store.close()
    for found in directory.iterdir():
        found.unlink()
    return files


@pytest.fixture
async def closed(tmp_path):
    return await written(tmp_path, commits=4, close=True)


@pytest.fixture
async def killed(tmp_path):
    return await written(tmp_path, commits=4, close=False)


def flipped(content, at, bit):
    changed = bytearray(content)
    changed[at] ^= 1 << bit
    return bytes(changed)


@settings(max_examples=settings().max_examples // 2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(place=24, bit=0)  # a format of the schema that SQLite does not know
@example(place=16, bit=0)  # the header then says that nobody may write the file
@given(place=PLACE, bit=BIT)
async def test_a_flipped_bit_is_told_or_changes_nothing(tmp_path, closed, place, bit):
    """Wherever it is in the file, nobody is ever given what was not written."""
    content = closed[NAMES[0]]
    used = [at for at, byte in enumerate(content) if byte]
    at = used[place % len(used)]
    whole = await everything(copied(tmp_path, closed))
    path = copied(tmp_path, closed | {NAMES[0]: flipped(content, at, bit)})
    found = await outcome(path)
    if isinstance(found, StorageError):
        assert str(path) in str(found)
        assert isinstance(found, StorageDamaged) or "version" in found.problem
    else:
        assert found == whole
    shutil.rmtree(path.parent)


@settings(max_examples=settings().max_examples // 2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=PLACE, bit=BIT)
async def test_a_flipped_bit_in_the_log_is_told(tmp_path, killed, place, bit):
    """A log that SQLite reads only a part of is no shorter log: what was committed in it is missed."""
    log = killed[NAMES[1]]
    at = place % len(log)
    whole = await everything(copied(tmp_path, killed))
    path = copied(tmp_path, killed | {NAMES[1]: flipped(log, at, bit)})
    found = await outcome(path)
    if isinstance(found, StorageDamaged):
        assert "safely in it" in found.problem
    else:
        assert found == whole
    shutil.rmtree(path.parent)


@pytest.mark.parametrize("left", [0, 31, 32, 5_000, 0.5, -4_096, -1])
async def test_a_log_that_is_cut_short_is_told(tmp_path, killed, left):
    """Whatever is left of it; the error says how many transactions are gone, and what to do."""
    log = killed[NAMES[1]]
    left = int(len(log) * left) if isinstance(left, float) else left
    path = copied(tmp_path, killed | {NAMES[1]: log[:left]})
    for _ in range(2):  # to have been opened once does not make it whole
        with pytest.raises(
            StorageDamaged, match=r"safely in it.* `caxton restore` a backup into a new directory, or move this file"
        ):
            await everything(path)


async def test_a_log_that_is_gone_is_told(tmp_path, killed):
    """A file without its log is an old file."""
    path = copied(tmp_path, {name: content for name, content in killed.items() if not name.endswith("wal")})
    with pytest.raises(StorageDamaged):
        await everything(path)


async def test_an_older_copy_is_told(tmp_path, closed):
    """A backup that lacks transactions is only taken when its mark goes with it."""
    older = await written(tmp_path, commits=4, close=True)
    path = copied(tmp_path, closed)
    store = await ShardStore.open(path, 0)
    await store.commit(full_commit(5))
    await store.close()
    path.write_bytes(closed[NAMES[0]])
    with pytest.raises(StorageDamaged, match="5 transactions were safely in it, and the last 1 are gone"):
        await everything(path)
    path.write_bytes(older[NAMES[0]])
    with pytest.raises(StorageDamaged, match=r"not the file that shard-0\.mark was written for"):
        await everything(path)
    path.with_suffix(".mark").unlink()
    await everything(path)


@pytest.mark.parametrize("empty", [False, True])
async def test_a_file_that_is_gone_is_told(tmp_path, closed, empty):
    """A shard whose file vanished or is empty does not begin anew as if nothing had been in it."""
    path = copied(tmp_path, {NAMES[2]: closed[NAMES[2]]} | ({NAMES[0]: b""} if empty else {}))
    with pytest.raises(StorageDamaged, match="gone, with the 4 transactions that were safely in it"):
        await everything(path)
    path.with_suffix(".mark").unlink()
    assert (await everything(path))[1] == []


async def test_a_lost_mark_is_written_anew(tmp_path, closed):
    """It is in no backup, and a power cut may take it; the next commit is watched over again."""
    path = copied(tmp_path, {NAMES[0]: closed[NAMES[0]]})
    store = await ShardStore.open(path, 0)
    await store.commit(full_commit(5))
    assert read_mark(path.with_suffix(".mark")) == (store.file_id, 5)
    await store.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE unfinished_done SET number = 9 WHERE number = 4",
        "UPDATE sources SET taken = taken + 1",
        "UPDATE targets SET acknowledged = 1",
        "UPDATE outbox SET target = 2",
        "UPDATE message_queue SET next_retry = NULL WHERE id = 1",
        "UPDATE message_queue SET agent_id = 'six'",
        "UPDATE dead_letters SET reason = 'poison'",
        "UPDATE dead_letters SET size = 'large'",
        "UPDATE dead_letters SET number = 5 WHERE number = 4",
        "UPDATE dead_letters SET number = -4 WHERE number = 4",
        "UPDATE agent_states SET agent_id = 7",
        "UPDATE charges SET deaths = 2",
        "UPDATE idempotency_keys SET answer = x''",
        "UPDATE ledger SET value = value + 1",
        "UPDATE ledger SET name = 'another' WHERE name = 'processed'",
        "UPDATE meta SET next_number = 1",
        "UPDATE agents SET name = 'another'",
        "UPDATE agent_versions SET manifest = CAST(x'ff' AS TEXT)",
    ],
)
async def test_a_row_that_was_changed_by_somebody_else_is_told(tmp_path, closed, change):
    """SQLite finds nothing wrong with it, and its seal does."""
    path = copied(tmp_path, closed)
    store = await ShardStore.open(path, 0)
    assert await store.database.write(lambda db: db.execute(change).rowcount) > 0
    await store.close()
    with pytest.raises(StorageDamaged, match=r"shard-0\.db: "):
        await everything(path)


@pytest.mark.parametrize("value", ["'text'", "x'00'", "1.5", "-9223372036854775808", "NULL"])
async def test_no_column_can_hold_what_nobody_reads(tmp_path, closed, value):
    """Whatever column of whatever table has another kind of value, it is told at the start, or changes nothing."""
    whole = await everything(copied(tmp_path, closed))
    tried = 0
    with sqlite3.connect(copied(tmp_path, closed)) as db:
        columns = db.execute("SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c").fetchall()
    for table, column in columns:
        path = copied(tmp_path, closed)
        with closing(sqlite3.connect(path)) as db, suppress(sqlite3.IntegrityError):
            tried += db.execute(f"UPDATE {table} SET {column} = {value}").rowcount  # noqa: S608 (our own words only)
            db.commit()
        found = await outcome(path)
        assert isinstance(found, StorageDamaged) or found == whole, (table, column)
        shutil.rmtree(path.parent)
    assert tried


async def test_the_row_of_the_file_itself_is_never_made_anew(tmp_path, closed):
    """A file that does not say whose it is, is damaged."""
    path = copied(tmp_path, closed)
    store = await ShardStore.open(path, 0)
    await store.database.write(lambda db: db.execute("DELETE FROM meta"))
    await store.close()
    with pytest.raises(StorageDamaged, match="the row that says whose file it is, is gone"):
        await everything(path)

"""What is left of a shard's file when its process is killed, and when its disk is full."""

import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from caxton.errors import StorageDamaged, StorageError, StorageFull
from caxton.store.commit import Commit, OutboxRow, SourceRow, TargetRow, UnfinishedRow
from caxton.store.commit_mark import read_mark
from caxton.store.shard_store import ShardStore
from caxton.store.waiting import encode_waiting

WRITER = """
import asyncio, os, sys
from pathlib import Path
from caxton.store.commit import Commit, OutboxRow, SourceRow, TargetRow
from caxton.store.shard_store import ShardStore

async def write():
    store = await ShardStore.open(Path(sys.argv[1]), 0)
    found = await store.load()
    number = found.next_number
    while True:
        commit = Commit()
        commit.sources = {7: SourceRow(number, None)}
        commit.targets = {1: TargetRow(8, number, number - 10)}
        commit.outbox = [OutboxRow(number, 1, number, number, os.urandom(20_000))]
        commit.settled = [number - 10]
        commit.counts["emitted_workers"] = commit.counts["accepted_agents"] = 1
        commit.next_number = number + 1
        await store.commit(commit)
        print(number, flush=True)
        number += 1

asyncio.run(write())
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shard-0.db"


async def test_every_commit_that_was_told_is_there_after_a_kill(path):
    """However often a process is killed in its commits, each is whole or not there, and none told is missing."""
    for after in (1, 3, 30, 8):
        writer = subprocess.Popen([sys.executable, "-P", "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        try:
            told = [int(line) for line in itertools.islice(writer.stdout, after)]
            os.kill(writer.pid, signal.SIGKILL)
            told += [int(line) for line in writer.stdout if line.endswith(b"\n")]
        finally:
            writer.wait(60)
            writer.stdout.close()
        store = await ShardStore.open(path, 0)
        found = await store.load()
        last = found.next_number - 1
        await store.close()
        assert last in {told[-1], told[-1] + 1}
        assert found.sources[7].taken == found.targets[1].emitted == found.counts["emitted_workers"] == last
        assert [row.number for row in found.outbox] == list(range(max(1, last - 9), last + 1))
        marked = read_mark(path.with_suffix(".mark"))
        assert marked.commits == last


async def test_a_mark_is_never_ahead_of_its_file(path, monkeypatch):
    """It is set after the commit is done, and not by one that failed."""
    store = await ShardStore.open(path, 0)
    seen = []
    set_mark = store._mark.set

    def watch(commits):
        seen.append((commits, store.database._connection._conn.in_transaction))
        set_mark(commits)

    monkeypatch.setattr(store._mark, "set", watch)
    await store.commit(big_commit(1, 10))
    with pytest.raises(StorageError, match="UNIQUE"):
        await store.commit(big_commit(1, 10))
    await store.commit(big_commit(2, 10))
    assert seen == [(1, False), (2, False)]
    await store.close()


@pytest.mark.parametrize("gone", ["shard-0.db", "shard-0.db-wal", "all", "replaced"])
async def test_nothing_is_told_that_no_file_keeps(path, gone):
    """When the file or its log was removed or replaced, commits and other writes end as StorageDamaged."""
    store = await ShardStore.open(path, 0)
    await store.commit(big_commit(1, 10))
    for name in path.parent.iterdir() if gone in {"all", "replaced"} else [path.with_name(gone)]:
        name.unlink()
    if gone == "replaced":
        for name in (path, path.with_name("shard-0.db-wal")):
            name.touch()

    with pytest.raises(StorageDamaged, match="removed or replaced"):
        await store.commit(big_commit(2, 10))
    with pytest.raises(StorageDamaged, match="removed or replaced"):
        await store.database.write(lambda db: db.execute("DELETE FROM agents"))
    assert store._meta.commits == 1
    await store.close()


def big_commit(number, size):
    commit = Commit()
    commit.sources = {7: SourceRow(number, None)}
    commit.targets = {1: TargetRow(8, number, 0)}
    commit.outbox = [OutboxRow(number, 1, number, number, os.urandom(size))]
    commit.unfinished = [UnfinishedRow(10_000 + number, 0, encode_waiting([]))]
    commit.states = {number: b"state"}
    commit.counts["emitted_workers"] = 1
    return commit


async def fill(store):
    """Commit until there is no room; return how many were committed, and the one that was not."""
    for number in range(1, 10_000):
        commit = big_commit(number, 30_000)
        try:
            await store.commit(commit)
        except StorageFull:
            return number - 1, commit
    raise AssertionError("it never became full")


async def recovers(store, path, make_room):
    """A full disk stops commits and loses nothing; with room again the same commit succeeds."""
    committed, waiting = await fill(store)
    assert committed > 2
    for _ in range(3):
        with pytest.raises(StorageFull, match="make room on its disk"):
            await store.commit(waiting)
    found = await store.load()
    assert found.sources[7].taken == len(found.outbox) == len(found.states) == committed
    assert found.counts["emitted_workers"] == committed
    assert read_mark(path.with_suffix(".mark")).commits == committed
    await make_room()
    await store.commit(waiting)
    await store.close()
    store = await ShardStore.open(path, 0)
    found = await store.load()
    books = await store.ledger()
    await store.close()
    assert found.sources[7].taken == len(found.outbox) == len(found.states) == committed + 1
    assert books.counts["rows.agent_states"] == books.rows["agent_states"] == committed + 1


async def test_a_full_file_takes_the_same_commit_when_it_may_grow(path):
    """Nothing of a commit without room is written, and it is not counted."""
    store = await ShardStore.open(path, 0)

    async def limit(pages):
        await store.database.run(lambda db: db.execute(f"PRAGMA max_page_count = {pages}").fetchall())

    await limit(200)
    await recovers(store, path, lambda: limit(1_000_000))


@pytest.fixture
def small_disk():
    """A file system of 4 MiB."""
    directory = Path(tempfile.mkdtemp(prefix="caxton-small-"))
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(directory)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        directory.rmdir()
        pytest.skip("no right to mount a small disk")
    yield directory
    subprocess.run(["umount", "-l", str(directory)], check=True)
    directory.rmdir()


def stuff(directory):
    """Leave no room at all."""
    with (directory / "ballast").open("wb", 0) as ballast, suppress(OSError):
        while True:
            ballast.write(bytes(4_096))
    assert not os.statvfs(directory).f_bavail


async def test_a_full_disk_takes_the_same_commit_when_there_is_room(small_disk):
    """The log has no room to grow, and then it has."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(2 << 20))
    path = small_disk / "shard-0.db"

    async def make_room():
        ballast.unlink()

    await recovers(await ShardStore.open(path, 0), path, make_room)


async def test_a_disk_that_is_full_at_the_start_is_told(small_disk):
    """A store that cannot be made says that there is no room."""
    stuff(small_disk)
    with pytest.raises(StorageError, match=r"full|no room|No space left"):
        await ShardStore.open(small_disk / "shard-0.db", 0)


async def test_a_log_is_used_again_on_a_full_disk(small_disk):
    """What takes no more room than file and log have is still committed: settling frames helps to get out of it."""
    path = small_disk / "shard-0.db"
    store = await ShardStore.open(path, 0)
    settle = Commit()
    settle.settled = list(range(1, 8))
    for first in (1, 8):
        for number in range(first, first + 7):
            await store.commit(big_commit(number, 100_000))
        if first == 1:
            await store.commit(settle)
            # The file grows to what it needs, and the log is empty.
            await store.database.run(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    stuff(small_disk)
    for number in range(8, 15):
        commit = Commit()
        commit.settled = [number]
        await store.commit(commit)
    assert (await store.load()).outbox == []
    await store.close()


def test_what_sqlite_calls_full_is_known():
    """The codes that the mapping relies on are those of this SQLite."""
    assert (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) == (
        13,
        10,
        11,
        26,
    )

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest

from caxton.errors import StorageDamaged, StorageError, StorageFull
from caxton.store.database import WAL_BYTES, Database
from caxton.store.schema.migrations import SCHEMA_VERSION


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shard-0.db"


@pytest.fixture
async def database(path):
    database = await Database.open(path)
    yield database
    await database.close()


def insert(number, size=1):
    return lambda db: db.execute("INSERT INTO agent_states VALUES (?, ?)", (number, bytes(size)))


def numbers(db):
    return [number for (number,) in db.execute("SELECT agent_id FROM agent_states ORDER BY agent_id")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("locking_mode", "exclusive"),
        ("user_version", SCHEMA_VERSION),
        ("wal_autocheckpoint", WAL_BYTES // 4096),
        ("page_size", 4096),
        ("secure_delete", 0),
        ("temp_store", 2),
        ("mmap_size", 0),
        ("auto_vacuum", 0),
    ],
)
async def test_pragmas_are_what_durability_needs(database, name, value):
    """The file is in WAL, syncs with every commit, is locked for one connection, and knows its schema's version."""
    assert await database.run(lambda db: db.execute(f"PRAGMA {name}").fetchone()) == (value,)


async def test_work_runs_on_a_thread_of_its_own(database):
    """Whatever runs on the connection runs on one thread, which is not the caller's, one after the other."""
    running = set()

    def work(_db):
        running.add(threading.get_ident())
        return len(running)

    assert await asyncio.gather(*(database.run(work) for _ in range(20))) == [1] * 20
    assert threading.get_ident() not in running


async def test_a_transaction_that_fails_leaves_nothing(database):
    """An error, of SQLite or not, rolls all of the transaction back, and the next one begins anew."""

    def twice(db):
        insert(1)(db)
        insert(1)(db)

    def other(db):
        insert(2)(db)
        raise LookupError("none of SQLite's")

    with pytest.raises(StorageError, match="UNIQUE"):
        await database.write(twice)
    with pytest.raises(LookupError):
        await database.write(other)
    assert await database.run(numbers) == []
    await database.write(insert(3))
    assert await database.run(numbers) == [3]


async def test_a_full_disk_is_told_as_what_it_is(database):
    """A transaction for which there is no room leaves nothing; the error says so, and a smaller one may succeed."""
    await database.run(lambda db: db.execute("PRAGMA max_page_count = 60").fetchall())

    def many(db):
        for number in range(100):
            insert(number, 4_000)(db)

    for _ in range(2):
        with pytest.raises(StorageFull, match="full"):
            await database.write(many)
    assert await database.run(numbers) == []
    await database.write(insert(1))


async def test_a_commit_that_fails_is_rolled_back(database):
    """When the commit itself fails nothing of the transaction stays, and the connection takes the next one."""

    def dangling(db):
        db.execute("CREATE TABLE child (parent INTEGER REFERENCES agents (id) DEFERRABLE INITIALLY DEFERRED)")
        db.execute("INSERT INTO child VALUES (7)")

    await database.run(lambda db: db.execute("PRAGMA foreign_keys = ON"))
    with pytest.raises(StorageError, match="FOREIGN KEY"):
        await database.write(dangling)
    await database.write(insert(7))
    assert await database.run(numbers) == [7]


async def test_a_cancelled_caller_leaves_the_work_running(database):
    """A write whose caller is cancelled runs to its end, whole, and later work comes after it."""
    begun, go = threading.Event(), threading.Event()

    def slow(db):
        insert(1)(db)
        begun.set()
        assert go.wait(5)
        insert(2)(db)

    async with asyncio.TaskGroup() as group:
        writing = group.create_task(database.write(slow))
        await asyncio.to_thread(begun.wait, 5)
        writing.cancel()
    go.set()
    assert await database.run(numbers) == [1, 2]


async def test_a_closed_database_says_so(database, path):
    """Closing twice is fine, and use after it is a StorageError that names the file."""
    await database.close()
    await database.close()
    with pytest.raises(StorageError, match=r"shard-0\.db: the database is closed"):
        await database.run(numbers)


async def test_another_version_is_refused(database, path):
    """A file of another version of the schema is refused, named, and left as it is."""
    await database.run(lambda db: db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}"))
    await database.close()
    for _ in range(2):
        with pytest.raises(StorageError, match=f"written by version {SCHEMA_VERSION + 1}"):
            await Database.open(path)


@pytest.mark.parametrize("content", [b"this is no database, and never was" * 100, b"SQLite format 3\0" + bytes(4_000)])
async def test_what_is_no_database_is_refused(path, content):
    """A file that SQLite cannot read is a StorageError with its path."""
    path.write_bytes(content)
    with pytest.raises(StorageDamaged, match=r"shard-0\.db"):
        await Database.open(path)


async def test_a_directory_that_is_not_there_is_told(tmp_path):
    """A path where nothing can be made is a StorageError."""
    with pytest.raises(StorageError, match="unable to open"):
        await Database.open(tmp_path / "no" / "shard.db")


HOLDER = """
import asyncio, sys
from pathlib import Path
from caxton.store.database import Database

async def hold():
    database = await Database.open(Path(sys.argv[1]))
    print("held", flush=True)
    sys.stdin.readline()
    await database.close()

asyncio.run(hold())
"""


@pytest.fixture
def holder(path):
    """Another process that has the file open until it is told to let go, or killed."""
    holding = subprocess.Popen(
        [sys.executable, "-P", "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holding.stdout.readline() == b"held\n"
    yield holding
    holding.kill()
    holding.wait(10)
    holding.stdin.close()
    holding.stdout.close()


@pytest.mark.parametrize("end", ["close", "kill"])
async def test_a_successor_waits_for_the_lock_of_its_predecessor(path, holder, end):
    """A file that another process holds is opened as soon as that one closes it or is killed."""
    opening = asyncio.ensure_future(Database.open(path))  # noqa: TID251 (awaited in this test)
    done, _ = await asyncio.wait([opening], timeout=0.1)
    assert not done
    if end == "close":
        holder.stdin.write(b"\n")
        holder.stdin.flush()
    else:
        holder.kill()
    database = await asyncio.wait_for(opening, 30)
    await database.write(insert(1))
    await database.close()


async def test_waiting_for_the_lock_ends(path, holder):
    """When the other process keeps the file, the error says so after the time that the caller waits."""
    with pytest.raises(StorageError, match=r"another process has held it for 0\.05 s; stop that runtime"):
        await Database.open(path, patience_s=0.05)


async def test_the_file_is_its_users_alone(database, path):
    """Nobody else can read the file or its log."""
    await database.write(insert(1))
    assert [found.stat().st_mode & 0o777 for found in sorted(path.parent.iterdir())] == [0o600, 0o600]


async def test_a_file_belongs_to_one(database, path):
    """While it is open nobody else reads or writes the file."""
    other = sqlite3.connect(path, timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("SELECT * FROM agents")
    other.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from caxton.agents.manifest import Manifest
from caxton.store.agents import StoredAgents
from caxton.store.database import Database

async def write():
    stored = StoredAgents(await Database.open(Path(sys.argv[1])))
    number = 0
    while True:
        agents = [(number * 100 + n + 1, Manifest(f"a{number}.{n}", bytes(32))) for n in range(100)]
        await stored.add(agents, 0)
        number += 1
        print(number, flush=True)

asyncio.run(write())
"""


@pytest.mark.parametrize("after", [1, 7, 20])
async def test_a_kill_leaves_all_of_a_write_or_nothing(path, after):
    """After SIGKILL in the midst of writes, each is there whole or not at all, and none that was told is missing."""
    writer = subprocess.Popen([sys.executable, "-P", "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    try:
        told = 0
        while told < after:
            told = int(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        told = int(([*writer.stdout.read().split(b"\n")[:-1]] or [str(told).encode()])[-1])
    finally:
        writer.wait(10)
        writer.stdout.close()
    database = await Database.open(path)
    found = await database.run(lambda db: [n for (n,) in db.execute("SELECT id FROM agents ORDER BY id")])
    await database.close()

    assert found == list(range(1, len(found) + 1))
    assert len(found) % 100 == 0
    assert len(found) // 100 in (told, told + 1)

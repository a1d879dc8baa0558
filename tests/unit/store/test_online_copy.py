"""A shard's file is copied while it is written: the copy is of one moment, and nobody waits for more than a slice."""

import asyncio
import sqlite3
import threading

import pytest

from caxton.errors import StorageError, StorageFull
from caxton.store.backup import online_copy
from caxton.store.backup.online_copy import SLICE_PAGES, OnlineCopy, make_empty
from caxton.store.database import Database

PAGE = bytes(4_000)
DEADLINE_S = 60.0


@pytest.fixture
async def database(tmp_path):
    database = await Database.open(tmp_path / "shard-0.db")
    await database.write(lambda db: db.execute("CREATE TABLE notes (number INTEGER PRIMARY KEY, text BLOB)"))
    yield database
    await database.close()


def note(*numbers):
    return lambda db: db.executemany("INSERT OR REPLACE INTO notes VALUES (?, ?)", [(n, PAGE) for n in numbers])


def noted(path):
    db = sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)
    try:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {number for (number,) in db.execute("SELECT number FROM notes")}
    finally:
        db.close()


async def until(holds, step):
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await step()


@pytest.mark.parametrize("pages", [0, 4 * SLICE_PAGES])
async def test_a_copy_is_of_the_moment_at_which_it_ends(database, tmp_path, pages, one_turn_of_the_loop):
    """What was written before is in it, also while it was made; what is asked while it stands still comes after it."""
    copy = OnlineCopy(tmp_path / "copy")
    await database.write(note(*range(pages)))
    written = set(range(pages))
    async with asyncio.TaskGroup() as group:
        making = group.create_task(database.copy(copy))

        async def write_one():
            number = len(written)
            await database.write(note(number, 0))
            written.add(number)

        await until(lambda: copy.is_ready, write_one)
        for _ in range(20):
            await write_one()
        await until(lambda: copy.is_ready, write_one)
        assert await copy.hold()
        later = group.create_task(database.write(note(-1)))
        await one_turn_of_the_loop()
        assert await copy.end()
        await making
        await later
        await database.write(note(-2))

    assert copy.is_done
    assert noted(copy.path) == written | {0}
    assert copy.path.stat().st_mode & 0o777 == 0o600
    kept = await database.run(lambda db: {n for (n,) in db.execute("SELECT number FROM notes WHERE number < 0")})
    assert kept == {-1, -2}


async def test_nothing_is_written_while_it_stands_still(database, tmp_path, one_turn_of_the_loop):
    """A write that is asked for meanwhile is done when it is told to go on, and it may stand still again."""
    copy = OnlineCopy(tmp_path / "copy")
    async with asyncio.TaskGroup() as group:
        making = group.create_task(database.copy(copy))
        await until(lambda: copy.is_ready, lambda: database.run(lambda _db: None))
        assert await copy.hold()
        later = group.create_task(database.write(note(1)))
        await one_turn_of_the_loop()
        assert await copy.go_on()
        await later
        assert not await copy.end()
        assert not await copy.go_on()
        assert await copy.hold()
        assert await copy.end()
        await making

    assert noted(copy.path) == {1}


async def test_it_stands_still_for_no_longer_than_is_promised(database, tmp_path, monkeypatch):
    """When nobody ends it in time, what waits is written, and the copy is not of that moment."""
    monkeypatch.setattr(online_copy, "HOLD_S", 0.0)
    copy = OnlineCopy(tmp_path / "copy")
    async with asyncio.TaskGroup() as group:
        group.create_task(database.copy(copy))
        await until(lambda: copy.is_ready, lambda: database.run(lambda _db: None))
        assert await copy.hold()
        await database.write(note(1))
        assert not await copy.end()
        copy.give_up()

    assert "given up" in str(copy.failed)
    assert not copy.path.exists()


async def test_a_copy_that_nobody_asks_after_is_given_up(database, tmp_path, monkeypatch):
    """Whoever wanted it may have been killed: its file goes, and another copy may be made."""
    monkeypatch.setattr(online_copy, "LEASE_S", -1.0)
    copies = [OnlineCopy(tmp_path / "copy") for _ in range(2)]
    for copy in copies:
        await database.copy(copy)
        assert "nobody asked after it" in str(copy.failed)
        assert not await copy.hold()

    await database.write(note(1))
    assert not copies[0].path.exists()


async def test_a_full_disk_ends_the_copy_and_not_the_shard(database, tmp_path, monkeypatch):
    """The error names the copy, of which nothing is left; the shard is written as before."""
    connect = sqlite3.connect

    def small(*args, **options):
        db = connect(*args, **options)
        db.execute("PRAGMA max_page_count = 10")
        return db

    monkeypatch.setattr(online_copy.sqlite3, "connect", small)
    await database.write(note(*range(2 * SLICE_PAGES)))
    copy = OnlineCopy(tmp_path / "copy")
    await database.copy(copy)

    assert isinstance(copy.failed, StorageFull)
    assert copy.failed.path == str(copy.path)
    assert not copy.path.exists()
    await database.write(note(-1))


async def test_nothing_is_copied_over_what_is_there(database, tmp_path):
    """A file, or a link to one, in the place of a copy stays as it is."""
    there, link = tmp_path / "there", tmp_path / "link"
    there.write_bytes(b"somebody's")
    link.symlink_to(there)
    for path in (there, link, tmp_path / "nowhere" / "copy", tmp_path / "a\0b"):
        copy = OnlineCopy(path)
        await database.copy(copy)
        assert isinstance(copy.failed, StorageError)

    assert there.read_bytes() == b"somebody's"
    assert link.is_symlink()


async def test_what_cannot_be_removed_concerns_the_copy_alone(database, tmp_path):
    """A copy whose name stands for something else by its end fails; the shard is written as before."""
    copy = OnlineCopy(tmp_path / "copy")
    async with asyncio.TaskGroup() as group:
        group.create_task(database.copy(copy))
        await until(lambda: copy.is_ready, lambda: database.run(lambda _db: None))
        copy.path.rename(tmp_path / "moved")
        copy.path.mkdir()
        copy.give_up()

    assert "given up" in str(copy.failed)
    await database.write(note(-1))


async def test_an_error_of_any_kind_is_the_copys(database, tmp_path, monkeypatch):
    """Also one that nobody has thought of: whoever waits is told, and the file goes."""

    def broken(_path):
        raise RuntimeError("a bug")

    monkeypatch.setattr("caxton.store.database.sync", broken)
    copy = OnlineCopy(tmp_path / "copy")
    async with asyncio.TaskGroup() as group:
        group.create_task(database.copy(copy))
        await until(lambda: copy.is_ready, lambda: database.run(lambda _db: None))
        assert await copy.hold()
        assert await copy.end()

    assert isinstance(copy.failed, StorageError)
    assert "a bug" in str(copy.failed)
    assert not copy.path.exists()


async def test_a_copy_that_is_cancelled_leaves_nothing(database, tmp_path, monkeypatch, one_turn_of_the_loop):
    """Also while its file is being made: it is waited for, and removed."""
    begun, goes_on, made = threading.Event(), threading.Event(), threading.Event()

    def slow(path):
        begun.set()
        goes_on.wait()
        make_empty(path)
        made.set()

    monkeypatch.setattr("caxton.store.database.make_empty", slow)
    copy = OnlineCopy(tmp_path / "copy")
    async with asyncio.TaskGroup() as group:
        copying = group.create_task(database.copy(copy))
        await asyncio.to_thread(begun.wait)
        copying.cancel()
        await one_turn_of_the_loop()
        await one_turn_of_the_loop()
        goes_on.set()
    await asyncio.to_thread(made.wait)

    assert copying.cancelled()
    assert copy.is_over
    assert not copy.path.exists()


async def test_one_copy_at_a_time(database, tmp_path):
    """A second one is refused and leaves nothing; a database that is closed ends the first."""
    first, second = OnlineCopy(tmp_path / "first"), OnlineCopy(tmp_path / "second")
    async with asyncio.TaskGroup() as group:
        group.create_task(database.copy(first))
        await until(lambda: first.is_ready, lambda: database.run(lambda _db: None))
        await database.copy(second)
        await database.close()

    assert "another copy" in str(second.failed)
    assert "given up" in str(first.failed)
    assert [path.name for path in tmp_path.iterdir()] == ["shard-0.db"]

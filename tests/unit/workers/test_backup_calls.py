import asyncio

import pytest

from caxton.errors import ResourceExhausted, StorageError
from caxton.store.database import Database
from caxton.testing import eventually
from caxton.wire.backup import CopyShard, CopyStep
from caxton.wire.control import SessionEnded
from workers.loop.backup_calls import BackupCalls
from workers.loop.calls import Calls


@pytest.fixture
async def database(tmp_path):
    database = await Database.open(tmp_path / "shard-0.db")
    yield database
    await database.close()


async def test_a_path_that_cannot_be_is_an_error_of_its_copy(database):
    """The group that the worker's tasks belong to goes on."""
    async with asyncio.TaskGroup() as group:
        calls = BackupCalls(database, group)
        await calls.answer(1, CopyShard("/x\0y"))
        with pytest.raises(StorageError, match="null byte"):
            await calls.answer(1, CopyStep("hold"))


async def test_a_copy_ends_with_its_client(database, tmp_path):
    """Its file goes at once, and another client's copy begins; the end of somebody else is nothing to it."""
    async with asyncio.TaskGroup() as group:
        calls = BackupCalls(database, group)
        await calls.answer(1, CopyShard(str(tmp_path / "copy")))

        async def ready():
            return (await calls.answer(1, CopyStep())).ready

        await eventually(ready)
        calls.session_ended(2)
        assert (await calls.answer(1, CopyStep("hold"))).did
        calls.session_ended(1)
        await calls.answer(2, CopyShard(str(tmp_path / "other")))
        there = {path.name for path in tmp_path.iterdir()}
        calls.end()

    assert "copy" not in there


async def test_a_copy_that_is_made_keeps_its_place(database, tmp_path):
    """Its client waits for other shards by then: whoever comes next is refused until that one lets go of it."""
    async with asyncio.TaskGroup() as group:
        calls = BackupCalls(database, group)
        await calls.answer(1, CopyShard(str(tmp_path / "copy")))

        async def stands(what):
            return getattr(await calls.answer(1, CopyStep()), what)

        await eventually(lambda: stands("ready"))
        await calls.answer(1, CopyStep("hold"))
        await calls.answer(1, CopyStep("end"))
        await eventually(lambda: stands("done"))
        with pytest.raises(ResourceExhausted):
            await calls.answer(2, CopyShard(str(tmp_path / "other")))
        assert await stands("done")
        await calls.answer(1, CopyStep("drop"))
        await calls.answer(2, CopyShard(str(tmp_path / "other")))
        calls.end()

    assert (tmp_path / "copy").exists()


async def test_a_copy_that_nobody_asks_after_keeps_no_place(database, tmp_path, monkeypatch):
    """Its client was stopped, and is there all the same: another one's backup goes on."""
    async with asyncio.TaskGroup() as group:
        calls = BackupCalls(database, group)
        await calls.answer(1, CopyShard(str(tmp_path / "copy")))
        monkeypatch.setattr("caxton.store.backup.online_copy.LEASE_S", -1.0)
        await calls.answer(2, CopyShard(str(tmp_path / "other")))
        calls.end()

    assert not (tmp_path / "copy").exists()


def test_the_end_of_a_client_reaches_its_copy(shard, monkeypatch):
    """The worker tells whoever answers calls."""
    ended = []
    monkeypatch.setattr(BackupCalls, "session_ended", lambda _calls, session: ended.append(session))
    Calls(shard.parts, shard.worker._attached, None, shard.worker._passes)
    shard.say(SessionEnded(0, shard.marks.mark(0), shard.sessions[0]))

    assert ended == [shard.sessions[0]]

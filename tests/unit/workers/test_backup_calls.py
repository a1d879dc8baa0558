import asyncio

import pytest

from caxton.errors import StorageError
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


def test_the_end_of_a_client_reaches_its_copy(shard, monkeypatch):
    """The worker tells whoever answers calls."""
    ended = []
    monkeypatch.setattr(BackupCalls, "session_ended", lambda _calls, session: ended.append(session))
    Calls(shard.parts, shard.worker._attached, None, shard.worker._passes)
    shard.say(SessionEnded(0, shard.marks.mark(0), shard.sessions[0]))

    assert ended == [shard.sessions[0]]

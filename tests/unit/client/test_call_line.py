import asyncio
import os

import pytest

from caxton.client.call_line import ask, ask_soon
from caxton.errors import AgentNotFound, NetworkError, RuntimeNotFound, Timeout, to_fields
from caxton.store.directory_lock import DirectoryLock
from caxton.transport.endpoints import RuntimeDir
from caxton.transport.sockets import Desk, end_context, new_context
from caxton.wire.calls import Failed
from caxton.wire.codec import SUPERVISOR_ANSWER, SUPERVISOR_CALL
from caxton.wire.supervision import Accepted, AskHealth, StopRuntime, SupervisorAnswer, Told


@pytest.fixture
def short_dir(tmp_path_factory):
    path = tmp_path_factory.mktemp("c")
    assert len(os.fsencode(path)) < 80
    return path


class Supervisor:
    """A desk whose answers the test writes."""

    def __init__(self, directory, context):
        self.lock = DirectoryLock(directory)
        self.desk = Desk(RuntimeDir(directory).calls)
        self._arrived = asyncio.Event()
        self.desk.watch(asyncio.get_running_loop(), self._arrived.set)

    async def call(self):
        async with asyncio.timeout(30):
            while (received := self.desk.receive()) is None:
                self._arrived.clear()
                await self._arrived.wait()
        caller, frame = received
        return caller, SUPERVISOR_CALL.decode(frame)

    def answer(self, caller, call_id, result):
        self.desk.answer(caller, SUPERVISOR_ANSWER.encode(SupervisorAnswer(call_id, result)))


@pytest.fixture
async def supervisor(short_dir):
    context = new_context()
    made = Supervisor(short_dir, context)
    yield made
    made.lock.close()
    made.desk.close()
    end_context(context)


async def test_the_answer_to_the_question_is_returned(supervisor, short_dir):
    """Answers to other calls are passed over; the one with the question's number is returned."""
    asking = asyncio.get_running_loop().create_task(ask_soon(short_dir, AskHealth(), 5.0))
    caller, call = await supervisor.call()
    supervisor.answer(caller, call.call_id + 1, Accepted())
    supervisor.answer(caller, call.call_id, Told({"status": "healthy"}))

    assert await asking == Told({"status": "healthy"})
    assert call.request == AskHealth()


async def test_an_error_that_is_the_answer_is_raised(supervisor, short_dir):
    """An error of the supervisor is raised here with its fields."""
    asking = asyncio.get_running_loop().create_task(ask_soon(short_dir, StopRuntime(), 5.0))
    caller, call = await supervisor.call()
    error = AgentNotFound("echo")
    supervisor.answer(caller, call.call_id, Failed("AgentNotFound", to_fields(error)))

    with pytest.raises(AgentNotFound, match="there is no agent echo"):
        await asking


async def test_no_answer_is_a_timeout(supervisor, short_dir):
    """A supervisor that is there and silent is a Timeout after the given seconds."""
    with pytest.raises(Timeout, match=r"no answer within 0\.2 s"):
        await ask_soon(short_dir, AskHealth(), 0.2)


async def test_a_supervisor_that_ends_is_noticed_before_the_timeout(supervisor, short_dir):
    """When the supervisor ends before it answers, that is told, and not after the whole timeout."""
    asking = asyncio.get_running_loop().create_task(ask_soon(short_dir, AskHealth(), 60.0))
    await supervisor.call()
    supervisor.lock.close()

    with pytest.raises(NetworkError, match="ended before it answered"):
        async with asyncio.timeout(30):
            await asking


async def test_an_answer_that_nobody_can_read_is_told(supervisor, short_dir):
    """A frame that does not decode is an error about the supervisor, not a wait."""
    asking = asyncio.get_running_loop().create_task(ask_soon(short_dir, AskHealth(), 5.0))
    caller, _ = await supervisor.call()
    supervisor.desk.answer(caller, b"\x07garbage")

    with pytest.raises(NetworkError, match="cannot be read"):
        await asking


def test_where_nobody_serves_nothing_is_asked(tmp_path):
    """Without a runtime that is said at once, also for a directory that is not there or was left by a dead one."""
    DirectoryLock(tmp_path).close()

    for directory in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(RuntimeNotFound):
            ask(directory, AskHealth(), 5.0)

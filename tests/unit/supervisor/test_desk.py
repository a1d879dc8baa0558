import asyncio
from collections import Counter

import msgspec
import pytest

from caxton.errors import QueueFull, from_fields
from caxton.supervisor.desk import desk as desk_module
from caxton.supervisor.desk.desk import FrontDesk
from caxton.transport.endpoints import RuntimeDir
from caxton.transport.sockets import CallLine, Desk, end_context, new_context
from caxton.wire.calls import Failed
from caxton.wire.codec import SUPERVISOR_ANSWER, SUPERVISOR_CALL
from caxton.wire.supervision import Accepted, AskHealth, AskStats, StopRuntime, SupervisorCall, Told


class Room:
    """A front desk on a real socket, whose answers the test decides, and a line to it."""

    def __init__(self, context, directory, tasks):
        self.answers = {}
        self.unforeseen = []
        self.dropped = Counter()
        self.desk = FrontDesk(Desk(directory.calls), self.answering, tasks, self.unforeseen.append, self.dropped)
        self.line = CallLine(context, directory.calls)
        self._arrived = asyncio.Event()
        self.line.watch(asyncio.get_running_loop(), self._arrived.set)

    async def answering(self, _caller, request):
        result = self.answers[type(request)]
        return await result() if callable(result) else result

    def call(self, call_id, request):
        self.line.send(SUPERVISOR_CALL.encode(SupervisorCall(call_id, request)))

    async def answer(self):
        async with asyncio.timeout(30):
            while (frame := self.line.receive()) is None:
                self._arrived.clear()
                await self._arrived.wait()
        answer = SUPERVISOR_ANSWER.decode(frame)
        return answer.call_id, answer.result


@pytest.fixture
async def room(short_dir):
    context = new_context()
    async with asyncio.TaskGroup() as tasks:
        made = Room(context, RuntimeDir(short_dir), tasks)
        yield made
        made.desk.close()
        made.line.close()
    end_context(context)


async def test_each_call_gets_its_own_answer(room):
    """Answers carry the number of their call."""
    room.answers = {AskHealth: Told({"a": 1}), StopRuntime: Accepted()}
    room.call(7, AskHealth())
    room.call(8, StopRuntime())

    answers = dict([await room.answer(), await room.answer()])
    assert answers == {7: Told({"a": 1}), 8: Accepted()}


async def test_a_slow_answer_holds_up_nobody(room):
    """While one call is being worked at, later ones are answered."""
    finish = asyncio.Event()

    async def slowly():
        await finish.wait()
        return Accepted()

    room.answers = {StopRuntime: slowly, AskHealth: Told({})}
    room.call(1, StopRuntime())
    room.call(2, AskHealth())

    assert await room.answer() == (2, Told({}))
    finish.set()
    assert await room.answer() == (1, Accepted())


async def test_an_error_is_an_answer(room):
    """A typed error travels to the caller with its fields."""

    async def refuse():
        raise QueueFull("agent", 5, 5)

    room.answers = {AskHealth: refuse}
    room.call(1, AskHealth())

    _, result = await room.answer()
    error = from_fields(result.error, result.fields)
    assert isinstance(error, QueueFull)
    assert (error.receiver, error.depth) == ("agent", 5)


async def test_a_bug_in_one_answer_is_told_and_ends_nothing(room):
    """An error that nobody foresaw is told loudly, answered as a failure, and the desk goes on."""

    async def fail():
        raise ZeroDivisionError

    room.answers = {AskHealth: fail, AskStats: Told({})}
    room.call(1, AskHealth())
    assert (await room.answer())[1].error == "CaxtonError"
    room.call(2, AskStats())

    assert await room.answer() == (2, Told({}))
    assert room.unforeseen == ["AskHealth: ZeroDivisionError()"]


async def test_what_cannot_be_encoded_is_told_and_ends_nothing(room):
    """An answer that does not fit on the wire is a bug like another: told loudly, answered as a failure."""
    room.answers = {AskHealth: Told({"a": 1 << 70}), AskStats: Told({})}
    room.call(1, AskHealth())
    assert (await room.answer())[1].error == "CaxtonError"
    room.call(2, AskStats())

    assert await room.answer() == (2, Told({}))
    assert len(room.unforeseen) == 1


async def test_a_refusing_disk_is_a_storage_error(room):
    """An OSError while answering reaches the caller as a StorageError that names the file."""

    async def fail():
        raise OSError(28, "No space left on device", "/data/modules/x")

    room.answers = {AskHealth: fail}
    room.call(1, AskHealth())

    _, result = await room.answer()
    assert result == Failed("StorageError", {"path": "/data/modules/x", "problem": "No space left on device"})


BAD_LIMITS = b"\x01" + msgspec.msgpack.encode([1, [2, bytes(32), 1, 0, b"", "agent", {"max_fuel": 1}]])


@pytest.mark.parametrize(
    "frame", [b"", b"\x01", b"garbage", b"\x01\x93" + b"\x91" * 100_000, bytes(1 << 20), BAD_LIMITS]
)
async def test_garbage_is_counted_and_dropped(room, frame):
    """What does not decode gets no answer and is counted; the next call is answered."""
    room.answers = {AskHealth: Told({})}
    room.line.send(frame)
    room.call(1, AskHealth())

    assert await room.answer() == (1, Told({}))
    assert room.dropped == {"calls that do not decode": 1}


async def test_too_many_calls_at_once_are_refused(room, monkeypatch):
    """Beyond the bound a call is refused at once instead of waiting."""
    monkeypatch.setattr(desk_module, "MAX_CALLS", 1)
    finish = asyncio.Event()

    async def slowly():
        await finish.wait()
        return Accepted()

    room.answers = {StopRuntime: slowly}
    room.answers[AskHealth] = Told({})
    room.call(1, StopRuntime())
    room.call(2, AskHealth())

    call_id, result = await room.answer()
    assert (call_id, type(result)) == (2, Failed)
    assert result.error == "ResourceExhausted"
    finish.set()
    assert await room.answer() == (1, Accepted())


async def test_a_flood_of_calls_is_answered_to_the_last(room):
    """More calls than are taken in one go are all answered: none is forgotten in the socket."""
    room.answers = {AskHealth: Told({})}
    for call_id in range(300):
        room.call(call_id, AskHealth())

    answered = [(await room.answer())[0] for _ in range(300)]

    assert sorted(answered) == list(range(300))

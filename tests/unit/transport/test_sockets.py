import asyncio
import os

import pytest

from caxton.transport.descriptors import MOST_LINES
from caxton.transport.sockets import MAX_SOCKET_FRAME, CallLine, Desk, Inlet, Outlet, end_context, new_context


@pytest.fixture
def opened():
    """A function that opens a socket of a kind; it is closed when the test ends."""
    context, made = new_context(), []

    def make(kind, *where):
        made.append(kind(*where) if kind in {Inlet, Desk} else kind(context, *where))
        return made[-1]

    yield make
    for socket in made:
        socket.close()
    end_context(context)


@pytest.fixture
def endpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("z") / "s"
    assert len(os.fsencode(path)) < 100
    return f"ipc://{path}"


class Arrivals:
    """What came in at a socket, taken whenever the loop says that something may be there."""

    def __init__(self, socket):
        self.socket = socket
        self.frames = []
        self._event = asyncio.Event()
        socket.watch(asyncio.get_running_loop(), self.take)

    def take(self):
        while (frame := self.socket.receive()) is not None:
            self.frames.append(frame)
        self._event.set()

    async def count(self, wanted):
        async with asyncio.timeout(30):
            while len(self.frames) < wanted:
                self._event.clear()
                await self._event.wait()
        return self.frames


async def test_frames_arrive_in_order(opened, endpoint):
    """Frames of one outlet arrive whole and in order, bytes and bytearrays alike."""
    arrivals = Arrivals(opened(Inlet, endpoint))
    outlet = opened(Outlet, endpoint)
    for number in range(1_000):
        frame = number.to_bytes(2, "big") * (1 + number % 50)
        assert outlet.send(frame if number % 2 else bytearray(frame))

    frames = await arrivals.count(1_000)
    assert [int.from_bytes(frame[:2], "big") for frame in frames] == list(range(1_000))
    assert len(frames[49]) == 100


async def test_a_frame_may_leave_before_anybody_listens(opened, endpoint):
    """What is sent before the inlet is bound arrives when it is."""
    outlet = opened(Outlet, endpoint)
    assert outlet.send(b"early")

    assert await Arrivals(opened(Inlet, endpoint)).count(1) == [b"early"]


async def test_sending_never_waits(opened, endpoint):
    """An outlet whose peer does not read takes frames up to its mark and then says no."""
    outlet = opened(Outlet, endpoint, 10)
    sent = [outlet.send(b"x") for _ in range(15)]

    assert sent == [True] * 10 + [False] * 5


async def test_an_outlet_has_a_mark_also_when_nobody_names_one(opened, endpoint):
    """Where its owner says nothing else, an outlet takes 65,536 frames that nobody reads, and no more."""
    outlet = opened(Outlet, endpoint)
    assert [outlet.send(b"x") for _ in range(65_537)] == [True] * 65_536 + [False]


async def test_an_inlet_has_room_for_every_session_that_there_may_be(opened, endpoint):
    """Where its owner says nothing else, an inlet keeps a line for each session, those that come late, and no more."""
    assert opened(Inlet, endpoint)._listener._most_lines == MOST_LINES == 1_120


async def test_a_frame_beyond_all_limits_ends_only_its_sender(opened, endpoint):
    """A frame that is larger than any may be never arrives, and what others send does."""
    arrivals = Arrivals(opened(Inlet, endpoint))
    opened(Outlet, endpoint).send(bytes(MAX_SOCKET_FRAME + 1))
    other = opened(Outlet, endpoint)
    other.send(bytes(MAX_SOCKET_FRAME))
    other.send(b"last")

    assert [len(frame) for frame in await arrivals.count(2)] == [MAX_SOCKET_FRAME, 4]


async def test_nothing_there_is_none(opened, endpoint):
    """Receiving from an inlet that has nothing returns None."""
    inlet = opened(Inlet, endpoint)
    assert inlet.receive() is None


async def test_closing_twice_is_fine(opened, endpoint):
    """Every socket may be closed twice, watched or not."""
    loop = asyncio.get_running_loop()
    made = [opened(Inlet, endpoint), opened(Desk, f"{endpoint}d"), opened(CallLine, f"{endpoint}d")]
    for socket in made:
        socket.watch(loop, lambda: None)
    for socket in (*made, opened(Outlet, endpoint), opened(Inlet, f"{endpoint}2")):
        socket.close()
        socket.close()


async def test_a_desk_answers_who_called(opened, endpoint):
    """Each caller gets the answers to its own calls."""
    desk = Arrivals(opened(Desk, endpoint))
    lines = [Arrivals(opened(CallLine, endpoint)) for _ in range(3)]
    for number, line in enumerate(lines):
        assert line.socket.send(bytes([number]))
    for caller, frame in list(await desk.count(3)):
        assert desk.socket.answer(caller, b"to " + frame)

    assert [await line.count(1) for line in lines] == [[b"to " + bytes([number])] for number in range(3)]


async def test_a_caller_that_is_gone_gets_no_answer(opened, endpoint):
    """An answer to nobody is not sent, and says so."""
    desk = opened(Desk, endpoint)
    assert not desk.answer(1, b"answer")


async def test_a_call_of_many_parts_ends_its_line(opened, endpoint):
    """A message of several parts does not come, and its line ends; who called as one should is heard."""
    ended = []
    desk = Arrivals(opened(Desk, endpoint))
    desk.socket.guard(lambda _head, _size: True, lambda: ended.append(1))
    line = opened(CallLine, endpoint)
    line._socket.send_multipart([b"two", b"parts"])
    other = opened(CallLine, endpoint)
    other.send(b"one")

    assert [frame for _, frame in await desk.count(1)] == [b"one"]
    assert ended == [1]


async def test_a_context_ends_whatever_is_open(endpoint):
    """Ending a context closes what is open and drops what it holds, at once."""
    context = new_context()
    outlet = Outlet(context, endpoint)
    outlet.send(b"never read")
    end_context(context)
    outlet.close()

    assert context.closed

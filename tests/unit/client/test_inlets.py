import asyncio
from collections import Counter
from itertools import pairwise

import pytest

from caxton.acl.envelope import Envelope
from caxton.client.session.inlets import ENOUGH_BYTES, Inlets
from caxton.ids import SESSION_BIT
from caxton.transport.endpoints import RuntimeDir
from caxton.transport.sockets import Outlet, end_context, new_context
from caxton.wire.codec import CONTROL, DATA
from caxton.wire.control import Hello
from caxton.wire.frames import DataFrame

SESSION, MARK = SESSION_BIT | 5, bytes(range(16))
GARBAGE = 3_000
FRAMES, OF_EACH = 40, 100


@pytest.fixture
def runtime(tmp_path_factory):
    directory = RuntimeDir(tmp_path_factory.mktemp("r"))
    directory.path.chmod(0o700)
    return directory


@pytest.fixture
def outlets(runtime):
    context = new_context()
    made = [Outlet(context, runtime.data(SESSION)), Outlet(context, runtime.control(SESSION))]
    yield made
    for outlet in made:
        outlet.close()
    end_context(context)


async def test_a_flood_of_garbage_leaves_the_loop_its_turns(runtime, outlets):
    """Garbage is dropped and counted a bounded amount at a time, and what comes behind it is taken all the same."""
    counts, heard = Counter(), asyncio.Event()
    inlets = Inlets(runtime, SESSION, MARK, counts)
    in_one_go = []

    def take(inlet):
        before = counts["garbage"]
        if list(inlet()):
            heard.set()
        in_one_go.append(counts["garbage"] - before)

    control = outlets[1]
    for outlet in outlets:
        for _ in range(GARBAGE):
            outlet.send(b"")
    control.send(CONTROL.encode(Hello(7, MARK, SESSION, 1, 2, 3, 4, answer_wanted=True)))
    inlets.watch(asyncio.get_running_loop(), lambda: take(inlets.frames), lambda: take(inlets.controls))
    async with asyncio.timeout(10):
        await heard.wait()
    inlets.close()

    assert counts["garbage"] >= GARBAGE
    assert max(in_one_go) <= 1_024


def send_messages(outlet, frames=FRAMES):
    for number in range(frames):
        messages = [Envelope(bytes(16), 1, 5, SESSION, b"") for _ in range(OF_EACH)]
        outlet.send(DATA.encode(DataFrame(7, MARK, SESSION, 0, 1 + number * OF_EACH, resent=False, messages=messages)))


async def test_a_flood_of_messages_leaves_the_loop_its_turns(runtime, outlets):
    """Messages are taken a bounded amount at a time, once in a turn of the loop, and all are taken."""
    inlets, in_one_go, turns, done = Inlets(runtime, SESSION, MARK, Counter()), [], [], asyncio.Event()
    loop = asyncio.get_running_loop()

    def turn():
        turns.append(len(in_one_go))
        if not done.is_set():
            loop.call_soon(turn)

    def take():
        in_one_go.append(sum(len(frame.messages) for frame, _ in inlets.frames()))
        if sum(in_one_go) == FRAMES * OF_EACH:
            done.set()

    send_messages(outlets[0])
    inlets.watch(loop, take, lambda: None)
    turn()
    async with asyncio.timeout(10):
        await done.wait()
    inlets.close()

    assert max(in_one_go) <= ENOUGH_BYTES // 256 + OF_EACH
    assert all(after - before <= 1 for before, after in pairwise(turns))


async def test_who_is_to_rest_takes_no_messages(runtime, outlets):
    """What comes meanwhile is taken after it, and what is said beside the data is heard at once."""
    inlets, taken, heard = Inlets(runtime, SESSION, MARK, Counter()), asyncio.Queue(), asyncio.Event()
    rests = [60.0]

    def take():
        for frame, _ in inlets.frames():
            taken.put_nowait(frame.first)

    def hear():
        if list(inlets.controls()):
            heard.set()

    send_messages(outlets[0], frames=1)
    inlets.watch(asyncio.get_running_loop(), take, hear, lambda _now_s: rests.pop() if rests and taken.qsize() else 0.0)
    async with asyncio.timeout(10):
        assert await taken.get() == 1
        send_messages(outlets[0], frames=1)
        outlets[1].send(CONTROL.encode(Hello(7, MARK, SESSION, 1, 2, 3, 4, answer_wanted=True)))
        await heard.wait()
    assert taken.empty()
    assert [frame.first for frame, _ in inlets.frames()] == [1]
    inlets.close()

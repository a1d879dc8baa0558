import asyncio
from collections import Counter

import pytest

from caxton.client.session.inlets import Inlets
from caxton.ids import SESSION_BIT
from caxton.transport.endpoints import RuntimeDir
from caxton.transport.sockets import Outlet, end_context, new_context
from caxton.wire.codec import CONTROL
from caxton.wire.control import Hello

SESSION, MARK = SESSION_BIT | 5, bytes(range(16))
GARBAGE = 3_000


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

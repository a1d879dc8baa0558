import asyncio
import gc
import signal
import threading

import pytest

from caxton.errors import ConfigurationError, NetworkError, Timeout
from caxton.sync.loop_thread import LoopThread


@pytest.fixture
def loop():
    thread = LoopThread()
    yield thread
    thread.close()


async def failing():
    raise Timeout("something", 1.0)


def test_a_call_returns_and_raises_what_its_coroutine_does(loop):
    """What runs in the loop is another thread's, and its value and its error come back."""

    async def where():
        return threading.get_ident()

    assert loop.run(where()) != threading.get_ident()
    assert loop.made(lambda: 5) == 5
    with pytest.raises(Timeout):
        loop.run(failing())


def test_calls_of_several_threads_run_side_by_side(loop):
    """A call that waits holds up no other."""
    arrived, results = asyncio.Event(), []

    async def wait():
        await arrived.wait()
        return "waited"

    threads = [threading.Thread(target=lambda: results.append(loop.run(wait()))) for _ in range(3)]
    for thread in threads:
        thread.start()
    loop.made(arrived.set)
    for thread in threads:
        thread.join(30)

    assert results == ["waited"] * 3


def test_a_call_in_its_own_thread_is_refused(loop):
    """Where it would wait for itself it says so, and what to do."""

    async def inside():
        loop.run(failing())

    with pytest.raises(ConfigurationError, match="wait for itself"):
        loop.run(inside())


def test_ctrl_c_cancels_the_call_and_waits_for_its_end(loop):
    """A call that is interrupted leaves nothing behind: when KeyboardInterrupt is there, its coroutine has ended."""
    ended = []

    async def wait():
        try:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        loop.run(wait())

    assert ended == [True]
    assert loop.made(lambda: 5) == 5


def test_what_waits_when_it_is_closed_is_told():
    """A call that is under way at the end has a typed error, and so has each that comes later."""
    loop, begun, told = LoopThread(), threading.Event(), []

    async def wait():
        begun.set()
        await asyncio.Event().wait()

    def call():
        try:
            loop.run(wait())
        except NetworkError as error:
            told.append(str(error))

    thread = threading.Thread(target=call)
    thread.start()
    assert begun.wait(30)
    loop.close()
    loop.close()
    thread.join(30)

    assert len(told) == 1
    assert "closed" in told[0]
    assert loop.loop.is_closed()
    with pytest.raises(ConfigurationError, match="it was closed"):
        loop.run(failing())
    loop.later(failing())
    gc.collect()


def test_what_nobody_waits_for_is_done_and_its_errors_are_nobodys(loop):
    """`later` runs a coroutine in the loop, whatever comes of it."""
    done = threading.Event()

    async def fail():
        done.set()
        await failing()

    loop.later(fail())

    assert done.wait(30)
    assert loop.made(lambda: 5) == 5


def test_in_a_child_that_was_forked_calls_are_refused(loop):
    """A loop whose thread is the parent's takes no calls, whoever held its lock."""
    child = LoopThread()
    held = child._handing
    held.acquire()
    child.abandon()

    with pytest.raises(ConfigurationError, match="forked"):
        child.run(failing())
    child.loop.call_soon_threadsafe(child._stop.set)
    child._thread.join(30)

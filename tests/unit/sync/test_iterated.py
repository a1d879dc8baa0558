import threading

import pytest

from caxton.errors import ConfigurationError
from caxton.sync.iterated import Iterated, iterated
from caxton.sync.loop_thread import LoopThread


@pytest.fixture
def loop():
    thread = LoopThread()
    yield thread
    thread.close()


async def numbers(closed):
    try:
        for number in range(3):
            yield number
    finally:
        closed.set()


def test_each_step_is_one_of_the_asynchronous_iterator(loop):
    """What it yields comes in order, and then the end."""
    closed = threading.Event()

    assert list(iterated(loop, numbers(closed))) == [0, 1, 2]
    assert closed.wait(30)


def test_one_that_is_left_is_closed(loop):
    """A loop that is left by `break` lets the other end know."""
    closed = threading.Event()

    kept = numbers(closed)  # or its collection would close it
    steps = iterated(loop, kept)
    for number in steps:
        if number == 1:
            break
    steps.close()

    assert closed.wait(30)


def test_one_that_is_left_after_the_end_harms_nothing(loop):
    """When the loop is gone, so is what was iterated, and going on says why it cannot."""
    left, gone_on = iterated(loop, numbers(threading.Event())), iterated(loop, numbers(threading.Event()))
    assert next(left) == next(gone_on) == 0
    loop.close()

    left.close()
    with pytest.raises(ConfigurationError, match="it was closed"):
        next(gone_on)


def test_an_iterator_goes_on_where_a_loop_left_it(loop):
    """Several loops share one: each goes on behind the last."""
    shared = Iterated(loop, numbers(threading.Event()))

    assert next(shared) == 0
    assert list(shared) == [1, 2]
    assert list(shared) == []

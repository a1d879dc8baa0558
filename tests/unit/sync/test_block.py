import asyncio

import pytest

from caxton.errors import Timeout
from caxton.sync.block import Block
from caxton.sync.loop_thread import LoopThread


class Traced:
    """An asynchronous block that notes who enters and leaves it, and by what."""

    def __init__(self, *, fails=None):
        self.tasks, self.errors, self.fails = [], [], fails
        self.group = asyncio.TaskGroup()

    async def __aenter__(self):
        if self.fails == "entering":
            raise Timeout("entering", 1.0)
        if self.fails == "never":
            await asyncio.Event().wait()
        await self.group.__aenter__()
        self.tasks.append(asyncio.current_task())
        return self

    async def __aexit__(self, kind, error, traceback):
        self.tasks.append(asyncio.current_task())
        self.errors.append(kind)
        try:
            await self.group.__aexit__(None, None, None)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        if self.fails == "leaving":
            raise Timeout("leaving", 1.0)

    async def fail_inside(self):
        async def fail():
            raise Timeout("inside", 1.0)

        await asyncio.wait([self.group.create_task(fail())])


@pytest.fixture
def loop():
    thread = LoopThread()
    yield thread
    thread.close()


def test_one_task_enters_and_leaves(loop):
    """A block is left by the task that entered it, as task groups want; leaving twice is fine."""
    traced = Traced()
    block = Block(loop, traced)

    assert block.enter() is traced
    block.leave()
    block.leave()

    assert traced.tasks[0] is traced.tasks[1]
    assert traced.errors == [None]


def test_what_entering_and_leaving_raise_is_raised(loop):
    """The errors of a block reach whoever enters or leaves it."""
    with pytest.raises(Timeout, match="entering"):
        Block(loop, Traced(fails="entering")).enter()
    block = Block(loop, Traced(fails="leaving"))
    block.enter()
    with pytest.raises(Timeout, match="leaving"):
        block.leave()


def test_a_block_that_is_left_by_an_error_knows_it(loop):
    """It ends as one does whose body has raised, and its own error does not take the place of that."""
    traced = Traced(fails="leaving")
    block = Block(loop, traced)
    block.enter()

    block.leave(ValueError("of the body"))

    assert traced.errors != [None]


def test_what_ended_a_block_early_is_raised_when_it_is_left(loop):
    """A block whose own task has failed says so at its end."""
    traced = Traced()
    block = Block(loop, traced)
    block.enter()
    loop.run(traced.fail_inside())

    with pytest.raises(Timeout, match="inside"):
        block.leave()


def test_an_entering_that_is_given_up_leaves_nothing(loop):
    """When who waits for it is cancelled, the block is not entered any more."""
    block = Block(loop, Traced(fails="never"))

    async def give_up():
        entering = asyncio.get_running_loop().create_task(block._enter())
        await asyncio.wait([entering], timeout=0)
        entering.cancel()
        await asyncio.wait([entering])
        return entering.cancelled(), block._task.done()

    assert loop.run(give_up()) == (True, True)

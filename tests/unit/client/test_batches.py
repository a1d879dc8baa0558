import asyncio

import pytest

from caxton.client.routes.batches import Batch, settled
from caxton.errors import AgentNotFound, NetworkError, Timeout


class Loop:
    """A loop whose time the test moves."""

    def __init__(self):
        self.now = 0.0
        self.timers = []
        self._real = asyncio.get_running_loop()
        self.create_future = self._real.create_future

    def time(self):
        return self.now

    def call_later(self, delay, callback):
        timer = Timer(self.now + delay, callback)
        self.timers.append(timer)
        return timer

    def pass_time(self, seconds):
        end = self.now + seconds
        while due := [t for t in self.timers if t.at <= end and not t.cancelled]:
            first = min(due, key=lambda t: t.at)
            self.timers.remove(first)
            self.now = first.at
            first.callback()
        self.now = end


class Timer:
    def __init__(self, at, callback):
        self.at, self.callback, self.cancelled = at, callback, False

    def cancel(self):
        self.cancelled = True


@pytest.fixture
async def loop():
    return Loop()


async def test_results_come_in_order_and_the_first_counts(loop):
    """Results stand in the order of the messages, and a second one of a message is ignored."""
    batch = Batch(3, "send", 5.0, loop)
    for place in (2, 0, 1):
        batch.end(place, place)
        batch.end(place, "again")

    assert await settled(batch) == [0, 1, 2]
    assert all(timer.cancelled for timer in loop.timers)


async def test_an_empty_batch_is_done(loop):
    """A batch of nothing has ended before it began, and leaves no timer."""
    batch = Batch(0, "send", 5.0, loop)

    assert await settled(batch) == []
    assert all(timer.cancelled for timer in loop.timers)


async def test_without_progress_the_rest_times_out(loop):
    """When nothing ends for the timeout, what is left is Timeout, which says what and how long."""
    batch = Batch(2, "request", 5.0, loop)
    loop.pass_time(4.9)
    assert batch.results == [None, None]
    loop.pass_time(0.2)

    results = await settled(batch)
    assert [type(result) for result in results] == [Timeout, Timeout]
    assert "request: no answer within 5 s" in str(results[0])


async def test_a_timeout_says_what_is_known(loop):
    """What was heard of the shard meanwhile stands in the error."""
    batch = Batch(1, "send", 5.0, loop)
    batch.knows = "its disk is full"
    loop.pass_time(5.1)
    (result,) = await settled(batch)
    assert "send (its disk is full): no answer within 5 s" in str(result)


async def test_the_deadline_moves_with_progress(loop):
    """As long as something ends in every timeout the rest goes on; without, it ends within twice the timeout."""
    batch = Batch(4, "request", 5.0, loop)
    for place in range(3):
        loop.pass_time(4.0)
        batch.end(place, place)
    assert batch.results[3] is None
    loop.pass_time(10.0)

    assert [type(result) for result in await settled(batch)] == [int, int, int, Timeout]


async def test_a_caller_that_is_cancelled_leaves_nothing_to_do(one_turn_of_the_loop):
    """When its caller is cancelled, every message of a batch has ended, so that none leaves any more."""
    batch = Batch(2, "send", 60.0, asyncio.get_running_loop())
    batch.end(0, AgentNotFound("x"))
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(settled(batch))
        await one_turn_of_the_loop()
        waiting.cancel()

    assert [type(result) for result in batch.results] == [AgentNotFound, NetworkError]
    assert batch.left == 0

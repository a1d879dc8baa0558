"""Workers are asked how their shards stand now: an answer of before is none, and nobody is waited for without end."""

import asyncio

import pytest

from caxton.supervisor.workforce.roll_call import RollCall
from caxton.wire.control import Heartbeat


def beat(shard, asked):
    return Heartbeat(1, b"", shard, ready=True, phase=0, idle=True, counters={}, asked=asked)


@pytest.fixture
def asked():
    """The numbers of calls, as workers are told them."""
    return asyncio.Queue()


async def test_each_worker_that_serves_is_waited_for(asked):
    """Until it has said the number of the call; a heartbeat of before does not count."""
    roll = RollCall(3, lambda: [0, 1, 2], asked.put_nowait)
    async with asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(roll.call(60))
        number = await asked.get()
        for shard in (0, 1):
            roll.heard(beat(shard, number))
        roll.heard(beat(2, number - 1))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await asyncio.shield(calling)
        roll.heard(beat(2, number))
    assert calling.result() == []


async def test_who_does_not_serve_or_answer_is_named(asked):
    """One that has no worker is not waited for, and nobody beyond the time that there is."""
    assert await RollCall(2, list, asked.put_nowait).call(60) == [0, 1]
    assert asked.empty()
    roll = RollCall(3, lambda: [0, 2], asked.put_nowait)
    async with asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(roll.call(0.05))
        roll.heard(beat(0, await asked.get()))
    assert calling.result() == [1, 2]


async def test_an_answer_to_a_later_call_answers_those_before(asked):
    """A later heartbeat says more than was asked; one to an earlier call says less."""
    roll = RollCall(1, lambda: [0], asked.put_nowait)
    async with asyncio.TaskGroup() as tasks:
        first, second = (tasks.create_task(roll.call(60)) for _ in range(2))
        one, two = await asked.get(), await asked.get()
        assert one < two
        roll.heard(beat(0, two))
    assert [first.result(), second.result()] == [[], []]
    async with asyncio.TaskGroup() as tasks:
        third = tasks.create_task(roll.call(0.05))
        await asked.get()
        roll.heard(beat(0, two))
    assert third.result() == [0]

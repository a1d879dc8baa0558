import asyncio
from contextvars import ContextVar

import pytest

from caxton.client.attached import runners
from caxton.errors import ValidationError
from caxton.wire.calls import Deliveries

VARIABLE = ContextVar("variable", default=0)


async def test_calls_that_wait_for_nothing_share_a_task(shard, agent_of, delivery, monkeypatch):
    """Quick calls of many keys run one after the other in one task, and their ends go back together."""
    monkeypatch.setattr(runners, "LONGEST_ROW_S", 60.0)  # on a busy core quick calls take long
    tasks = []

    async def handler(_):
        tasks.append(asyncio.current_task())

    async with agent_of(handler, order="none"):
        shard.put(Deliveries([delivery(n) for n in range(1, 201)]))
        await shard.ended(200)
    assert len({*tasks}) == 1
    assert max(len(exchange.ended) for exchange in shard.exchanges()) == 200


async def test_a_call_that_waits_holds_nobody_up(shard, agent_of, delivery):
    """Beside calls that wait others run, as many as may, in tasks of their own."""
    tasks, gate = [], asyncio.Event()

    async def handler(_):
        tasks.append(asyncio.current_task())
        if len(tasks) == 10:
            gate.set()
        await gate.wait()

    async with agent_of(handler, concurrency=10):
        shard.put(Deliveries([delivery(n, sender=n) for n in range(1, 21)]))
        await shard.ended(20)
    assert len({*tasks[:10]}) == 10


async def test_a_call_finds_no_context_of_the_one_before(shard, agent_of, delivery):
    """What a handler puts into a context variable is seen by no other call, of its sender or of others."""
    found = []

    async def handler(_):
        found.append(VARIABLE.get())
        VARIABLE.set(len(found))

    VARIABLE.set(-1)
    async with agent_of(handler):
        shard.put(Deliveries([delivery(n, sender=n // 2) for n in range(2, 12)]))
        await shard.ended(10)
    assert found == [-1] * 10


async def test_what_is_no_handler_begins_nothing_more(shard, agent_of, delivery):
    """When a call shows that the handler cannot be one the block ends, and so do the calls that wait; none follows."""
    begun = []

    def handler(message):
        begun.append(message.message.content)
        return asyncio.get_running_loop().create_future() if message.message.content == b"slow" else None

    async def until_it_ends():
        async with agent_of(handler, concurrency=2, order="none") as agent:
            shard.put(Deliveries([delivery(1, b"slow")]))
            await shard.exchanged(2)
            shard.put(Deliveries([delivery(n, b"wrong") for n in range(2, 9)]))
            await agent.wait()

    with pytest.raises(ValidationError, match="handler"):
        await until_it_ends()
    assert begun == [b"slow", b"wrong"]


async def test_calls_that_compute_for_long_leave_the_loop_its_turns(shard, agent_of, delivery, monkeypatch):
    """When its time is up a task ends, and the loop does other things before the next one."""
    monkeypatch.setattr(runners, "LONGEST_ROW_S", 0.0)
    loop, seen, turns = asyncio.get_running_loop(), [], []

    async def handler(_):
        seen.append(len(turns))
        loop.call_soon(turns.append, None)

    async with agent_of(handler, order="none"):
        shard.put(Deliveries([delivery(n) for n in range(1, 6)]))
        await shard.ended(5)
    assert seen == [0, 1, 2, 3, 4]

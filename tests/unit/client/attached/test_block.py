"""The block of an attached agent: who enters it, and how it ends."""

import asyncio

import pytest

from caxton.errors import (
    AlreadyAttached,
    ConfigurationError,
    QueueFull,
    SecurityError,
    Timeout,
    ValidationError,
)
from caxton.wire.calls import Attach, Deliveries, Detach, Exchange


async def handle(_):
    """Say nothing."""


async def test_an_attached_agent_has_one_block(agent_of):
    """Entering it again, inside its block or after it, says what to do."""
    async with agent_of(handle) as agent:
        with pytest.raises(ConfigurationError, match="attach again"):
            await agent.__aenter__()
    with pytest.raises(ConfigurationError, match="attach again"):
        await agent.__aenter__()


async def test_a_client_attaches_an_agent_once_at_a_time(shard, agent_of):
    """A second block for the same agent is refused by name, for the two would take each other's messages for ever."""
    async with agent_of(handle):
        with pytest.raises(AlreadyAttached, match="already"):
            async with agent_of(handle):
                pass
    shard.refuses_attach = QueueFull("x", 1, 1)
    with pytest.raises(QueueFull):
        await agent_of(handle).__aenter__()
    shard.refuses_attach = None
    async with agent_of(handle) as agent:
        assert agent.counts["attached"] == 1


@pytest.mark.parametrize("early", [0, 2])
@pytest.mark.parametrize("ends", ["cancelled", "late"])
async def test_an_attach_that_nobody_waits_for_is_taken_back(shard, agent_of, ends, early):
    """Cancelled, or out of time, it detaches, again when it was before the agent is attached; and may be repeated."""
    shard.refuses_attach = asyncio.CancelledError() if ends == "cancelled" else Timeout("Attach on shard 0", 10)
    shard.too_early = early
    with pytest.raises(type(shard.refuses_attach)):
        await agent_of(handle).__aenter__()
    assert shard.kinds() == [Attach, *[Detach] * (early + 1)]
    assert shard.attached == set()


async def test_who_is_refused_at_first_does_not_enter(shard, agent_of):
    """Entering raises why the runtime does not let it attach, and nothing is left behind."""
    shard.refuses_attach = SecurityError("another session runs it")
    agent = agent_of(handle)
    with pytest.raises(SecurityError, match="another session"):
        await agent.__aenter__()
    assert shard.kinds() == [Attach]
    assert agent.is_detached


@pytest.mark.parametrize("batch", [True, False])
async def test_a_handler_that_is_not_async_ends_the_block(shard, agent_of, delivery, batch):
    """The error says how to write it; nothing of what it was given has ended, also while another call runs."""
    began = asyncio.Event()

    def now_and_then(given):
        if batch or given.message.content == b"at once":
            return b"at once"

        async def wait():
            began.set()
            await asyncio.get_running_loop().create_future()

        return wait()

    async def block():
        async with asyncio.timeout(30), agent_of(now_and_then, batch=batch):
            if not batch:
                shard.put(Deliveries([delivery(1, b"slow", sender=8)]))
                await began.wait()
            shard.put(Deliveries([delivery(2, b"at once")]))
            await asyncio.get_running_loop().create_future()

    with pytest.raises(ValidationError, match="async def"):
        await block()
    assert shard.ends() == []


@pytest.mark.parametrize("concurrency", [1, 64])
async def test_the_calls_that_run_are_given_back_at_the_end(shard, agent_of, delivery, concurrency):
    """When the block ends, the calls that run are awaited and their ends given back; the rest goes back, not begun."""
    began, go_on = asyncio.Event(), asyncio.Event()

    async def handler(_):
        began.set()
        await go_on.wait()

    async with agent_of(handler, concurrency=concurrency):
        shard.put(Deliveries([delivery(1), delivery(2), delivery(3)]))
        await began.wait()
        asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_soon, go_on.set)
    assert shard.kinds()[-2:] == [Exchange, Detach]
    assert [end.delivery for end in shard.ends()] == [1]
    assert [number for exchange in shard.exchanges() for number in exchange.returned] == [2, 3]
    last = shard.exchanges()[-1]
    assert (last.most, last.kept, last.wait_ms) == (0, [], 0)


async def test_an_error_in_the_block_cancels_the_handler(shard, agent_of, delivery):
    """The block's error is raised as it is, and the agent detached."""
    began = asyncio.Event()

    async def handler(_):
        began.set()
        await asyncio.get_running_loop().create_future()

    async def block():
        async with agent_of(handler):
            shard.put(Deliveries([delivery(1)]))
            await began.wait()
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await block()
    assert shard.ends() == []
    assert shard.kinds()[-1] is Detach


@pytest.mark.parametrize("batch", [False, True])
async def test_a_call_that_outlasts_the_drain_is_cut_short(shard, agent_of, delivery, batch):
    """When the drain is over the handler is cancelled: its turn has not ended, and what ended before is given back."""
    began = asyncio.Event()

    async def handler(message):
        if batch or message.message.content == b"slow":
            began.set()
            await asyncio.get_running_loop().create_future()

    async with asyncio.timeout(30):
        async with agent_of(handler, batch=batch, drain_s=0.01):
            shard.put(Deliveries([delivery(1), delivery(2, b"slow"), delivery(3)]))
            await began.wait()
    assert [end.delivery for end in shard.ends()] == ([] if batch else [1])
    assert shard.kinds()[-1] is Detach


async def test_a_handler_that_is_cut_short_may_end_its_turn_all_the_same(shard, agent_of, delivery):
    """A handler that catches its cancellation and returns has ended its turn, which is given back."""
    began = asyncio.Event()

    async def handler(_):
        began.set()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            return

    async with asyncio.timeout(30):
        async with agent_of(handler, drain_s=0):
            shard.put(Deliveries([delivery(1), delivery(2)]))
            await began.wait()
    assert [end.delivery for end in shard.ends()] == [1]


async def test_whoever_cancels_the_serving_ends_it(shard, agent_of, delivery):
    """A cancellation of all tasks ends the handler as it ends everything: that is no failure of its turn."""
    began = asyncio.Event()

    async def handler(_):
        began.set()
        await asyncio.get_running_loop().create_future()

    async with agent_of(handler) as agent:
        shard.put(Deliveries([delivery(1)]))
        await began.wait()
        agent._task.cancel()
        await agent.wait()
    assert shard.ends() == []
    assert shard.kinds()[-1] is Detach


async def test_an_open_question_is_dropped_at_the_end(shard, agent_of):
    """A block that ends while nothing comes ends at once."""
    async with asyncio.timeout(30):
        async with agent_of(handle):
            await shard.exchanged(1)
    assert shard.kinds() == [Attach, Exchange, Detach]

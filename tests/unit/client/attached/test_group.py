"""A program of a group that loses its shard: others may have its messages by then."""

import asyncio

import pytest

from caxton.errors import LeaseEnded, NetworkError, to_fields
from caxton.wire.calls import Deliveries, Failed

LATE = LeaseEnded("recorder", 30)


@pytest.mark.parametrize(
    "loss",
    [NetworkError("the worker", "it ended"), Deliveries([], [Failed("LeaseEnded", to_fields(LATE))])],
    ids=["its worker ended", "its lease ended"],
)
async def test_what_runs_is_broken_off_when_others_may_have_it(shard, agent_of, delivery, loss):
    """The call is cancelled before the program attaches again, and what comes then is handled, also the same."""
    begun, running, cancelled = [], asyncio.Event(), asyncio.Event()

    async def handler(delivered):
        begun.append(delivered.message.content)
        if len(begun) == 1:
            running.set()
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                cancelled.set()

    async with agent_of(handler, group="conversation") as agent:
        shard.put(Deliveries([delivery(1, b"a")]))
        await running.wait()
        shard.put(loss)
        await cancelled.wait()
        shard.put(Deliveries([delivery(2, b"a", attempts=2, message_id=1)]))
        (end,) = await shard.ended(1)
        assert (end.delivery, end.error, agent.counts["attached"]) == (2, None, 2)
    assert begun == [b"a", b"a"]

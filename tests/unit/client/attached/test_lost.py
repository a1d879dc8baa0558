"""An attached agent whose worker, runtime or registration is gone: what is handled once, and how the block ends."""

import asyncio

import pytest

from caxton.client.attached.agent import MOST_REFUSED
from caxton.errors import (
    AgentNotFound,
    AgentNotRunning,
    AgentTakenOver,
    LeaseEnded,
    NetworkError,
    SecurityError,
    ShardUnavailable,
    to_fields,
)
from caxton.wire.calls import Attach, Deliveries, Failed


async def handle(_):
    """Say nothing."""


async def for_ever():
    await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("passing", [NetworkError("worker", "it ended"), ShardUnavailable(0, "restarting")])
async def test_what_ended_is_not_handled_again(shard, agent_of, delivery, passing):
    """It attaches again when its worker ends; what ended and comes again is given back, under its new number."""
    again = Deliveries([delivery(7, attempts=2, message_id=1)])
    async with agent_of(handle) as agent:
        shard.put(Deliveries([delivery(1)]), passing, passing, again)
        ends = await shard.ended(2)
    assert [end.delivery for end in ends] == [1, 7]
    assert agent.counts == {"attached": 3, "handled": 1, "failed": 0, "unconfirmed": 1}
    first_of_each = [shard.heard[i + 1] for i, heard in enumerate(shard.heard) if isinstance(heard, Attach)]
    assert [(getattr(asked, "seen", None), getattr(asked, "kept", [])) for asked in first_of_each] == [(None, [])] * 3


async def test_what_runs_is_not_begun_again(shard, agent_of, delivery):
    """A message that comes again while its handler runs is not handled twice: it ends when that call does."""
    begun, go_on = [], asyncio.Event()

    async def handler(message):
        begun.append(message.message.content)
        await go_on.wait()
        return b"answer"

    async with agent_of(handler):
        shard.put(Deliveries([delivery(1, b"1", reply_with=bytes(16)), delivery(2, b"2")]))
        await shard.exchanged(2)
        again = [delivery(1, b"1", message_id=1, attempts=2), delivery(2, b"2", message_id=2, attempts=2)]
        shard.put(NetworkError("worker", "it ended"), Deliveries(again))
        await shard.exchanged(4)
        go_on.set()
        ends = await shard.ended(2)
    assert begun == [b"1", b"2"]
    assert [(end.delivery, len(end.messages)) for end in ends] == [(1, 1), (2, 0)]


async def test_what_ended_and_does_not_come_again_is_forgotten(shard, agent_of, delivery):
    """A message that the next worker does not have was committed; one that is sent again later is handled."""
    begun = []

    async def handler(message):
        begun.append(message.delivery_count)

    async with agent_of(handler):
        shard.put(Deliveries([delivery(1)]), NetworkError("worker", "it ended"), Deliveries([]))
        await shard.exchanged(4)
        shard.put(Deliveries([delivery(9, message_id=1, attempts=3)]))
        await shard.ended(2)
    assert begun == [1, 3]


async def test_what_is_given_again_while_it_runs_is_one(shard, agent_of, delivery):
    """A message that comes again under another number, since its shard heard nothing for long, is not handled twice."""
    begun, go_on = [], asyncio.Event()

    async def handler(message):
        begun.append(message.message.content)
        await go_on.wait()

    async with agent_of(handler):
        shard.put(Deliveries([delivery(1, b"1"), delivery(2, b"2")]))
        await shard.exchanged(2)
        again = [delivery(3, b"1", message_id=1, attempts=2), delivery(4, b"2", message_id=2, attempts=2)]
        shard.put(Deliveries(again))
        assert (await shard.exchanged(3))[2].kept == [3, 4]
        go_on.set()
        ends = await shard.ended(2)
    assert begun == [b"1", b"2"]
    assert [end.delivery for end in ends] == [3, 4]


async def test_what_ends_too_late_is_counted(shard, agent_of, delivery):
    """That an end was refused, because its program was silent for too long, is kept to be looked at, and counted."""
    late = LeaseEnded("recorder", 30)
    async with agent_of(handle) as agent:
        shard.put(Deliveries([delivery(1)]), Deliveries([], [Failed("LeaseEnded", to_fields(late))]))
        await shard.exchanged(3)
    assert ([str(error) for error in agent.not_sent], agent.counts["late"]) == ([str(late)], 1)


async def test_a_refusal_to_attach_again_ends_the_block(shard, agent_of):
    """The block is cancelled, and its error is the reason itself."""
    agent = agent_of(handle)

    async def block():
        async with agent:
            shard.refuses_attach = AgentNotRunning("recorder", "stopped")
            shard.put(NetworkError("worker", "it ended"))
            await for_ever()

    with pytest.raises(AgentNotRunning, match="stopped"):
        await block()
    assert agent.is_detached
    await agent.wait()


async def test_an_agent_that_was_removed_stays_removed(shard, agent_of):
    """Its block ends with AgentNotFound under its name, and says what to do; it is not registered again."""

    async def block():
        async with agent_of(handle):
            shard.refuses_attach = AgentNotFound("0000000000000005")
            shard.put(AgentNotFound("0000000000000005"))
            await for_ever()

    with pytest.raises(AgentNotFound, match="no agent recorder; it was removed while"):
        await block()
    assert [request.again for request in shard.heard if isinstance(request, Attach)] == [False, True]


async def test_the_end_of_the_runtime_ends_the_block(shard, agent_of):
    """When nothing can come any more, nobody waits for ever."""

    async def block():
        async with agent_of(handle):
            shard.over = NetworkError("the runtime", "it ended; start it and connect again")
            shard.put(shard.over)
            await for_ever()

    with pytest.raises(NetworkError, match="it ended; start it"):
        await block()


async def test_a_shard_that_refuses_every_exchange_ends_the_block(shard, agent_of):
    """After five refusals in a row, between which it could attach, the reason is raised."""
    shard.put(*[SecurityError("not yours")] * MOST_REFUSED)
    with pytest.raises(SecurityError, match="not yours"):
        async with agent_of(handle):
            await for_ever()
    assert len(shard.exchanges()) == MOST_REFUSED


async def test_who_is_taken_over_is_told_at_once(shard, agent_of):
    """It does not try to attach again, which would only be refused."""
    shard.put(AgentTakenOver("recorder"))
    with pytest.raises(AgentTakenOver, match="by another program"):
        async with agent_of(handle):
            await for_ever()
    assert len([request for request in shard.heard if isinstance(request, Attach)]) == 1

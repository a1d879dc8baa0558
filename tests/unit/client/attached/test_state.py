"""An attached agent that keeps a state: what its handler is given, what goes back, and what a loss does to it."""

import asyncio

import pytest

from caxton.agents.limits import MAX_STATE
from caxton.client.attached.turns import Saved
from caxton.errors import LeaseEnded, NetworkError, ResourceExhausted, to_fields
from caxton.wire.calls import Deliveries, Failed


async def append(delivered):
    """Keep the contents of all messages."""
    return Saved(delivered.state + delivered.message.content)


async def test_each_turn_has_the_state_of_the_one_before(shard, agent_of, delivery):
    """The state is asked for once and goes from call to call; of ends that go back together the last has it."""
    async with agent_of(append, state=True):
        shard.put(Deliveries([delivery(1, b"a"), delivery(2, b"b")], state=b"old "))
        await shard.ended(2)
        shard.put(Deliveries([delivery(3, b"c")]))
        ends = await shard.ended(3)
    assert [end.state for end in ends] == [None, b"old ab", b"old abc"]
    exchanges = shard.exchanges()
    assert [exchange.wants_state for exchange in exchanges] == [True] + [False] * (len(exchanges) - 1)
    assert {(exchange.concurrency, exchange.order) for exchange in exchanges} == {(1, "all")}


async def test_a_turn_that_fails_changes_nothing(shard, agent_of, delivery):
    """The next call is given the state as it was before the failure; one that says nothing of it leaves it."""

    async def handler(delivered):
        if delivered.message.content == b"fail":
            raise ValueError("no")
        return None if delivered.message.content == b"quiet" else await append(delivered)

    async with agent_of(handler, state=True):
        shard.put(Deliveries([delivery(1, b"a"), delivery(2, b"quiet", sender=8)], state=b""))
        await shard.ended(2)
        shard.put(Deliveries([delivery(3, b"fail", sender=7)]))
        await shard.ended(3)
        shard.put(Deliveries([delivery(4, b"b", sender=6)]))
        ends = await shard.ended(4)
    assert [end.state for end in ends] == [b"a", None, None, b"ab"]
    assert ends[2].error == "ValueError: no"


async def test_a_loss_begins_anew_from_what_was_committed(shard, agent_of, delivery):
    """What was not confirmed is handled again, from the state that the worker has; what runs is cancelled first."""
    running, again, cancelled, begun = asyncio.Event(), asyncio.Event(), [], []

    async def handler(delivered):
        begun.append((delivered.state, delivered.message.content))
        if delivered.message.content == b"b" and not cancelled:
            running.set()
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                cancelled.append(delivered.message.content)
                raise
        if len(begun) == 4:
            again.set()
        return await append(delivered)

    async with agent_of(handler, state=True):
        shard.put(Deliveries([delivery(1, b"a"), delivery(2, b"b")], state=b"0"))
        await running.wait()
        shard.put(NetworkError("worker", "it ended"))
        others = [delivery(3, b"a", message_id=1, attempts=2), delivery(4, b"b", message_id=2, attempts=2)]
        shard.put(Deliveries(others, state=b"0"))
        await again.wait()
        ends = await shard.ended(3)
    assert cancelled == [b"b"]
    assert begun == [(b"0", b"a"), (b"0a", b"b"), (b"0", b"a"), (b"0a", b"b")]
    assert ends[-1].state == b"0ab"
    assert [end.delivery for end in ends[-2:]] == [3, 4]


@pytest.mark.parametrize(
    ("error", "counted"), [(LeaseEnded("recorder", 30), "late"), (ResourceExhausted("bytes of states", 9), "not_sent")]
)
async def test_an_end_that_did_not_count_begins_anew(shard, agent_of, delivery, error, counted):
    """When the shard took a message back, or not its state, the program asks again, and nothing counts twice."""
    async with agent_of(append, state=True) as agent:
        shard.put(Deliveries([delivery(1, b"a")], state=b""))
        await shard.ended(1)
        shard.put(Deliveries([], [Failed(type(error).__name__, to_fields(error))]))
        shard.put(Deliveries([delivery(2, b"a", message_id=1, attempts=2)], state=b""))
        ends = await shard.ended(2)
    assert [end.state for end in ends] == [b"a", b"a"]
    assert agent.counts[counted] == 1


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (Saved(bytes(MAX_STATE)), None),
        (Saved(bytes(MAX_STATE + 1)), "65,537 bytes, and the limit is 65,536"),
        (Saved("text"), "str where bytes are wanted"),
        (Saved(b"", 5), "int; give None, bytes, or messages"),
    ],
)
async def test_what_can_be_kept(shard, agent_of, delivery, said, says):
    """A state of 64 KiB is kept, and a byte more, or what are no bytes, is the error of the turn."""

    async def handler(_):
        return said

    async with agent_of(handler, state=True):
        shard.put(Deliveries([delivery(1)], state=b""))
        (end,) = await shard.ended(1)
    assert (end.error is None) is (says is None)
    assert says is None or says in end.error
    assert (end.state is None) is (says is not None)


async def test_a_state_where_none_is_kept(shard, agent_of, delivery):
    """A handler that saves a state without having said so fails, by name."""
    async with agent_of(append):
        shard.put(Deliveries([delivery(1)]))
        (end,) = await shard.ended(1)
    assert "attached without state=True" in end.error

"""Clients flood an agent of one shard with roots while agents of other shards send it effects: each has its credit."""

import asyncio

import msgspec
import pytest

from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions
from caxton.agents.limits import DEFAULT_CAPACITY, Limits
from caxton.testing import eventually

WORKERS = 4
DEADLINE_S = 60.0
# Roots of each of two clients, and effects of each sender.
ROOTS, TURNS, OF_TURN = 5_000, 8, 200
UNHURRIED = Limits(max_execution_ms=10_000)
CAPACITY = DEFAULT_CAPACITY


def fan(receiver):
    """A guest that answers each message but a failure with many to somebody else."""
    output = msgspec.msgpack.encode({"messages": [{"receiver": int(receiver), "content": b"?"}] * OF_TURN})
    data = "".join(f"\\{byte:02x}" for byte in output)
    return f"""(module
        (memory (export "memory") 4)
        (data (i32.const 131072) "{data}")
        (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
        (func (export "handle_message") (param $at i32) (param i32) (result i64)
            (if (i32.eq (i32.load8_u offset=15 (local.get $at)) (i32.const 102)) (then (return (i64.const 0))))
            (i64.const {131072 << 32 | len(output)})))"""


@pytest.fixture
def name_on(client):
    """A function that returns a name on a shard that begins with a word."""

    def name(word, shard):
        names = (f"{word} {n}" for n in range(1_000))
        return next(n for n in names if client._open().table.shard_of(client.id_of(n)) == shard)

    return name


@pytest.mark.parametrize("reliability", ["at_most_once", "at_least_once"])
async def test_roots_are_held_and_effects_are_not(served, client, agent, name_on, shard_counter, reliability):
    """Of a flood of roots no more enter than the mailbox holds, all effects do meanwhile, and then all have turns."""
    options = DeliveryOptions(reliability=reliability, timeout_ms=300_000)
    receiver = await agent("state_counts", name_on("receiver", 0), encoding="msgpack", limits=UNHURRIED)
    neighbour = await agent("echo", name_on("neighbour", 0))
    senders = [
        await agent(fan(receiver), name_on("sender", shard), encoding="msgpack", limits=UNHURRIED)
        for shard in range(1, WORKERS)
    ]
    await client.pause(receiver)
    before = await shard_counter("taken_from_workers")
    effects = len(senders) * TURNS * OF_TURN
    async with served.connect() as other, asyncio.TaskGroup() as group:
        floods = [
            group.create_task(
                flooding.send_batch([Message(receiver, b"!", delivery_options=options)] * ROOTS, timeout_s=DEADLINE_S)
            )
            for flooding in (client, other)
        ]
        # These are let in at once, though clients wait for the receiver: they are for others.
        asked = [Message(sender, b"!", delivery_options=options) for sender in senders] * TURNS
        async with asyncio.timeout(DEADLINE_S):
            results = await client.send_batch(asked, timeout_s=DEADLINE_S)
        assert not [result for result in results if isinstance(result, Exception)]

        async def all_effects_are_there():
            return await shard_counter("taken_from_workers") == before + effects

        assert await eventually(all_effects_are_there, DEADLINE_S)
        assert (await client.inspect(receiver)).queued <= CAPACITY + effects
        assert not any(flood.done() for flood in floods)
        assert (await client.request(neighbour, b"?", timeout_s=DEADLINE_S)).content == b"?"
        for shard in range(WORKERS):
            assert await shard_counter("backlog", shard) == 0, "effects wait for no credit that roots use up"
        await client.resume(receiver)

    entered = [result for flood in floods for result in flood.result()]
    assert not [result for result in entered if isinstance(result, Exception)]

    async def all_have_run():
        return (await client.inspect(receiver)).counters["run"] == 2 * ROOTS + effects

    assert await eventually(all_have_run, DEADLINE_S)
    assert [await shard_counter("refused", shard) for shard in range(WORKERS)] == [0] * WORKERS

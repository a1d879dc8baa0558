"""Agents that send without end, or in circles: it ends by name within the bounds, and neighbours are answered."""

import asyncio

import msgspec
import pytest

from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions
from caxton.agents.limits import Limits
from caxton.testing import eventually

WORKERS = 2
OPTIONS = ("--restart-limit", "1000")
DEADLINE_S = 60.0
MANY, WORK, HOPS = 256, 5_000, 300
TINY = Limits(mailbox_capacity=1, max_execution_ms=10_000)


def sends(receiver, count):
    """A guest that answers each message, also a failure, with so many to one receiver."""
    output = msgspec.msgpack.encode({"messages": [{"receiver": int(receiver), "content": b"?"}] * count})
    data = "".join(f"\\{byte:02x}" for byte in output)
    return f"""(module
        (memory (export "memory") 4)
        (data (i32.const 131072) "{data}")
        (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
        (func (export "handle_message") (param i32 i32) (result i64) (i64.const {131072 << 32 | len(output)})))"""


@pytest.fixture
def name_on(client):
    """A function that returns a name of an agent on a shard, another one each time."""
    made = set()

    def name(shard):
        names = (f"agent {n}" for n in range(1_000))
        found = next(n for n in names if n not in made and client._open().table.shard_of(client.id_of(n)) == shard)
        made.add(found)
        return found

    return name


@pytest.fixture
async def neighbours(agent, name_on):
    """An agent on each shard that has nothing to do with what goes on."""
    return [await agent("echo", name_on(shard)) for shard in range(WORKERS)]


async def all_ends(client, *agents, meanwhile=()):
    """Wait until nothing of what these agents began is left anywhere, while others are asked."""

    async def is_over():
        await client.request_many([Message(other, b"") for other in meanwhile], timeout_s=DEADLINE_S)
        workers = (await client.stats()).workers
        return not any(worker[name] for worker in workers for name in ("effects", "backlog", "queued", "pending"))

    await client.remove_many(agents)
    assert await eventually(is_over, DEADLINE_S)
    assert (await client.ledger()).balanced


@pytest.mark.parametrize("reliability", ["at_most_once", "at_least_once"])
@pytest.mark.parametrize("to", ["itself", "a paused agent", "another shard", "nobody"])
async def test_who_sends_256_for_each_one_harms_nobody(
    client, agent, name_on, neighbours, shard_counter, to, reliability
):
    """A guest that answers everything with 256 messages is refused by name, and its neighbours are answered."""
    name, agents = name_on(0), []
    if to == "itself":
        receiver = client.id_of(name)
    elif to == "nobody":
        receiver = client.id_of(name_on(0))
    else:
        agents = [await agent("state_counts", name_on(to == "another shard"), encoding="msgpack", limits=TINY)]
        (receiver,) = agents
        if to == "a paused agent":
            await client.pause(receiver)
    sender = await agent(sends(receiver, MANY), name, encoding="msgpack", limits=TINY)
    before = await shard_counter("over_work") + await shard_counter("refused")
    options = DeliveryOptions(reliability=reliability, max_work=WORK)
    results = await client.send_batch([Message(sender, b"!", delivery_options=options)] * 8, timeout_s=DEADLINE_S)
    assert not [result for result in results if isinstance(result, TimeoutError)]
    for _ in range(5):
        answers = await client.request_many([Message(other, b"?") for other in neighbours], timeout_s=DEADLINE_S)
        assert [answer.content for answer in answers] == [b"?"] * WORKERS

    if to in {"itself", "nobody"}:
        assert await shard_counter("over_work") + await shard_counter("refused") > before
    await all_ends(client, sender, *agents, meanwhile=neighbours)


async def test_a_long_chain_goes_on_beside_a_flood(client, agent, name_on, neighbours):
    """Two agents that send each other one message for each one go on to the last hop while clients flood others."""
    here, there = name_on(0), name_on(1)
    pair = [
        await agent(sends(client.id_of(there), 1), here, encoding="msgpack", limits=TINY),
        await agent(sends(client.id_of(here), 1), there, encoding="msgpack", limits=TINY),
    ]
    options = DeliveryOptions(reliability="at_most_once", max_hops=HOPS)

    async def over_hops():
        return sum(worker["over_hops"] for worker in (await client.stats()).workers)

    before = await over_hops()
    async with asyncio.TaskGroup() as group:
        flood = group.create_task(
            client.request_many([Message(other, b"x") for other in neighbours] * 10_000, timeout_s=DEADLINE_S)
        )
        await client.send_batch([Message(pair[0], b"!", delivery_options=options)])

        async def has_ended():
            return await over_hops() > before

        assert await eventually(has_ended, DEADLINE_S)
    assert {type(answer) for answer in flood.result()} == {Message}
    assert sum([(await client.inspect(one)).counters["run"] for one in pair]) >= HOPS
    await all_ends(client, *pair, meanwhile=neighbours)


async def test_a_chain_over_a_worker_that_is_killed_again_and_again_ends(
    client, served, agent, name_on, neighbours, shard_counter
):
    """A durable chain over two shards, one of whose workers is killed, goes on to its last hop and ends by name."""
    here, there = name_on(0), name_on(1)
    pair = [
        await agent(sends(client.id_of(there), 1), here, encoding="msgpack", limits=TINY),
        await agent(sends(client.id_of(here), 1), there, encoding="msgpack", limits=TINY),
    ]
    options = DeliveryOptions(reliability="at_least_once", max_hops=HOPS)

    async def ended_by_hops():
        return (await client.dead_letter_stats()).messages_by_reason.get("hop_limit", 0)

    before = await ended_by_hops()
    await client.send_batch([Message(pair[0], b"!", delivery_options=options)])
    for _ in range(3):
        await served.kill_worker(1)
        await eventually(lambda: served.worker_pid(1), DEADLINE_S)

    async def has_ended():
        return await ended_by_hops() > before

    assert await eventually(has_ended, DEADLINE_S)
    answers = await client.request_many([Message(other, b"?") for other in neighbours], timeout_s=DEADLINE_S)
    assert [answer.content for answer in answers] == [b"?"] * WORKERS
    await all_ends(client, *pair, meanwhile=neighbours)

"""A shard whose disk has as much of effects as it may: what is beyond is refused by name, and neighbours go on."""

import msgspec

from caxton.acl.message import Message
from caxton.agents.limits import Limits
from caxton.testing import eventually
from workers.queues.bounds import OF_MIB, OF_ONE_AT_REST

OPTIONS = ("--effects-on-disk-mib", "2")
DEADLINE_S = 60.0
OF_TURN, BEYOND = 256, 512
MOST = OF_ONE_AT_REST + OF_MIB
UNHURRIED = Limits(max_execution_ms=10_000)


def fan(receiver):
    """A guest that answers each message but a failure with 256 to somebody else."""
    output = msgspec.msgpack.encode({"messages": [{"receiver": int(receiver), "content": b"?"}] * OF_TURN})
    data = "".join(f"\\{byte:02x}" for byte in output)
    return f"""(module
        (memory (export "memory") 4)
        (data (i32.const 131072) "{data}")
        (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
        (func (export "handle_message") (param $at i32) (param i32) (result i64)
            (if (i32.eq (i32.load8_u offset=15 (local.get $at)) (i32.const 102)) (then (return (i64.const 0))))
            (i64.const {131072 << 32 | len(output)})))"""


async def test_a_disk_at_its_bound_refuses_by_name_and_holds_up_nobody(client, agent, shard_counter):
    """Beyond what may wait on disk for a paused agent all is a dead letter; others go on, health names the agent."""
    paused, second = [await agent("state_counts", f"paused {n}", encoding="msgpack") for n in range(2)]
    neighbour = await agent("echo", "neighbour")
    sender, other = [await agent(fan(to), f"fan {to}", encoding="msgpack") for to in (paused, second)]
    for one in (paused, second):
        await client.pause(one)
    await client.send_batch([Message(sender, b"!")] * ((MOST + BEYOND) // OF_TURN), timeout_s=DEADLINE_S)

    async def dead():
        return (await client.dead_letter_stats()).messages_by_reason.get("queue_full", 0)

    async def refused():
        return await dead() >= BEYOND and await shard_counter("pending") <= MOST

    assert await eventually(refused, DEADLINE_S)
    assert await dead() < BEYOND + OF_TURN, "what there was room for was kept"
    answer = await client.request(neighbour, b"?", timeout_s=DEADLINE_S)
    assert answer.content == b"?"
    await client.send_batch([Message(other, b"!")], timeout_s=DEADLINE_S)
    assert (await client.inspect(second)).queued == OF_TURN

    async def reasons():
        return {reason.name: reason.text for reason in (await client.health()).reasons}

    assert await eventually(lambda: _says(reasons, "agent_on_disk_full", "paused 0"), DEADLINE_S)
    kept = await shard_counter("pending")
    for one in (paused, second):
        await client.resume(one)

    async def all_ran():
        return not await shard_counter("pending")

    assert await eventually(all_ran, DEADLINE_S)
    ran = [(await client.inspect(one)).counters["run"] for one in (paused, second)]
    assert ran == [kept - OF_TURN, OF_TURN]
    assert await eventually(lambda: _is_silent(reasons, "agent_on_disk_full"), DEADLINE_S)
    assert (await client.ledger()).balanced


async def _says(reasons, name, what):
    return what in (await reasons()).get(name, "")


async def _is_silent(reasons, name):
    return name not in await reasons()

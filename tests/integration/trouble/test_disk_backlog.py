"""Durable effects for an agent that has no turns, more than memory keeps: after a kill, and when it is removed."""

import msgspec
import pytest

from caxton.acl.message import Message
from caxton.testing import eventually
from workers.queues.bounds import OF_ONE_AT_REST

DEADLINE_S = 60.0
OF_TURN = 256
TURNS = OF_ONE_AT_REST * 2 // OF_TURN


def fan(receiver):
    """A guest that answers each message with 256 to somebody else."""
    output = msgspec.msgpack.encode({"messages": [{"receiver": int(receiver), "content": b"?"}] * OF_TURN})
    data = "".join(f"\\{byte:02x}" for byte in output)
    return f"""(module
        (memory (export "memory") 4)
        (data (i32.const 131072) "{data}")
        (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
        (func (export "handle_message") (param i32 i32) (result i64) (i64.const {131072 << 32 | len(output)})))"""


@pytest.fixture
async def backlog(client, agent, shard_counter):
    """An agent that is paused, for which more waits than memory keeps."""
    receiver = await agent("state_counts", encoding="msgpack")
    await client.pause(receiver)
    sender = await agent(fan(receiver), "fan", encoding="msgpack")
    await client.send_batch([Message(sender, b"!")] * TURNS)

    async def all_wait():
        return await shard_counter("pending") == TURNS * OF_TURN and await shard_counter("on_disk")

    assert await eventually(all_wait, DEADLINE_S)
    await client.remove(sender)  # it would answer failures too
    return receiver


async def test_a_backlog_beyond_memory_is_handled_after_a_kill(client, served, backlog, shard_counter):
    """What waits on disk survives kill -9, and is handled when its agent goes on: all of it, once."""
    dead_before = (await client.dead_letter_stats()).total_messages  # of another test
    await served.kill_worker(0)
    await eventually(lambda: served.worker_pid(0), DEADLINE_S)
    await client.resume(backlog)

    async def all_is_done():
        return not await shard_counter("pending")

    await eventually(all_is_done, DEADLINE_S)
    assert (await client.inspect(backlog)).counters["run"] == TURNS * OF_TURN
    assert await shard_counter("on_disk") == 0
    assert (await client.dead_letter_stats()).total_messages == dead_before
    assert (await client.ledger()).balanced


async def test_a_backlog_beyond_memory_goes_with_its_agent(client, backlog, shard_counter):
    """When its agent is removed, all that waits for it is dead, page by page, and the books balance."""
    await client.remove(backlog)

    async def all_is_dead():
        return not await shard_counter("pending")

    await eventually(all_is_dead, DEADLINE_S)
    ledger = await client.ledger()
    assert (ledger.whole.dead, ledger.balanced) == (TURNS * OF_TURN, True)

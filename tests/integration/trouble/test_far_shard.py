"""A worker that is away for longer than it takes to fill what may wait for it, and agents that send to its shard."""

import asyncio
import os
import signal
from contextlib import suppress

import msgspec

from caxton.acl.message import Message
from caxton.acl.options import MAX_TIMEOUT_MS, DeliveryOptions
from caxton.agents.limits import Limits
from caxton.errors import NetworkError
from caxton.testing import eventually
from workers.commit.outboxes import MOST_UNREAD
from workers.queues.bounds import ROOTS_END_AT

WORKERS = 2
# One way or another all is done within that, on a machine that is busy with other things.
DEADLINE_S = 120.0
WORDS = 250
LINES = 2 * MOST_UNREAD // WORDS
PATIENT = DeliveryOptions(timeout_ms=MAX_TIMEOUT_MS)


def scatters(receiver):
    """Return the text of a guest that answers every message with as many for `receiver`."""
    output = msgspec.msgpack.encode({"messages": [{"receiver": receiver, "content": b"word"}] * WORDS})
    escaped = "".join(f"\\{byte:02x}" for byte in output)
    return f"""(module
      (memory (export "memory") 3)
      (data (i32.const 0) "{escaped}")
      (func (export "caxton_alloc") (param i32) (result i32) (i32.const 131072))
      (func (export "handle_message") (param i32 i32) (result i64) (i64.const {len(output)})))"""


def name_on(client, kind, shard):
    """Return a name that belongs to a shard."""
    table = client._open().table
    return next(n for n in (f"{kind} {k}" for k in range(1_000)) if table.shard_of(client.id_of(n)) == shard)


async def test_nothing_is_lost_however_long_a_worker_is_away(served, client, agent):
    """While no worker serves a shard, agents that send there begin no more than has room; then all of it is done."""
    counter_name = name_on(client, "counter", 1)
    counter = await agent("echo", counter_name, limits=Limits(mailbox_capacity=4_096))
    splitter = await agent(scatters(counter_name), name_on(client, "splitter", 0), encoding="msgpack")
    beside = await agent("echo", name_on(client, "beside", 0))
    health = await served.health()
    worker = await served.worker_pid(1)

    async def has_begun(lines):
        return (await client.inspect(splitter)).counters["run"] >= lines

    async def all_counted():
        with suppress(NetworkError):  # of the worker that was killed
            return (await client.inspect(counter)).counters["run"] == LINES * WORDS

    os.kill(health.pid, signal.SIGSTOP)
    async with asyncio.TaskGroup() as tasks:
        try:
            os.kill(worker, signal.SIGKILL)
            lines = [Message(splitter, b"line", delivery_options=PATIENT)] * LINES
            tasks.create_task(client.send_batch(lines, timeout_s=MAX_TIMEOUT_MS / 1000))
            await eventually(lambda: has_begun(int(MOST_UNREAD * ROOTS_END_AT) // WORDS), DEADLINE_S)
            for _ in range(200):  # who sends elsewhere goes on, for longer than it would take to fill the rest
                await client.request(beside, b"?")
            assert not await has_begun(MOST_UNREAD // WORDS)
        finally:
            os.kill(health.pid, signal.SIGCONT)
    await eventually(all_counted, DEADLINE_S)
    assert (await client.dead_letter_stats()).total_messages == 0
    assert (await client.ledger()).balanced

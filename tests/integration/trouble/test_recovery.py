"""Processes that are killed: what was kept comes back, what was under way ends, and nothing hangs or leaks."""

import asyncio
import signal
import subprocess
import sys
import time
from collections import deque

import psutil
import pytest

from caxton.acl.message import Message
from caxton.agents.limits import Limits
from caxton.client.routes.receipts import Receipt
from caxton.errors import CaxtonError, NetworkError
from caxton.supervisor.supervisor import SESSION_PERIOD_S
from caxton.testing import eventually
from caxton.transport.endpoints import RuntimeDir

WORKERS = 2
OPTIONS = ("--restart-limit", "1000")
# For what is waited for, however slow the machine; what is promised within 5 s is tested as that.
RECOVERY_S = 20.0
PATIENT = Limits(max_fuel=10**10, max_execution_ms=5_000)
SPIN = b"s" + (100_000_000).to_bytes(8, "little")
# A client that has requests under way all the time, until it is killed.
CLIENT = """
import asyncio, sys, caxton
from caxton.acl.message import Message

async def main():
    async with caxton.connect(sys.argv[1]) as client:
        batch = [Message(client.id_of(name), b"") for name in sys.argv[2:]] * 100
        while True:
            await client.request_many(batch)
            print("again", flush=True)

asyncio.run(main())
"""


def count(reply):
    return int.from_bytes(reply.content, "little")


async def first_answer(client, agent_id):
    """Ask until the agent answers, and return the answer; raises what no restart explains."""

    async def asked():
        try:
            return await client.request(agent_id, b"", timeout_s=RECOVERY_S)
        except NetworkError:
            return None

    return await eventually(asked, RECOVERY_S)


@pytest.fixture
async def on_shard(client, agent):
    """Deploys an agent whose name belongs to this shard."""

    async def deploy(guest, shard, **options):
        names = (f"{guest} {n}" for n in range(1_000))
        name = next(name for name in names if client._open().table.shard_of(client.id_of(name)) == shard)
        return await agent(guest, name, **options)

    return deploy


async def test_agents_of_a_killed_worker_answer_again(client, served, on_shard, promise):
    """After kill -9 of a worker its agents answer within 5 s, with fresh memories; others notice nothing."""
    lost, kept = await on_shard("mischief", 0), await on_shard("mischief", 1)
    for n in (1, 2):
        assert count(await client.request(lost, b"")) == count(await client.request(kept, b"")) == n

    with promise(5.0):
        await served.kill_worker(0)
        assert count(await client.request(kept, b"")) == 3
        assert count(await first_answer(client, lost)) == 1
    assert (await client.inspect(lost)).state == "running"


async def test_requests_under_way_at_a_kill_end(client, served, on_shard):
    """Requests to a worker that is killed end with NetworkError, all of them, and soon."""
    slow = await on_shard("mischief", 0, limits=PATIENT)
    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(client.request_many([Message(slow, SPIN)] * 100, timeout_s=60))

        async def has_begun():
            return (await client.inspect(slow)).counters["run"]

        await eventually(has_begun)
        await served.kill_worker(0)
        async with asyncio.timeout(RECOVERY_S):
            results = await asked

    answered = [result for result in results if isinstance(result, Message)]
    assert {type(result) for result in results[len(answered) :]} == {NetworkError}
    assert "unknown" in str(results[-1])
    assert count(await first_answer(client, slow)) == 1


async def test_calls_under_way_at_a_kill_end(client, served, on_shard):
    """Calls to a worker that is killed before it answers end with NetworkError, or are answered by its successor."""
    slow = await on_shard("mischief", 0, limits=PATIENT)
    await client.send_batch([Message(slow, SPIN)] * 3)
    async with asyncio.timeout(RECOVERY_S), asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(tasks_end(client.inspect(slow)))
        await served.kill_worker(0)
    await eventually(lambda: missing(client, 0))

    assert asked.result() is None or isinstance(asked.result(), NetworkError)


async def tasks_end(call):
    try:
        await call
    except CaxtonError as error:
        return error
    return None


async def test_a_message_to_a_restarting_worker_waits_and_arrives(client, served, on_shard):
    """What is sent between the death of a worker and its successor's start waits for it, and arrives once."""
    counter = await on_shard("mischief", 0)

    await served.kill_worker(0)
    await eventually(lambda: missing(client, 0))
    placed = await client.send_batch([Message(counter, b"")] * 500, timeout_s=RECOVERY_S)

    assert [type(result) for result in placed] == [Receipt] * 500
    assert count(await client.request(counter, b"")) == 501


async def missing(client, shard):
    """True when the client knows that the shard has no worker, or has another one already."""
    health = (await client.health()).workers[shard]
    incarnation = client._open()._routes[shard].incarnation
    return incarnation in {0, health.incarnation}


async def test_agents_talk_across_workers(client, on_shard, shard_counter):
    """A msgpack agent passes a request on to an agent of another worker, which answers the client itself."""
    forward, echo = await on_shard("forward", 0, encoding="msgpack"), await on_shard("mischief", 1)
    before = await shard_counter("taken_from_workers", 1)
    name = (await client.inspect(echo)).name.encode()

    replies = await client.request_many([Message(forward, bytes([len(name)]) + name + b"x")] * 1_000)

    assert [count(reply) for reply in replies] == list(range(1, 1_001))
    assert {reply.sender for reply in replies} == {echo}
    assert await shard_counter("taken_from_workers", 1) == before + 1_000


async def test_agents_talk_to_a_worker_that_restarts(client, served, on_shard):
    """What an agent sends to an agent whose worker is restarting waits for it, and arrives."""
    forward, far = await on_shard("forward", 0, encoding="msgpack"), await on_shard("mischief", 1)
    name = (await client.inspect(far)).name.encode()
    through = bytes([len(name)]) + name + b"x"
    assert count(await client.request(forward, through)) == 1

    await served.kill_worker(1)

    async def asked():
        try:
            return await client.request(forward, through, timeout_s=2)
        except CaxtonError:
            return None

    assert count(await eventually(asked, RECOVERY_S)) >= 1
    assert (await served.health()).workers[0].state == "ready"


async def test_an_agent_that_writes_to_nobody_goes_on(client, on_shard):
    """What an agent sends to nobody comes to nothing, and the agent answers the next request."""
    forward, far = await on_shard("forward", 0, encoding="msgpack"), await on_shard("mischief", 1)
    name = (await client.inspect(far)).name.encode()
    nobody = b"\x06nobody"

    with pytest.raises(CaxtonError):
        await client.request(forward, nobody + b"x", timeout_s=0.5)

    assert count(await client.request(forward, bytes([len(name)]) + name + b"x")) == 1


async def test_a_killed_client_leaves_nothing(client, served, on_shard):
    """A client that is killed under load ends its session: its files and its sockets at every process are gone."""
    names = [(await client.inspect(await on_shard("mischief", shard))).name for shard in (0, 1)]
    workers = (await client.health()).workers
    processes = [psutil.Process(pid) for pid in (served.pid, *(worker.pid for worker in workers))]

    def open_now():
        return [process.num_fds() for process in processes], set(served.runtime_dir.iterdir())

    async def is_alone():
        return (await client.health()).sessions == 1

    async def come_and_be_killed():
        await eventually(is_alone)
        other = await asyncio.to_thread(working_client, served, names)
        assert not await is_alone()
        during, _ = open_now()
        other.send_signal(signal.SIGKILL)
        other.communicate()
        await eventually(is_alone)
        return during

    # What is opened at the first client, and kept, is no leak: what is left of it is counted when every process has
    # been told of its end, each in its own time, and nothing changes any more.
    during = await come_and_be_killed()
    looks = deque(maxlen=5)

    async def all_let_go():
        looks.append(open_now())
        fewer = all(now < then for now, then in zip(looks[-1][0], during, strict=True))
        return fewer and looks.count(looks[-1]) == looks.maxlen

    await eventually(all_let_go)
    before = looks[-1]
    for _ in range(2):
        await come_and_be_killed()

    async def nothing_is_left():
        return open_now() == before

    await eventually(nothing_is_left)
    replies = await client.request_many([Message(client.id_of(names[0]), b"")] * 100)
    assert {type(reply) for reply in replies} == {Message}


def working_client(served, names):
    """Start a client in a process of its own, and return when the supervisor has seen it."""
    other = subprocess.Popen(
        [sys.executable, "-P", "-c", CLIENT, str(served.runtime_dir), *names], stdout=subprocess.PIPE, text=True
    )
    seen_s = time.monotonic() + 2 * SESSION_PERIOD_S
    while time.monotonic() < seen_s:
        assert other.stdout.readline() == "again\n"
    return other


async def test_a_worker_that_is_killed_again_and_again(client, served, on_shard):
    """Five kills in a row: after each of them the agents answer again, and the sockets of the dead are removed."""
    counter = await on_shard("mischief", 1)
    for _ in range(5):
        await served.kill_worker(1)
        assert count(await first_answer(client, counter)) == 1

    living = (await client.health()).workers[1].incarnation
    books = {path.name for path in served.runtime_dir.glob("w-*.book")}
    assert f"w-{living}.book" in books
    assert len(books) == WORKERS
    assert RuntimeDir(served.runtime_dir).crash_note(living).exists()


async def test_what_a_kill_cost_is_in_the_books(client, served, on_shard):
    """What the client sent and never heard of is what the runtime says was lost."""
    slow = await on_shard("mischief", 0, limits=PATIENT)
    await eventually(lambda: missing(client, 0))
    lost_before = (await client.stats()).lost["total"]
    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(client.request_many([Message(slow, SPIN)] * 200, timeout_s=60))

        async def has_begun():
            return (await client.inspect(slow)).counters["run"]

        await eventually(has_begun)
        await served.kill_worker(0)
        results = await asked

    unknown = sum(isinstance(result, NetworkError) for result in results)
    await first_answer(client, slow)

    async def lost():
        return (await client.stats()).lost["total"] - lost_before

    assert 0 < unknown <= 200
    assert await lost() == unknown

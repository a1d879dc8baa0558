"""A client outlives its runtime: what was under way, what waits meanwhile, and what goes on when it serves again."""

import asyncio
import os
import signal
from contextlib import suppress

import pytest

from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions
from caxton.errors import CaxtonError, ConfigurationError, NetworkError, RuntimeNotFound, Timeout
from caxton.testing import eventually, runtime
from caxton.transport.endpoints import RuntimeDir

LONG_S = 60.0
VOLATILE = DeliveryOptions(reliability="at_most_once")


@pytest.fixture
def fresh():
    """A runtime for this test alone."""
    with runtime() as fresh:
        yield fresh


@pytest.fixture
def begin():
    """Let a call begin; it has run up to where it waits, and is cancelled when the test ends."""
    begun = []

    async def begin(call):
        task = asyncio.get_running_loop().create_task(call)
        begun.append(task)
        await asyncio.wait([task], timeout=0)
        return task

    yield begin
    for task in begun:
        task.cancel()


async def noticed(client):
    """Wait until a client knows that its runtime has ended."""

    async def is_over():
        return client._open().over is not None

    await eventually(is_over)


def counted(reply):
    return int.from_bytes(reply.content, "little")


def end(served, how):
    """End a runtime as a crash or an operator does."""
    served.kill() if how == "killed" else served.stop()


@pytest.mark.parametrize("how", ["killed", "stopped"])
async def test_a_client_goes_on_when_its_runtime_was_started_again(fresh, wasm, begin, how):
    """What is asked while no runtime serves waits for the next one, and what is asked later is as before."""
    async with fresh.connect() as client:
        echo = await client.deploy("echo", wasm("echo"))
        number = client._open().number
        await asyncio.to_thread(end, fresh, how)
        await noticed(client)
        waiting = [
            await begin(call)
            for call in (
                client.request(echo, b"volatile", timeout_s=LONG_S),
                client.request("echo", b"durable", idempotency_key="k", timeout_s=LONG_S),
                client.send(echo, b"x", timeout_s=LONG_S),
                client.send(echo, b"x", options=VOLATILE, timeout_s=LONG_S),
                client.deploy("late", wasm("mischief"), timeout_s=LONG_S),
            )
        ]
        given_up = await begin(client.request(echo, b"given up", timeout_s=LONG_S))
        given_up.cancel()
        with pytest.raises(RuntimeNotFound):
            await client.send(echo, b"x", wait=False)

        fresh.start()

        volatile, durable, *_ = await asyncio.gather(*waiting)
        assert (volatile.content, durable.content) == (b"volatile", b"durable")
        assert client._open().number != number
        assert (await client.request("echo", b"after")).content == b"after"
        assert {view.name for view in await client.agents()} == {"echo", "late"}
        assert (await client.health()).status == "healthy"
        assert (await client.inspect(echo)).counters["run"] == 5


async def test_what_was_under_way_is_told_and_what_has_a_key_happens_once(fresh, wasm, begin):
    """What may have left ends as NetworkError; with an idempotency key it is sent again, to the same receipt, once."""
    async with fresh.connect() as client:
        count = await client.deploy("count", wasm("mischief"))
        paused = await client.deploy("paused", wasm("mischief"))
        await client.pause(paused)
        stored = await begin(client.request(paused, b"", idempotency_key="stored", timeout_s=LONG_S))

        async def is_stored():
            return (await client.inspect(paused)).queued == 1

        await eventually(is_stored)
        os.kill(await fresh.worker_pid(0), signal.SIGSTOP)
        unknown = [
            await begin(client.send(count, b"", timeout_s=LONG_S)),
            await begin(client.send(count, b"", options=VOLATILE, timeout_s=LONG_S)),
            await begin(client.request(count, b"", timeout_s=LONG_S)),
            await begin(client.inspect(count)),
        ]
        again = [
            await begin(client.send(count, b"", idempotency_key="sent", timeout_s=LONG_S)),
            await begin(client.request(count, b"", idempotency_key="asked", timeout_s=LONG_S)),
        ]
        await asyncio.to_thread(fresh.kill)

        errors = await asyncio.gather(*unknown, return_exceptions=True)
        fresh.start()

        receipt, answer = await asyncio.gather(*again)
        await client.resume(paused)
        first = await stored
        assert [type(error) for error in errors] == [NetworkError] * 4
        assert (await client.send(count, b"", idempotency_key="sent")).lane == receipt.lane
        assert counted(answer) == 2, "the send that has a key was handled once before it"
        assert (counted(first), counted(await client.request(paused, b""))) == (1, 2)
        assert (await client.ledger()).balanced


async def test_an_attached_agent_goes_on(fresh, begin):
    """An attached agent is attached again and is given what waited for it; whoever reads an inbox reads on."""
    handled = []

    async def handle(delivered):
        handled.append(delivered.message.content)
        return b"done" if delivered.message.reply_with else [Message(delivered.message.sender, b"noted")]

    async with fresh.connect() as host, fresh.connect() as client, host.attach("scribe", handle) as agent:
        await client.request("scribe", b"before")
        await asyncio.to_thread(fresh.kill)
        await noticed(client)
        during = await begin(client.send("scribe", b"during", timeout_s=LONG_S))
        noted = await begin(anext(client.inbox()))
        fresh.start()
        await during
        assert (await asyncio.wait_for(noted, LONG_S)).content == b"noted"
        assert (await client.request("scribe", b"after", timeout_s=LONG_S)).content == b"done"
        assert handled == [b"before", b"during", b"after"]
        assert not agent.is_detached


async def test_another_runtime_is_refused_by_name(fresh, wasm, begin):
    """A runtime with other data, where ids mean other agents, is never spoken to, and what waits is told."""
    async with fresh.connect() as client:
        echo = await client.deploy("echo", wasm("echo"))
        await asyncio.to_thread(fresh.kill)
        await noticed(client)
        waiting = [
            await begin(client.request(echo, b"x", timeout_s=LONG_S)),
            await begin(client.send(echo, b"x", timeout_s=LONG_S)),
            await begin(client.inspect(echo)),
        ]
        data_dir, fresh.data_dir = fresh.data_dir, fresh.data_dir.with_name("e")
        fresh.start()

        errors = await asyncio.gather(*waiting, return_exceptions=True)
        errors += await asyncio.gather(client.send(echo, b"x"), client.health(), return_exceptions=True)
        assert [type(error) for error in errors] == [ConfigurationError] * 5
        assert "another runtime" in str(errors[0])
        fresh.data_dir = data_dir


async def test_who_waits_for_a_runtime_that_never_comes_is_told_in_time(fresh, wasm, begin):
    """Without a runtime each call ends at its own timeout, or with the client; nothing is kept for who gave up."""
    ended = []

    async def handle(_):
        pass

    async def attached():
        async with client.attach("scribe", handle) as agent:
            await agent.wait()

    async with fresh.connect() as client:
        echo = await client.deploy("echo", wasm("echo"))
        host = await begin(attached())
        await eventually(lambda: _is_there(client, "scribe"))
        await asyncio.to_thread(fresh.stop)
        await noticed(client)
        with pytest.raises(Timeout):
            await client.request(echo, b"x", timeout_s=0.05)
        with pytest.raises(RuntimeNotFound) as caught:
            await client.deploy("late", wasm("mischief"), timeout_s=0.05)
        assert "serving" in str(caught.value)

        async def nothing_is_held():
            return not client._open().held

        await eventually(nothing_is_held)
        waiting = [
            await begin(client.request(echo, b"x", timeout_s=LONG_S)),
            await begin(client.send(echo, b"x", timeout_s=LONG_S)),
            await begin(client.inspect(echo)),
        ]
        client.close()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(error) for error in ended] == [NetworkError] * 3
        with suppress(CaxtonError):
            await host


async def _is_there(client, name):
    with suppress(CaxtonError):
        return await client.inspect(name)


async def test_a_session_whose_file_was_removed_is_followed_by_another(fresh, wasm, begin):
    """What was under way is told, calls and attached agents go on; who is not to connect again is told what to do."""

    async def answers(_):
        return b"attached"

    async with fresh.connect() as client, fresh.connect(reconnect=False) as other:
        slow = await client.deploy("slow", wasm("echo"))
        await client.pause(slow)
        async with client.attach("attached", answers):
            unknown = [await begin(one.request(slow, b"", timeout_s=LONG_S)) for one in (client, other)]
            number = client._open().number
            for one in (client, other):
                RuntimeDir(fresh.runtime_dir).book(one._open().number).unlink()
            for task, remedy in zip(unknown, ("while this was under way", "connect again"), strict=True):
                with pytest.raises(NetworkError, match=f"this session: it ended because its file .*{remedy}"):
                    await task
            await client.resume(slow)
            assert client._open().number != number
            assert (await client.request("slow", b"again")).content == b"again"
            assert (await client.request("attached", b"", idempotency_key="k", timeout_s=LONG_S)).content == b"attached"

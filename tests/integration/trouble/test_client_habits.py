"""What programs do with a client: threads and loops of their own, entering it twice, never closing it."""

import asyncio
import subprocess
import sys
import threading

import pytest

from caxton.errors import CaxtonError, ConfigurationError, RuntimeNotFound
from caxton.testing import eventually

JOIN_S = 20.0

UNCLOSED = """
import asyncio, gc, sys
import caxton

async def main():
    client = await caxton.connect(sys.argv[1]).__aenter__()
    waiting = [asyncio.get_running_loop().create_task(client.request("echo", b"")) for _ in range(2)]
    waiting.append(asyncio.get_running_loop().create_task(client.health()))
    await asyncio.sleep(0)
    return [client]

kept = asyncio.run(main())
if sys.argv[2] == "in a cycle":
    kept[0].itself = kept
if sys.argv[2] != "to the end":
    del kept
    gc.collect()
print("done", flush=True)
"""


@pytest.fixture
async def echo(agent):
    return await agent("echo", "echo")


@pytest.fixture
def in_threads():
    """Run a coroutine function in so many threads, each with a loop of its own; returns what each came to."""

    async def run(count, ask):
        ends = []

        def thread():
            try:
                ends.append(asyncio.run(ask()))
            except CaxtonError as error:
                ends.append(error)

        threads = [threading.Thread(target=thread, daemon=True) for _ in range(count)]
        for one in threads:
            one.start()
        for one in threads:
            await asyncio.to_thread(one.join, JOIN_S)
        assert not any(one.is_alive() for one in threads)
        return ends

    return run


async def test_a_client_in_another_loop_says_so_at_once(client, echo, in_threads):
    """A client that is used in other threads' loops raises what to do about it, whatever is asked of it."""

    async def inbox():
        return (await client.inbox()).full

    async def attach():
        async with client.attach("attached elsewhere", lambda _: None):
            pass

    for ask in (
        lambda: client.request(echo, b"x", timeout_s=60),
        lambda: client.send("echo", b"x"),
        client.agents,
        client.health,
        attach,
        inbox,
    ):
        for error in await in_threads(4, ask):
            assert type(error) is ConfigurationError
            assert "run_coroutine_threadsafe" in str(error)
    assert (await client.request(echo, b"here")).content == b"here"


async def test_other_threads_hand_their_coroutines_to_the_clients_loop(client, echo, in_threads):
    """What another thread hands over with run_coroutine_threadsafe is done as if it were asked for here."""
    loop = asyncio.get_running_loop()

    async def ask():
        future = asyncio.run_coroutine_threadsafe(client.request("echo", b"x"), loop)
        return (await asyncio.wrap_future(future)).content

    assert await in_threads(4, ask) == [b"x"] * 4


async def test_a_client_is_entered_once_at_a_time(served, echo, in_threads):
    """Of many tasks and threads that enter one client, one does; the others are told, and leave its session alone."""
    client = served.connect()

    async def enter():
        async with client:
            entered.set()
            await asyncio.to_thread(leave.wait, JOIN_S)
            return (await client.request(echo, b"x")).content

    entered, leave = threading.Event(), threading.Event()
    waiting = asyncio.get_running_loop().create_task(enter())
    others = await asyncio.gather(enter(), enter(), return_exceptions=True)
    await asyncio.to_thread(entered.wait, JOIN_S)
    others += await in_threads(4, enter)
    leave.set()

    assert await waiting == b"x"
    assert [type(other) for other in others] == [ConfigurationError] * 6
    assert "open already" in str(others[0])
    async with client:
        assert (await client.request(echo, b"again")).content == b"again"


async def test_a_client_that_was_refused_may_be_entered_later(tmp_path, served):
    """Entering a client fails as long as nobody serves there, each time with the same error."""
    client = type(served.connect())(tmp_path)
    for _ in range(2):
        with pytest.raises(RuntimeNotFound):
            async with client:
                pass


async def test_a_client_may_be_closed_in_another_thread(served, echo):
    """Closing in another thread ends the session, in its own loop, and what waits is told; twice is fine."""
    async with served.connect() as client:
        await client.pause(echo)
        waiting = asyncio.get_running_loop().create_task(client.send(echo, b"x", timeout_s=60))
        request = asyncio.get_running_loop().create_task(client.request(echo, b"x", timeout_s=60))
        await waiting
        for _ in range(2):
            await asyncio.to_thread(client.close)
        with pytest.raises(CaxtonError, match="closed"):
            await request
        with pytest.raises(ConfigurationError):
            await client.resume(echo)
    async with served.connect() as client:
        await client.resume(echo)


@pytest.mark.parametrize("collected", ["alone", "in a cycle", "to the end"])
async def test_a_client_that_was_never_closed_goes_quietly(served, echo, collected):
    """A program that never closes its client is warned and ends, whenever that is collected; so does its session."""
    command = [sys.executable, "-P", "-W", "error", "-c", UNCLOSED, str(served.runtime_dir), collected]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout) == (0, "done\n")
    assert "ResourceWarning: a client was never closed" in done.stderr
    assert "Context" not in done.stderr

    async def only_this_test_is_there():
        return (await served.health()).sessions == 1

    await eventually(only_this_test_is_there)

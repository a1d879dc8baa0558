"""The whole runtime ends and comes back: what was registered stays, and a drain under load ends well."""

import asyncio
import os
import signal

import pytest

from caxton.acl.message import Message
from caxton.errors import AgentNotFound, AgentNotRunning, CaxtonError, ConfigurationError, NetworkError, RuntimeNotFound
from caxton.testing import runtime

MOST_EXIT_S = 15.0


def count(reply):
    return int.from_bytes(reply.content, "little")


@pytest.fixture
def fresh():
    """A runtime for this test alone."""
    with runtime(2) as fresh:
        yield fresh


async def test_agents_survive_a_restart_of_the_runtime(fresh, wasm):
    """After a restart agents run, stopped ones are stopped, removed ones are gone; nothing is compiled anew."""
    names = [f"agent {n}" for n in range(20)]
    async with fresh.connect() as client:
        for name in names:
            await client.deploy(name, wasm("mischief"), capabilities=["count", name])
            await client.request(name, b"")
        await client.stop("agent 0")
        await client.remove("agent 1")
        before = await client.agents()
    modules = {path: path.stat().st_ino for path in (fresh.data_dir / "modules").iterdir()}

    assert await asyncio.to_thread(fresh.stop) == 0
    with pytest.raises(RuntimeNotFound):
        async with fresh.connect():
            pass
    fresh.start()

    async with fresh.connect() as client:
        after = await client.agents()
        kept = "agent_id", "name", "state", "shard", "encoding", "capabilities", "limits", "module"
        assert [[getattr(a, field) for field in kept] for a in after] == [[getattr(b, f) for f in kept] for b in before]
        assert not any(view.instantiated for view in after)
        for name in names[2:]:
            assert count(await client.request(name, b"")) == 1
        with pytest.raises(AgentNotRunning):
            await client.request("agent 0", b"")
        with pytest.raises(AgentNotFound):
            await client.request("agent 1", b"")
        await client.deploy("agent 1", wasm("mischief"))
    assert {path: path.stat().st_ino for path in (fresh.data_dir / "modules").iterdir()} == modules


async def test_another_number_of_workers_is_refused(fresh, wasm):
    """A data directory that was made for two workers serves no three, and is as good as before after the refusal."""
    async with fresh.connect() as client:
        await client.deploy("kept", wasm("mischief"))
    await asyncio.to_thread(fresh.stop)

    with pytest.raises(ConfigurationError) as caught:
        fresh.start(workers=3)

    assert "exit code 1" in str(caught.value)
    assert "2" in fresh.log
    fresh.start()
    async with fresh.connect() as client:
        assert count(await client.request("kept", b"")) == 1


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_under_load_ends_with_0(fresh, wasm, how):
    """A signal under load lets everything finish that clients had sent: exit code 0, and nothing is lost."""
    ends = []

    async def press(n):
        async with fresh.connect() as client:
            batch = [Message(client.id_of(f"agent {n}"), b"")] * 500
            while True:
                results = await client.request_many(batch, timeout_s=5)
                ends.extend(results)
                if n == 0 and len(ends) > 20_000 and not told.is_set():
                    told.set()
                if not isinstance(results[-1], Message):
                    return

    told = asyncio.Event()
    async with fresh.connect() as client:
        for n in range(4):
            await client.deploy(f"agent {n}", wasm("mischief"))
    async with asyncio.TaskGroup() as tasks:
        for n in range(4):
            tasks.create_task(press(n))
        await told.wait()
        child = fresh._child
        os.kill(fresh.pid, how)
        assert await asyncio.to_thread(child.wait, MOST_EXIT_S) == 0

    assert all(isinstance(end, (Message, CaxtonError)) for end in ends)
    stopped = await fresh.event("stopped")
    assert stopped["killed"] == []
    assert stopped["lost"] == 0


async def test_a_client_notices_that_the_runtime_ended(fresh, wasm):
    """Without reconnect, what waits when the runtime ends, and what is asked for later, is a NetworkError in time."""
    async with fresh.connect(reconnect=False) as client:
        agent = await client.deploy("agent", wasm("mischief"))
        assert await asyncio.to_thread(fresh.stop) == 0

        waited = [
            client.request(agent, b"", timeout_s=60),
            client.inspect(agent),
            client.send(agent, b"", timeout_s=60),
        ]
        ends = await asyncio.wait_for(asyncio.gather(*waited, return_exceptions=True), MOST_EXIT_S)

        assert [type(end) for end in ends] == [NetworkError] * 3
        with pytest.raises(NetworkError):
            await client.request(agent, b"", timeout_s=60)

"""Agents of a real runtime that are drained in the midst of conversations, over restarts, and from the command line."""

import asyncio
import json
import sys
from contextlib import suppress
from itertools import count

import pytest

import caxton
from caxton.acl.options import DeliveryOptions
from caxton.errors import (
    AgentNotRunning,
    InvalidStateTransition,
    NetworkError,
    NoCapableAgents,
    ShardUnavailable,
    ValidationError,
)
from caxton.testing import eventually

WORKERS = 2
NUMBERS = count()
CAXTON = [sys.executable, "-P", "-m", "caxton"]
DURABLE = DeliveryOptions(reliability="at_least_once")


@pytest.fixture
def patient():
    """An agent that answers a request when the test lets it."""
    name = f"patient {next(NUMBERS)}"

    @caxton.agent(name, capabilities=["wait"])
    class Patient:
        def __init__(self):
            self.name = name
            self.asked, self.may_answer = asyncio.Event(), asyncio.Event()

        async def on_request(self, message):
            self.asked.set()
            await self.may_answer.wait()
            return message.reply(b"done", performative="inform")

        async def on_inform(self, message):
            return message.reply(message.content)

    return Patient()


async def until_it_drains(client, agent):
    """Wait until an agent is told to drain."""

    async def look():
        with suppress(NetworkError, ShardUnavailable):  # of a worker that was killed
            view = await client.inspect(agent)
            return view if view.state == "draining" else None

    return await eventually(look)


@pytest.mark.parametrize("options", [DeliveryOptions(), DURABLE])
async def test_a_request_that_is_under_way_is_answered_and_then_the_agent_stops(served, patient, options):
    """It is seen to drain, capabilities choose it no more, new ones are refused by name; its answer ends the drain."""
    name = patient.name
    async with served.connect() as client, asyncio.TaskGroup() as group:
        with suppress(AgentNotRunning):  # which ends the block of an agent that was stopped, whatever that waits for
            async with client.host(patient):
                asking = group.create_task(client.request(name, b"x", protocol="fipa-request", options=options))
                await patient.asked.wait()
                draining = group.create_task(client.drain(name, timeout_s=60))
                view = await until_it_drains(client, name)
                assert (view.conversations, 0 < view.drains_for_ms <= 60_000) == (1, True)
                for refused in (client.request(name, b"x", options=options), client.send(name, b"x", options=options)):
                    with pytest.raises(AgentNotRunning, match="draining"):
                        await refused
                with pytest.raises(NoCapableAgents):
                    await client.request(caxton.Capability("wait"), b"x", options=options)
                assert not draining.done()
                patient.may_answer.set()
                await asyncio.Event().wait()
        assert (await asking).content == b"done"
        assert (await draining).is_complete
        assert (await client.inspect(name)).state == "stopped"
        with pytest.raises(InvalidStateTransition):
            await client.drain(name)


@pytest.mark.parametrize("options", [DeliveryOptions(), DURABLE])
async def test_a_conversation_goes_on_while_its_agent_drains(served, agent_in, options):
    """What is said in a conversation of its own is handled; the timeout ends it, and says what was open."""
    async with served.connect() as client:
        echo = await agent_in(client)
        talk, other = client.new_conversation(), client.new_conversation()
        for conversation in (talk, other):
            await client.request(echo, b"1", conversation_id=conversation, options=options)
        await client.stop(echo, drain=True, timeout_s=30)
        assert (await client.request(echo, b"2", conversation_id=talk, options=options)).content == b"2"
        assert (await client.inspect(echo)).conversations == 2
        drained = await client.drain(echo, timeout_s=0.3)
        assert (drained.conversations, drained.messages, drained.is_complete) == (2, 0, False)
        with pytest.raises(AgentNotRunning, match="stopped"):
            await client.request(echo, b"3", conversation_id=talk, options=options)


async def test_a_drain_goes_on_when_the_worker_was_killed(served, agent_in):
    """After kill -9 of its worker the agent still drains, knows its conversations and its time, and then stops."""
    async with served.connect() as client, asyncio.TaskGroup() as group:
        echo = await agent_in(client)
        talk = client.new_conversation()
        await client.request(echo, b"1", conversation_id=talk, options=DURABLE)
        draining = group.create_task(client.drain(echo, timeout_s=60))
        await until_it_drains(client, echo)
        await served.kill_worker((await client.inspect(echo)).shard)
        view = await until_it_drains(client, echo)
        assert (view.conversations, 0 < view.drains_for_ms <= 60_000) == (1, True)
        assert (await client.request(echo, b"2", conversation_id=talk, options=DURABLE)).content == b"2"
        with pytest.raises(AgentNotRunning, match="draining"):
            await client.request(echo, b"3", options=DURABLE)
        await client.stop(echo, drain=True, timeout_s=0)
        assert (await draining).conversations == 1


async def test_a_timeout_that_is_none_is_refused(served, agent_in):
    """A drain lasts from 0 seconds to a day, and nothing begins with another time."""
    async with served.connect() as client:
        echo = await agent_in(client)
        for wrong in (-1, float("nan"), 86_401, 1e18, "1", None, True):
            with pytest.raises(ValidationError, match="timeout_s"):
                await client.drain(echo, timeout_s=wrong)
        assert (await client.inspect(echo)).state == "running"


async def test_the_command_line_drains_and_says_what_was_left(served, agent_in):
    """`caxton agent drain` waits for the end, and tells whether there was anything left, in both formats."""

    async def run(*words):
        command = [*CAXTON, "agent", "drain", *words, "--runtime-dir", str(served.runtime_dir)]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        return process.returncode, out.decode()

    async with served.connect() as client:
        idle, talking = await agent_in(client, "idle"), await agent_in(client, "talking")
        await client.request(talking, b"1", conversation_id=client.new_conversation())
        assert await run("idle") == (0, "drained idle: nothing was left\n")
        code, out = await run("talking", "--timeout", "0.2", "-o", "json")
        left = {"agent_id": str(talking), "drained": False, "conversations": 1, "messages": 0}
        assert (code, json.loads(out)) == (0, left)
        assert (await client.inspect(idle)).state == "stopped"
        assert (await run("nobody"))[0] == 1


@pytest.fixture
def agent_in(wasm):
    """A function that deploys an echo."""

    async def deploy(client, name=None):
        return await client.deploy(name or f"echo {next(NUMBERS)}", wasm("echo"))

    return deploy

"""Agents whose handlers run in this process: what senders get to know when these fail, are cancelled or take long."""

import asyncio

import pytest

from caxton.acl.options import DeliveryOptions
from caxton.errors import AgentNotFound, AgentNotRunning, AlreadyAttached, CaxtonError, HandlerFailed, ValidationError

AGAIN = DeliveryOptions(reliability="at_least_once", max_retries=1)


async def test_the_sender_is_told_what_the_handler_raised(client, caplog):
    """A bug in a handler is HandlerFailed for who asked, with its type and text, on either lane and in dead letters."""

    async def faulty(_):
        return {}["no such key"]

    async with client.attach("faulty", faulty):
        for options in (DeliveryOptions(), AGAIN):
            with pytest.raises(HandlerFailed) as caught:
                await client.request("faulty", b"x", options=options)
            assert (caught.value.exception, caught.value.detail) == ("KeyError", "'no such key'")
            assert "its handler raised KeyError ('no such key')" in str(caught.value)
        (letter,) = [letter async for letter in client.dead_letters(agent="faulty")]
    assert letter.error.error == "HandlerFailed"
    assert [record.exc_info[0] for record in caplog.records] == [KeyError] * 3, "once a try"
    await client.purge(agent="faulty")
    await client.remove("faulty")


async def test_an_agent_outlives_what_its_handler_meets(client):
    """A handler that met a cancellation failed once; the next message is handled."""
    shared = asyncio.get_running_loop().create_future()
    shared.cancel()

    async def waits(delivered):
        if delivered.message.content == b"wait":
            await shared
        return b"ok"

    async with client.attach("waits", waits):
        with pytest.raises(HandlerFailed, match="CancelledError"):
            await client.request("waits", b"wait")
        assert (await client.request("waits", b"next")).content == b"ok"
    await client.remove("waits")


@pytest.mark.parametrize("lane", ["at_most_once", "at_least_once"])
async def test_leaving_takes_no_longer_than_the_drain(client, served, lane):
    """A turn that outlasts the drain is cut short: on the durable lane it waits for the next who attaches, or fails."""
    began = asyncio.Event()

    async def endless(_):
        began.set()
        await asyncio.get_running_loop().create_future()

    async def says_count(delivered):
        return str(delivered.delivery_count).encode()

    async with served.connect() as program:
        async with asyncio.timeout(10), program.attach("endless", endless, drain_s=0.05):
            request = client.request("endless", b"x", options=DeliveryOptions(reliability=lane), timeout_s=60)
            waiting = asyncio.get_running_loop().create_task(request)
            await began.wait()
        async with program.attach("endless", says_count):
            if lane == "at_most_once":
                with pytest.raises(AgentNotRunning):
                    await waiting
            else:
                assert (await waiting).content == b"2"
    await client.remove("endless")


@pytest.mark.parametrize("drain_s", [-1, "5", float("nan"), float("inf"), True, None])
async def test_a_drain_that_cannot_be_is_refused(client, drain_s):
    """drain_s is a number of seconds, from 0 to a day."""
    with pytest.raises(ValidationError, match="drain_s"):
        client.attach("x", lambda _: None, drain_s=drain_s)
    with pytest.raises(CaxtonError):
        await client.inspect("x")


@pytest.mark.parametrize(("ended", "error"), [("remove", AgentNotFound), ("stop", AgentNotRunning)])
async def test_who_runs_an_agent_is_told_of_its_end(client, served, ended, error):
    """An agent that somebody stops or removes ends its block, and is not registered again."""

    async def handler(_):
        return None

    async def run():
        async with client.attach("ended", handler) as agent:
            await agent.wait()

    async with served.connect() as operator, asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        attached = tasks.create_task(_raised(run()))
        while "ended" not in [agent.name for agent in await operator.agents()]:
            pass
        await getattr(operator, ended)("ended")
        assert isinstance(await attached, error)
    names = [agent.name for agent in await client.agents()]
    assert ("ended" in names) is (ended == "stop")
    if ended == "stop":
        await client.remove("ended")


async def test_an_agent_has_one_client_at_a_time(client, served):
    """Who attaches an agent that another client runs is told so, and not to remove it; then it may follow."""

    async def handler(_):
        return b"ok"

    async with served.connect() as other:
        async with other.attach("shared", handler):
            with pytest.raises(AlreadyAttached, match="another client has it attached; end the block"):
                await client.attach("shared", handler).__aenter__()
        async with client.attach("shared", handler):
            assert (await other.request("shared", b"x")).content == b"ok"
    await client.remove("shared")


async def _raised(awaited):
    try:
        await awaited
    except CaxtonError as error:
        return error

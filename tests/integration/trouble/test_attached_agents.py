"""Agents whose handlers run in this process: what senders get to know when these fail, are cancelled or take long."""

import asyncio

import pytest

from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions
from caxton.errors import (
    AgentNotFound,
    AgentNotRunning,
    AgentTakenOver,
    AlreadyAttached,
    CaxtonError,
    HandlerFailed,
    ProgramLost,
    ValidationError,
)
from caxton.ids import ConversationId

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
                with pytest.raises(ProgramLost, match="that had the message is gone"):
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
            with pytest.raises(AlreadyAttached, match="another client has it attached; attach it with replace=True"):
                await client.attach("shared", handler).__aenter__()
        async with client.attach("shared", handler):
            assert (await other.request("shared", b"x")).content == b"ok"
    await client.remove("shared")


async def _raised(awaited):
    try:
        return await awaited
    except CaxtonError as error:
        return error


async def test_one_that_takes_long_holds_up_nobody_else(client):
    """Five hundred calls that do not end leave a program free for the next one, on either lane."""
    go_on, begun = asyncio.Event(), asyncio.Semaphore(0)

    async def handler(delivered):
        if delivered.message.content == b"slow":
            begun.release()
            await go_on.wait()
        return b"done"

    async with client.attach("patient", handler, concurrency=600):
        slow = [
            Message(
                client.id_of("patient"),
                b"slow",
                conversation_id=ConversationId(n.to_bytes(16)),
                delivery_options=DeliveryOptions(reliability="at_most_once" if n % 2 else "at_least_once"),
            )
            for n in range(1, 501)
        ]
        waiting = asyncio.get_running_loop().create_task(client.request_many(slow, timeout_s=60))
        for _ in slow:
            await begun.acquire()
        for lane in ("at_most_once", "at_least_once"):
            options = DeliveryOptions(reliability=lane)
            assert (await client.request("patient", b"fast", options=options, timeout_s=30)).content == b"done"
        go_on.set()
        assert {answer.content for answer in await waiting} == {b"done"}
    await client.remove("patient")


async def test_who_asks_somebody_may_be_asked_back(client, served):
    """A handler that asks an agent which asks it back is answered: one call waits while the other runs."""
    async with served.connect() as other:

        async def first(delivered):
            if delivered.message.content == b"back":
                return b"7"
            return (await other.request("second", b"", timeout_s=20)).content

        async def second(_):
            return (await client.request("first", b"back", timeout_s=20)).content

        async with client.attach("first", first), other.attach("second", second):
            assert (await client.request("first", b"go", timeout_s=30)).content == b"7"
    await client.remove("first")
    await client.remove("second")


@pytest.mark.parametrize("lane", ["at_most_once", "at_least_once"])
async def test_an_agent_is_taken_over(client, served, lane):
    """The program that had it is told, by name; what it had begun is given to the next, or fails if it is volatile."""
    began = asyncio.Event()

    async def endless(_):
        began.set()
        await asyncio.get_running_loop().create_future()

    async def answers(delivered):
        return str(delivered.delivery_count).encode()

    async def old(program):
        async with program.attach("wanted", endless) as agent:
            await agent.wait()

    async with served.connect() as program, asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        taken = tasks.create_task(_raised(old(program)))
        while "wanted" not in [agent.name for agent in await client.agents() if agent.state == "attached"]:
            pass
        request = client.request("wanted", b"x", options=DeliveryOptions(reliability=lane), timeout_s=60)
        waiting = tasks.create_task(_raised(request))
        await began.wait()
        async with client.attach("wanted", answers, replace=True):
            assert isinstance(await taken, AgentTakenOver)
            end = await waiting
            assert isinstance(end, ProgramLost) if lane == "at_most_once" else end.content == b"2"
            assert (await program.request("wanted", b"y")).content == b"1"
    await client.remove("wanted")

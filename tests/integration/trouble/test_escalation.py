"""Messages that an agent fails on for good, in a real runtime of two workers."""

import asyncio

import caxton
from caxton.acl.options import DeliveryOptions
from caxton.errors import RetryLimitExceeded

WORKERS = 2
OPTIONS = ("--retry-delay-ms", "100", "--retry-factor", "1.1")
DEADLINE_S = 30.0
AGAIN = DeliveryOptions(max_retries=1)


async def test_a_program_sees_to_what_an_agent_cannot(client, wasm):
    """The message itself, who failed on it and how often, and its dead letter, which it may then purge."""
    told = asyncio.Queue()

    async def see_to(delivered):
        await told.put(caxton.read_escalation(delivered.message))

    async with client.attach("night-shift", see_to):
        await client.deploy("fragile", wasm("mischief"), escalate_to="night-shift")
        assert (await client.inspect("fragile")).escalate_to == "night-shift"
        sent = await client.send("fragile", b"u", options=AGAIN)
        async with asyncio.timeout(DEADLINE_S):
            found = await told.get()

    assert (found.agent, found.attempts, found.message.content) == ("fragile", 2, b"u")
    assert found.message.message_id == sent.message_id
    assert isinstance(found.error, RetryLimitExceeded)
    assert await client.purge(found.dead_letter) == 1


async def test_a_handler_that_always_raises_escalates_too(client):
    """To an agent that a client runs, from one that a client runs; also when nobody is there at first."""
    told = asyncio.Queue()

    async def fail(_delivered):
        raise ConnectionError("no way through")

    async def see_to(delivered):
        await told.put(caxton.read_escalation(delivered.message))

    async with client.attach("late", see_to):
        pass
    async with client.attach("weak", fail, escalate_to="late"):
        await client.send("weak", b"x", options=AGAIN)
        async with client.attach("late", see_to), asyncio.timeout(DEADLINE_S):
            found = await told.get()

    assert (found.agent, found.retry_reasons) == ("weak", ("network_error", "network_error"))

"""Durable messages for who is away: they wait, also beyond their timeouts, and are there when somebody comes."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from caxton.acl.options import DeliveryOptions
from caxton.errors import MessageExpired
from caxton.testing import eventually

SHORT = DeliveryOptions(timeout_ms=1_000)


async def out_of_time(client, wasm):
    """Return when a message with that timeout, sent after all others, has expired: one of the volatile lane."""
    paused = await client.deploy("paused", wasm("echo"))
    await client.pause(paused)
    with pytest.raises(MessageExpired):
        await client.request(paused, b"x", options=SHORT, timeout_s=60)
    await client.remove(paused)


async def test_what_was_sent_while_the_program_was_away_is_there_when_it_comes(client, served, wasm):
    """A message whose timeout passed while nobody ran its agent is handled by the next program that does."""
    noted: asyncio.Queue[bytes] = asyncio.Queue()

    async def note(delivered):
        await noted.put(delivered.message.content)

    async with served.connect() as program, program.attach("scribe", note):
        await client.send("scribe", b"a line")
        assert await noted.get() == b"a line"
    await client.send("scribe", b"another line", options=SHORT)
    await out_of_time(client, wasm)

    async with served.connect() as program, program.attach("scribe", note):
        assert await noted.get() == b"another line"
    assert [letter async for letter in client.dead_letters(agent="scribe")] == []
    await client.remove("scribe")


@pytest.mark.parametrize("reliability", ["at_least_once", "at_most_once"])
async def test_what_is_over_already_is_refused(client, wasm, reliability):
    """A message until a moment that has passed is MessageExpired for who sends or asks."""
    echo = await client.deploy("echo", wasm("echo"))
    over = DeliveryOptions(reliability=reliability, expires_at=datetime.now(UTC) - timedelta(milliseconds=1))
    for call in (client.send, client.request):
        with pytest.raises(MessageExpired):
            await call(echo, b"x", options=over)
    ahead = DeliveryOptions(reliability=reliability, expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert (await client.request(echo, b"x", options=ahead)).content == b"x"
    await client.remove(echo)


async def test_a_moment_passes_while_the_program_is_away(client, wasm):
    """Who means a moment gets a dead letter, expired, though nobody was there to have the message."""
    paused = await client.deploy("asleep", wasm("echo"))
    await client.pause(paused)
    await client.send(paused, b"x", options=DeliveryOptions(expires_at=datetime.now(UTC) + timedelta(milliseconds=500)))

    async def letters():
        return [letter async for letter in client.dead_letters(agent=paused)]

    (letter,) = await eventually(letters)
    assert letter.reason == "expired"
    await client.purge(agent=paused)
    await client.remove(paused)


async def test_what_was_sent_to_a_paused_agent_is_handled_when_it_is_resumed(client, wasm):
    """A request of the durable lane is answered, though its timeout passed while its agent was paused."""
    echo = await client.deploy("echo", wasm("echo"))
    await client.pause(echo)
    options = DeliveryOptions(reliability="at_least_once", timeout_ms=1_000)
    asked = asyncio.get_running_loop().create_task(client.request(echo, b"x", options=options, timeout_s=60))
    await out_of_time(client, wasm)
    await client.resume(echo)

    assert (await asked).content == b"x"
    await client.remove(echo)

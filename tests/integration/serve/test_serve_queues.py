"""What a runtime's settings of queues and retries change, seen by a client of it."""

from pathlib import Path

import pytest
import wasmtime

from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions
from caxton.agents.limits import Limits
from caxton.testing import eventually, runtime

ECHO = bytes(wasmtime.wat2wasm((Path(__file__).parents[2] / "guests" / "echo.wat").read_text()))
SETTINGS = ("--inbound-queue-size", "7", "--outbound-queue-size", "64", "--max-retries", "1", "--retry-delay-ms", "100")


@pytest.fixture
async def client():
    with runtime(options=SETTINGS) as served:
        async with served.connect() as client:
            yield client


async def test_a_mailbox_that_nobody_sizes_is_the_runtimes(client):
    """Of a deployment and of an attached agent; where they say a number it is theirs."""
    await client.deploy("usual", ECHO, limits=Limits(max_fuel=1_000_000))
    await client.deploy("roomy", ECHO, limits=Limits(mailbox_capacity=9))

    async def nothing(_):
        pass

    async with client.attach("away", nothing), client.attach("sized", nothing, mailbox_capacity=1_000):
        views = [await client.inspect(name) for name in ("usual", "roomy", "away", "sized")]

    assert [view.limits["mailbox_capacity"] for view in views] == [7, 9, 7, 1_000]


async def test_a_client_runs_ahead_as_far_as_its_window(client):
    """However much went well before, it has credit for 64 messages beyond what was placed."""
    echo = await client.deploy("echo", ECHO)
    await client.request_many([Message(echo, b"") for _ in range(1_000)])
    outgoing = client._open().route_of(echo).volatile.link.outgoing

    assert outgoing.emitted >= 1_000
    assert 0 <= outgoing._credit_messages - outgoing.emitted <= 64


async def test_a_message_is_tried_again_as_often_as_the_runtime_says(client):
    """Unless its options say another number than the usual one."""

    async def fails(_):
        raise ValueError("as it should")

    async with client.attach("usual", fails), client.attach("patient", fails):
        await client.send("usual", b"")
        await client.send("patient", b"", options=DeliveryOptions(max_retries=2))

        async def both():
            letters = [letter async for letter in client.dead_letters()]
            return letters if len(letters) == 2 else None

        letters = await eventually(both)

    attempts = {letter.message.receiver: letter.attempts for letter in letters}
    assert attempts == {client.id_of("usual"): 2, client.id_of("patient"): 3}

"""Receipts in a real runtime: on both lanes, from guests and from a client's own process."""

import asyncio

import pytest

from caxton.acl.options import DeliveryOptions
from caxton.errors import ValidationError

DEADLINE_S = 30.0
LANES = ("at_least_once", "at_most_once")


async def confirmation(client):
    async with asyncio.timeout(DEADLINE_S):
        found = await client.inbox().next()
    assert found.is_confirmation
    return found


@pytest.mark.parametrize("lane", LANES)
async def test_a_sender_hears_when_its_message_was_handled(client, agent, lane):
    """The word names the message and who handled it, and has no content."""
    name = await agent("echo")
    sent = await client.send(name, b"x", options=DeliveryOptions(reliability=lane, receipt=True))
    told = await confirmation(client)

    assert (told.in_reply_to, told.sender, told.content) == (sent.message_id, client.id_of(name), b"")
    assert (str(told.performative), told.protocol) == ("confirm", "caxton:receipt")


async def test_a_handler_in_python_is_confirmed_when_it_has_ended(client):
    """Not before."""
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def handle(_delivered):
        begun.set()
        await may_end.wait()

    async with client.attach("handler", handle):
        sent = await client.send("handler", b"x", options=DeliveryOptions(receipt=True))
        async with asyncio.timeout(DEADLINE_S):
            await begun.wait()
        assert not len(client.inbox())
        may_end.set()
        assert (await confirmation(client)).in_reply_to == sent.message_id
    await client.remove("handler")


async def test_a_request_has_its_answer_and_no_receipt(client, agent):
    """It says so before anything is sent."""
    with pytest.raises(ValidationError, match="a request has its answer"):
        await client.request(await agent("echo"), b"x", options=DeliveryOptions(receipt=True))

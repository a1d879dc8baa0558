"""Values as contents between programs, through a real runtime."""

import asyncio
from dataclasses import dataclass

import pytest

import caxton
from caxton.errors import AgentFailure, SerializationError


@dataclass
class Order:
    item: str
    pieces: int


async def take(delivered):
    order = delivered.message.decode(Order)
    return [delivered.message.reply({"item": order.item, "price": 7 * order.pieces})]


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
async def test_a_value_arrives_as_what_it_is(client, encoding):
    """It is sent in an encoding that the message names, read as a type, and answered in the same encoding."""
    async with client.attach("shop", take):
        for ask in (client.request, client.query):
            answer = await ask("shop", Order("tea", 3), encoding=encoding)
            assert answer.decode(dict) == {"item": "tea", "price": 21}
            assert (answer.encoding, answer.language) == (encoding, encoding)


async def test_a_content_that_the_receiver_cannot_read_is_its_failure(client):
    """Who sends something else is told, with what was wanted."""
    async with client.attach("shop", take):
        with pytest.raises(AgentFailure, match="missing required field `pieces`"):
            await client.request("shop", {"item": "tea"}, encoding="json")


async def test_what_cannot_be_encoded_is_sent_to_nobody(client):
    """The mistake is told where it is made, by every call that takes a content."""
    calls = (client.send, client.request, client.query)
    for call in calls:
        with pytest.raises(SerializationError):
            await call("nobody", object(), encoding="json")
    with pytest.raises(SerializationError):
        await client.send(["nobody", "no one"], object(), encoding="json")
    with pytest.raises(SerializationError):
        await client.broadcast(object(), ["nobody"], encoding="msgpack")


async def test_every_call_that_sends_takes_values(client):
    """One message, one to each of several, a broadcast, and what a turn sends."""
    got, arrived = [], asyncio.Event()

    @caxton.agent("relay")
    async def relay(message, turn):
        turn.send("keeper", {"relayed": message.json()}, encoding="msgpack")

    async def keep(delivered):
        got.append(delivered.message.decode(object))
        if len(got) == 4:
            arrived.set()

    async with client.attach("keeper", keep, concurrency=1), client.host(relay):
        await client.send("keeper", [1], encoding="json")
        await client.send(["keeper"], [2], encoding="json")
        await client.broadcast([3], ["keeper"], encoding="msgpack")
        await client.send("relay", 4, encoding="json")
        await arrived.wait()

    assert sorted(map(str, got)) == ["[1]", "[2]", "[3]", "{'relayed': 4}"]

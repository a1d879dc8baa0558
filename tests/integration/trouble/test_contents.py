"""Values as contents between programs, through a real runtime."""

import asyncio
from dataclasses import dataclass

import pytest

import caxton
from caxton.errors import AgentFailure, SerializationError, ValidationError


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
    with pytest.raises(SerializationError):
        await client.contract_net(object(), ["nobody"], encoding="json")
    with pytest.raises(SerializationError):
        await client.auction(object(), ["nobody"], start=1, step=1, encoding="msgpack")
    with pytest.raises(SerializationError):
        client.subscribe("nobody", object(), encoding="json")
    with pytest.raises(ValidationError, match="yaml"):
        client.attach("nobody", take, encoding="yaml")
    with pytest.raises(ValidationError, match="yaml"):
        caxton.agent("nobody", encoding="yaml")


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


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
async def test_handlers_return_values(client, encoding):
    """One message or a list of them at a time, a function or a class, with a state or without."""

    async def quote(delivered):
        return Order(delivered.message.json(), 3)

    async def quotes(all_delivered):
        return [Order(one.message.json(), 4) for one in all_delivered]

    @caxton.agent(f"counting in {encoding}", state=dict, encoding=encoding)
    async def counting(message, turn):
        turn.state["asked"] = turn.state.get("asked", 0) + 1
        return turn.state

    async with (
        client.attach("one", quote, encoding=encoding),
        client.attach("several", quotes, batch=True, encoding=encoding),
        client.host(counting),
    ):
        for name, pieces in (("one", 3), ("several", 4)):
            answer = await client.request(name, "tea", encoding="json")
            assert (answer.decode(Order), answer.encoding) == (Order("tea", pieces), encoding)
        for asked in (1, 2):
            assert (await client.request(f"counting in {encoding}", b"")).decode(dict) == {"asked": asked}


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
async def test_interactions_take_values(client, encoding):
    """The task of a contract net, the item of an auction, and what a subscription is about."""
    heard = {}

    class Trader:
        async def on_cfp(self, message):
            if message.protocol == "fipa-contract-net":
                heard["task"] = message.decode(Order), message.language
                return message.reply(7, performative="propose", encoding=encoding)
            return message.reply(message.content, performative="propose" if message.content == b"1" else "refuse")

        async def on_accept_proposal(self, message):
            if message.protocol == "fipa-contract-net":
                heard["accepted"] = message.decode(int)
                return {"done": True}
            return None

        async def on_inform(self, message):
            heard.setdefault("item", message.decode(Order))

        async def on_request(self, message):
            heard["sold"] = message.decode(Order)

        async def on_subscribe(self, message):
            return message.reply([message.decode(Order)], performative="inform")

        async def on_cancel(self, message):
            return None

    tea = Order("tea", 3)
    async with client.host(caxton.agent("trader", encoding=encoding, concurrency=1)(Trader)):
        net = await client.contract_net(tea, ["trader"], encoding=encoding, deadline_s=30)
        assert (net.outcome, net.result.decode(dict)) == ("awarded", {"done": True})
        sale = await client.auction(tea, ["trader"], start=1, step=1, encoding=encoding, deadline_s=30)
        assert (sale.outcome, sale.price) == ("sold", 1)
        async with client.subscribe("trader", tea, encoding=encoding) as news:
            assert (await anext(news)).decode(list[Order]) == [tea]
    assert heard == {"task": (tea, encoding), "accepted": 7, "item": tea, "sold": tea}


async def test_without_a_loop_they_are_the_same(served, client):
    """A plain function returns a value, and what it is asked is one."""

    def work():
        with caxton.connect_sync(served.runtime_dir) as plain:
            bid = plain.attach("bidder", lambda one: {"heard": one.message.json()}, encoding="json")
            with bid:
                net = plain.contract_net({"cut": 1}, ["bidder"], encoding="json", deadline_s=1)
                answer = plain.request("bidder", [1], encoding="json")
        return net.outcome, answer.json()

    assert await asyncio.to_thread(work) == ("no_proposals", {"heard": [1]})

"""Calls that are conversations, on a real runtime with agents of this program."""

import asyncio

import pytest

import caxton
from caxton.acl.options import DeliveryOptions
from caxton.errors import AgentNotFound, NoCapableAgents, ResourceExhausted, Timeout, ValidationError

WORKERS = 2
DURABLE = DeliveryOptions(reliability="at_least_once")
LANES = pytest.mark.parametrize("options", [DeliveryOptions(), DURABLE], ids=["volatile", "durable"])


@caxton.agent("library", capabilities=["lend"])
class Library:
    """Agrees, and answers later, as what is asked says."""

    def __init__(self, clerk):
        self.clerk = clerk

    async def on_query_ref(self, message):
        agree = message.reply(b"", performative="agree")
        if message.content == b"never":
            return agree
        if message.content == b"refuse":
            return message.reply(b"closed", performative="refuse")
        if message.content == b"fail":
            return [agree, message.fail("burnt")]
        return [agree, message.reply(b"shelf 7")]

    async def on_request(self, message, turn):
        asked = {"performative": "request", "reply_with": message.reply_with, "reply_to": message.sender}
        turn.send_message(caxton.Message(self.clerk, message.content, **asked))
        return message.reply(b"", performative="agree")

    async def on_inform(self, message):
        if message.content == b"raise":
            raise ValueError("no")


@caxton.agent("clerk", capabilities=["lend"])
class Clerk:
    """Does what the library agreed to."""

    async def on_request(self, message):
        return b"lent " + message.content

    async def on_inform(self, message):
        """Take note."""


class Ticker:
    """Tells its subscribers what it is told, and remembers who cancelled."""

    def __init__(self):
        self.subscribers = {}
        self.cancelled = asyncio.Event()

    async def on_subscribe(self, message):
        if message.content == b"no":
            return message.reply(b"not for you", performative="refuse")
        self.subscribers[message.conversation_id] = message
        return message.reply(b"", performative="agree")

    async def on_inform(self, message, turn):
        for subscribed in self.subscribers.values():
            turn.send_message(subscribed.reply(message.content))

    async def on_failure(self, message, turn):
        for subscribed in self.subscribers.values():
            turn.send_message(subscribed.fail(message.content.decode()))

    async def on_cancel(self, message):
        self.subscribers.pop(message.conversation_id)
        self.cancelled.set()
        return message.reply(b"")


@pytest.fixture
async def ticker(client):
    """One that tells, attached."""
    made = Ticker()
    async with client.host(caxton.agent("ticker", capabilities=["tick"])(made)):
        yield made


@pytest.fixture
async def hosted(client):
    """The two, attached."""
    async with client.host(Library(client.id_of("clerk")), Clerk):
        yield


@LANES
async def test_a_query_waits_for_what_follows_an_agree(client, hosted, options):
    """An inform, a refuse and a failure are returned as they are said."""
    said = [await client.query("library", asked, options=options, timeout_s=30) for asked in (b"", b"refuse", b"fail")]
    assert [(each.performative.act, each.content) for each in said] == [
        ("inform", b"shelf 7"),
        ("refuse", b"closed"),
        ("failure", b"burnt"),
    ]
    assert {each.protocol for each in said} == {"fipa-query"}
    assert len({each.conversation_id for each in said}) == 3


async def test_an_agree_alone_is_no_answer(client, hosted):
    """Nothing after the agree is a Timeout; without a protocol the agree is what is returned."""
    with pytest.raises(Timeout):
        await client.query("library", b"never", timeout_s=0.5)
    plain = await client.request("library", b"never", performative="query-ref", timeout_s=30)
    assert plain.performative.act == "agree"


@LANES
async def test_another_agent_may_say_what_follows(client, hosted, options):
    """Who agreed lets somebody else answer; the call has its answer from there."""
    said = await client.request("library", b"Emma", protocol="fipa-request", options=options, timeout_s=30)
    assert (said.sender, said.content) == (client.id_of("clerk"), b"lent Emma")


async def test_a_query_for_a_capability(client, hosted):
    """One that has it is asked, and its agree is no answer either."""
    clerk = await client.inspect("clerk")
    await client.advertise("clerk", remove=clerk.capabilities)
    said = await client.query(caxton.Capability("lend"), b"", timeout_s=30)
    assert (said.sender, said.content) == (client.id_of("library"), b"shelf 7")
    await client.advertise("clerk", add=clerk.capabilities)


@LANES
async def test_a_broadcast_has_a_result_for_each(client, hosted, options):
    """Who is there has a receipt, who is not an error with its name; the order is that of the call."""
    results = await client.broadcast(b"news", ["library", "nobody", "clerk"], options=options)
    assert [*results] == [client.id_of(name) for name in ("library", "nobody", "clerk")]
    kinds = [type(result) for result in results.values()]
    assert kinds == [caxton.Receipt, AgentNotFound, caxton.Receipt]
    assert results[client.id_of("nobody")].agent == "nobody"


async def test_a_broadcast_to_everybody_who_can(client, hosted):
    """A capability stands for all who have it, and nobody, too many and one twice are refused."""
    results = await client.broadcast(b"news", caxton.Capability("lend"))
    assert [*results] == [client.id_of("clerk"), client.id_of("library")]
    assert all(isinstance(result, caxton.Receipt) for result in results.values())
    with pytest.raises(NoCapableAgents):
        await client.broadcast(b"", caxton.Capability("fly"))
    with pytest.raises(ResourceExhausted):
        await client.broadcast(b"", caxton.Everyone("lend", most=1))
    with pytest.raises(ValidationError, match="0 agents, where 1 to 10,000"):
        await client.broadcast(b"", [])
    with pytest.raises(ValidationError, match="10001 agents"):
        await client.broadcast(b"", range(1, 10_002))
    with pytest.raises(ValidationError, match="is in it twice"):
        await client.broadcast(b"", ["clerk", client.id_of("clerk")])


@LANES
async def test_what_an_agent_tells_is_read_in_order(client, ticker, options):
    """A subscriber has every inform in order, and its end cancels; what comes later is not in its inbox."""
    heard = []
    async with client.subscribe("ticker", b"all", options=options, timeout_s=30) as news:
        for number in range(5):
            await client.send("ticker", b"%d" % number, options=options)
        async for message in news:
            heard.append(message.content)
            if len(heard) == 5:
                break
    await ticker.cancelled.wait()
    assert heard == [b"0", b"1", b"2", b"3", b"4"]
    assert (ticker.subscribers, len(client.inbox())) == ({}, 0)


async def test_an_agent_ends_what_it_tells(client, ticker):
    """A failure ends the loop after what came before it, a refuse at once; neither is cancelled."""
    news = client.subscribe(caxton.Capability("tick"), timeout_s=30)
    async with news:
        await client.send("ticker", b"one")
        await client.send("ticker", b"sold out", performative="failure")
        assert [message.content async for message in news] == [b"one"]
    assert (news.last_word.performative.act, news.last_word.content) == ("failure", b"sold out")
    refused = client.subscribe("ticker", b"no", timeout_s=30)
    assert [message async for message in refused] == []
    assert refused.last_word.content == b"not for you"
    assert not ticker.cancelled.is_set()


async def test_a_subscriber_that_is_cancelled_cancels(client, ticker):
    """The end of the task that reads is told to the agent."""
    begun = asyncio.Event()

    async def read():
        async for _ in client.subscribe("ticker", timeout_s=30):
            begun.set()

    async with asyncio.TaskGroup() as group:
        reading = group.create_task(read())
        while not begun.is_set():
            await client.send("ticker", b"tick")
        reading.cancel()
    await asyncio.wait_for(ticker.cancelled.wait(), 30)


async def test_a_subscriber_that_does_not_read(client, ticker):
    """More than may wait ends it by name, after what is there, and the agent is told."""
    async with client.subscribe("ticker", most_unread=2, timeout_s=30) as news:
        while news._news.ended is None:
            await client.send("ticker", b"tick")
        assert [(await anext(news)).content for _ in range(2)] == [b"tick", b"tick"]
        with pytest.raises(ResourceExhausted, match="unread messages of a subscription"):
            await anext(news)
    await asyncio.wait_for(ticker.cancelled.wait(), 30)


async def test_nobody_to_subscribe_to(client):
    """Who is not there, and a capability that nobody has, are told by name; so are options that make no sense."""
    with pytest.raises(AgentNotFound, match="nobody"):
        await client.subscribe("nobody").__aenter__()
    with pytest.raises(NoCapableAgents):
        await client.subscribe(caxton.Capability("fly")).__aenter__()
    with pytest.raises(ValidationError, match="idempotency key"):
        client.subscribe("ticker", options=DeliveryOptions(idempotency_key="k"))
    with pytest.raises(ValidationError, match="most_unread"):
        client.subscribe("ticker", most_unread=1_001)

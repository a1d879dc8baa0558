"""Agents that are functions and classes of this program, on a real runtime."""

import asyncio
import os

import pytest

import caxton
from caxton.errors import AgentAlreadyRegistered, AlreadyAttached, HandlerFailed, ValidationError

WORKERS = 2


@caxton.agent("upper", capabilities=["shout"])
async def upper(message):
    return message.content.upper()


@caxton.agent("pid")
def pid(message):
    return b"%d" % os.getpid()


@caxton.agent("seller")
class Seller:
    def __init__(self, price=7):
        self.price = price
        self.sold = 0

    async def on_cfp(self, message):
        return message.reply(b"%d" % self.price, performative="propose")

    async def on_accept_proposal(self, message, turn):
        self.sold += 1
        turn.send("upper", b"sold")
        return b"yours"

    async def on_request(self, message):
        raise ValueError("ask for proposals")


async def test_functions_and_classes_answer(client):
    """Each of several agents of one program answers, by the method of the act, and they talk to others by name."""
    seller = Seller(price=9)
    async with client.host(upper, pid, seller) as hosting:
        assert sorted(hosting.agents) == ["pid", "seller", "upper"]
        assert (await client.request("upper", b"a")).content == b"A"
        assert (await client.request("pid", b"")).content == b"%d" % os.getpid()
        bid = await client.request("seller", b"", performative="cfp")
        assert (bid.performative, bid.content) == (caxton.Performative.PROPOSE, b"9")
        won = await client.request("seller", b"", performative="accept-proposal")
        assert (won.content, seller.sold) == (b"yours", 1)
        not_understood = await client.request("seller", b"", performative="subscribe")
        assert not_understood.performative is caxton.Performative.NOT_UNDERSTOOD
        with pytest.raises(HandlerFailed, match="ask for proposals"):
            await client.request("seller", b"", performative="request")
        assert (await client.inspect("upper")).capabilities == ("shout",)
    assert (await client.inspect("upper")).state == "detached"


async def test_a_client_knows_its_own_agents(client):
    """What is decorated by a client is served by it until the task is cancelled; what was sent meanwhile waits."""
    handled = asyncio.Event()

    @client.agent("noted")
    async def noted(message):
        handled.set()

    async with client.host():
        pass
    await client.send("noted", b"for whoever comes")
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(client.serve())
        await handled.wait()
        serving.cancel()
    assert (await client.inspect("noted")).state == "detached"


async def test_none_is_hosted_where_one_cannot_be(client, served, agent):
    """A name that is an agent's with a module, or another program's, ends the block at its entry, and all are free."""
    await agent("echo", "taken")

    @caxton.agent("taken")
    async def taken(message):
        """Never called."""

    with pytest.raises(AgentAlreadyRegistered):
        async with client.host(upper, taken):
            pytest.fail("the block was entered")
    async with served.connect() as other, other.host(upper):
        with pytest.raises(AlreadyAttached):
            async with client.host(upper):
                pytest.fail("the block was entered")
        assert (await client.request("upper", b"a")).content == b"A"


async def test_what_is_taken_over_ends_the_block(client, served):
    """A block whose agent another program takes over ends with that error, and its other agents end with it."""
    async with served.connect() as other:
        with pytest.raises(caxton.errors.AgentTakenOver):
            async with client.host(upper, pid) as hosting, other.host(upper, replace=True):
                await hosting.wait()
    assert (await client.inspect("pid")).state == "detached"


async def test_nothing_and_the_same_twice_is_refused(client):
    """Two agents of one name in a block, and a block without any, are refused before anything is attached."""
    with pytest.raises(ValidationError, match="there is none to host"):
        client.host()
    with pytest.raises(ValidationError, match="two of them are named 'upper'"):
        client.host(upper, upper)

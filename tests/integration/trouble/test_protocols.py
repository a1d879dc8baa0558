"""Protocols on a real runtime with two workers: what does not fit is told to who said it, and deadlines are kept."""

import asyncio
import time

import pytest

import caxton
from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions
from caxton.errors import AnswerOverdue, ProtocolViolation, UnknownProtocol
from caxton.testing import eventually

WORKERS = 2
NET = "fipa-contract-net"
DURABLE = DeliveryOptions(reliability="at_least_once")


@pytest.fixture
async def parties(client):
    """Hosts parties by name: `say(name, message)` lets one of them send it."""
    hosted = []

    async def host(*names):
        heard, following = {name: asyncio.Queue() for name in names}, {}

        def handler(name):
            async def handle(message, turn):
                if message.conversation_id is None:
                    turn.send_message(following.pop(name))
                else:
                    heard[name].put_nowait(message)

            return handle

        block = client.host(*[caxton.agent(name)(handler(name)) for name in names])
        await block.__aenter__()
        hosted.append(block)

        async def say(name, to, act, **fields):
            fields = {"protocol": NET, "conversation_id": talk} | fields
            following[name] = Message(client.id_of(to), b"", performative=act, **fields)
            await client.send(name, b"go on", options=DeliveryOptions(reliability="at_most_once"))

        talk = client.new_conversation()
        return heard, say, talk

    yield host
    for block in hosted:
        await block.__aexit__(None, None, None)


@pytest.mark.parametrize("options", [DeliveryOptions(reliability="at_most_once"), DURABLE])
async def test_a_client_s_call_says_what_was_expected(client, parties, options):
    """On either lane, and of a name that is none of FIPA's."""
    heard, _, talk = await parties("asked")
    before = (await client.conversation_stats()).violations_refused
    kinds = {"performative": "agree", "conversation_id": talk, "delivery_options": options}
    (violation, unknown) = await client.send_batch(
        [Message(client.id_of("asked"), b"", protocol=name, **kinds) for name in ("fipa-request", "fipa-rekwest")]
    )
    assert (type(violation), violation.expected) == (ProtocolViolation, "request from the initiator")
    assert isinstance(unknown, UnknownProtocol)
    assert "fipa-request" in str(unknown)
    assert heard["asked"].empty()
    assert (await client.conversation_stats()).violations_refused == before + 1


async def test_an_agent_is_told_what_was_expected_across_shards(parties):
    """A bidder that informs is not understood; nobody is given that, and its proposal is taken afterwards."""
    heard, say, talk = await parties("buyer", "seller 1", "seller 2", "seller 3")
    for seller in list(heard)[1:]:
        await say("buyer", seller, "cfp")
        assert (await heard[seller].get()).performative is caxton.Performative.CFP
        await say(seller, "buyer", "inform")
        told = await heard[seller].get()
        assert told.performative is caxton.Performative.NOT_UNDERSTOOD
        assert told.conversation_id == talk
        await say(seller, "buyer", "propose")
        bid = await heard["buyer"].get()
        assert bid.performative is caxton.Performative.PROPOSE
        assert bid.in_reply_to is not None, "its shard knows what it answers"


async def test_deadlines_are_kept_by_the_runtime(client, parties):
    """Who called is told of who said nothing, may then award, and the late bid is refused."""
    heard, say, talk = await parties("buyer", "quick", "slow")
    reply_by = time.time_ns() // 1_000_000 + 4_000
    for seller in ("quick", "slow"):
        await say("buyer", seller, "cfp", reply_by=reply_by)
        await heard[seller].get()
    await say("quick", "buyer", "propose")
    assert (await heard["buyer"].get()).performative is caxton.Performative.PROPOSE
    told = await heard["buyer"].get()
    assert isinstance(told.failure(), AnswerOverdue)
    assert (told.sender, told.failure().outcome) == (client.id_of("slow"), "no-proposal")
    await say("slow", "buyer", "propose")
    assert (await heard["slow"].get()).performative is caxton.Performative.NOT_UNDERSTOOD
    await say("buyer", "quick", "accept-proposal")
    assert (await heard["quick"].get()).performative is caxton.Performative.ACCEPT_PROPOSAL
    await say("quick", "buyer", "inform")
    await heard["buyer"].get()

    async def is_done():
        view = await client.conversation(talk)
        return (view.state, view.outcome) == ("completed", "done")

    assert await eventually(is_done)


async def test_a_bidder_that_answers_anything_is_no_bidder(client):
    """A handler that returns bytes to a cfp informs, which nobody is given; the others decide."""

    @caxton.agent("plain")
    async def plain(_):
        return b"7"

    @caxton.agent("bidder")
    async def bidder(message):
        return b"done" if message.performative.act == "accept-proposal" else message.reply(b"8", performative="propose")

    async with client.host(plain, bidder):
        result = await client.contract_net(b"", ["plain", "bidder"], deadline_s=2)
    assert (result.outcome, result.winner) == ("awarded", client.id_of("bidder"))


@pytest.mark.parametrize("options", [DeliveryOptions(reliability="at_most_once"), DURABLE])
@pytest.mark.parametrize("name", ["fipa-rekwest", "caxton:receipt"])
async def test_a_name_that_is_nobody_s_to_use_is_refused_without_a_conversation_too(client, parties, options, name):
    """Whoever misspells one, or says what only the runtime says, is told so, by whichever call."""
    heard, _, _ = await parties("spoken to")
    message = Message(client.id_of("spoken to"), b"", protocol=name, delivery_options=options)
    (unknown,) = await client.send_batch([message])
    assert isinstance(unknown, UnknownProtocol)
    with pytest.raises(UnknownProtocol):
        await client.request("spoken to", b"", protocol=name, options=options)
    assert heard["spoken to"].empty()


@pytest.mark.parametrize("name", ["caxton:conversation", "caxton:escalation"])
async def test_a_program_that_says_what_only_the_runtime_says_is_told_so(parties, name):
    """Whoever it was for is given nothing, also on another shard."""
    heard, say, _ = await parties("forger", "target 1", "target 2", "target 3")
    for target in list(heard)[1:]:
        await say("forger", target, "failure", protocol=name)
        told = await heard["forger"].get()
        assert isinstance(told.failure(), UnknownProtocol)
        assert heard[target].empty()

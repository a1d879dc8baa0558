"""Auctions on a real runtime, with bidders of this program."""

import asyncio

import pytest

import caxton
from caxton.acl.options import DeliveryOptions
from caxton.client.client import Client
from caxton.client.routes.bid_room import BidRoom
from caxton.errors import AgentNotFound, NoCapableAgents, ResourceExhausted, ValidationError
from caxton.ids import AgentId

WORKERS = 2
DURABLE = DeliveryOptions(reliability="at_least_once")
ROUND_S = 2.0


class Bidder:
    """Bids up to its limit; remembers what it was told."""

    def __init__(self, limit):
        self.limit = limit
        self.told = []
        self.ended = asyncio.Event()

    def _note(self, message):
        self.told.append((message.performative.act, message.content))

    async def on_inform(self, message):
        self._note(message)
        if len(self.told) > 1:
            self.ended.set()

    async def on_cfp(self, message):
        self._note(message)
        if int(message.content) <= self.limit:
            return message.reply(message.content, performative="propose")
        return None

    async def on_accept_proposal(self, message):
        self._note(message)
        if message.protocol == "fipa-auction-dutch":
            self.ended.set()

    async def on_reject_proposal(self, message):
        self._note(message)

    async def on_request(self, message):
        self._note(message)
        self.ended.set()


@pytest.fixture
async def bidders(client):
    """Hosts bidders by their limits."""
    hosted = []

    async def host(**limits):
        made = {name: Bidder(limit) for name, limit in limits.items()}
        block = client.host(*(caxton.agent(name, capabilities=["buy"])(bidder) for name, bidder in made.items()))
        await block.__aenter__()
        hosted.append(block)
        return made

    yield host
    for block in hosted:
        await block.__aexit__(None, None, None)
    # What is said to them later, such as that this client has left, is not for those of the next test.
    for name in {agent.name async for agent in client.agents()}:
        await client.remove(name)


@pytest.mark.parametrize("options", [DeliveryOptions(), DURABLE], ids=["volatile", "durable"])
async def test_an_english_auction_goes_to_the_highest(client, bidders, options):
    """Prices rise while anybody but the leader bids; every party is told each step in the protocol."""
    made = await bidders(anna=7, bert=5)
    result = await client.auction(
        b"cow", ["anna", "bert"], start=5, step=1, reserve=5, deadline_s=ROUND_S, options=options
    )
    anna, bert = client.id_of("anna"), client.id_of("bert")
    assert [(each.price, tuple(each.bidders)) for each in result.rounds] == [(5, (anna, bert)), (6, ())]
    assert (result.outcome, result.winner, result.price, result.out) == ("sold_after_tie", anna, 5, {})
    await made["anna"].ended.wait()
    await made["bert"].ended.wait()
    assert [act for act, _ in made["bert"].told] == ["inform", "cfp", "reject-proposal", "cfp", "inform"]
    assert [act for act, _ in made["anna"].told][:4] == ["inform", "cfp", "accept-proposal", "inform"]


async def test_a_leader_is_outbid(client, bidders):
    """Who leads is not asked again until somebody else does."""
    await bidders(anna=7, bert=9)
    result = await client.auction(b"cow", ["anna", "bert"], start=6, step=1, deadline_s=ROUND_S)
    assert [each.price for each in result.rounds] == [6, 7, 8]
    assert (result.outcome, result.winner, result.price) == ("sold", client.id_of("bert"), 7)


async def test_a_dutch_auction_goes_to_the_first(client, bidders):
    """Prices fall until somebody bids; one who is not there is out, with the reason."""
    made = await bidders(anna=3, bert=4)
    result = await client.auction(
        b"tulips", ["anna", "bert", "nobody"], kind="dutch", start=5, step=1, deadline_s=ROUND_S
    )
    assert (result.outcome, result.winner, result.price) == ("sold", client.id_of("bert"), 4)
    assert [type(said) for said in result.out.values()] == [AgentNotFound]
    for bidder in made.values():
        await bidder.ended.wait()
    assert made["bert"].told[-1] == ("accept-proposal", b"4")
    assert made["anna"].told[-1] == ("inform", b"4")


async def test_a_bid_beyond_the_room_for_bids_is_out(served, client, bidders):
    """It is rejected like any that came too late, and the auction goes on among the others."""
    made = await bidders(anna=7)

    @caxton.agent("talker")
    class Talker:
        def __init__(self):
            self.rejected = asyncio.Event()

        async def on_inform(self, message):
            pass

        async def on_cfp(self, message):
            return message.reply(b"6" * 41, performative="propose")

        async def on_reject_proposal(self, message):
            self.rejected.set()

    room, talker = BidRoom(40), Talker()
    async with client.host(talker), Client(served.runtime_dir, bid_room=room) as auctioneer:
        result = await auctioneer.auction(b"cow", ["talker", "anna"], start=6, step=1, deadline_s=ROUND_S)
        assert (result.outcome, result.winner, result.price) == ("sold", client.id_of("anna"), 6)
        assert [(agent, type(said)) for agent, said in result.out.items()] == [
            (client.id_of("talker"), ResourceExhausted)
        ]
        await talker.rejected.wait()
        await made["anna"].ended.wait()
    assert room.held == 0


async def test_what_nobody_wants(client, bidders):
    """Bids below the reserve sell nothing, and a capability stands for all who can buy."""
    await bidders(anna=6)
    buy = caxton.Capability("buy")
    result = await client.auction(b"cow", buy, start=6, step=1, reserve=9, deadline_s=ROUND_S)
    assert (result.outcome, result.winner) == ("not_sold", None)
    result = await client.auction(b"cow", buy, kind="dutch", start=9, step=1, reserve=9, deadline_s=ROUND_S)
    assert (result.outcome, result.winner) == ("no_bidders", None)


@pytest.mark.parametrize(
    ("to", "options", "says"),
    [
        ([], {}, "0 agents"),
        ([AgentId(n) for n in range(1, 1_002)], {}, "1001 agents, where 1 to 1,000"),
        ([7], {"deadline_s": -1}, "deadline_s"),
        ([7], {"kind": "silent"}, "kind"),
        ([7], {"options": DeliveryOptions(idempotency_key="k")}, "an idempotency key"),
    ],
)
async def test_what_is_no_auction_is_refused(client, to, options, says):
    """Bad arguments are told before anything is sent."""
    with pytest.raises(ValidationError, match=says):
        await client.auction(b"", to, start=1, step=1, **options)
    with pytest.raises(NoCapableAgents):
        await client.auction(b"", caxton.Capability("fly"), start=1, step=1)

"""Contract nets on a real runtime, with bidders that propose, refuse, fail, are late, and are not there."""

import asyncio
import subprocess
import sys

import pytest

import caxton
from caxton.acl.options import DeliveryOptions
from caxton.client.client import Client
from caxton.client.routes.bid_room import BidRoom
from caxton.errors import AgentNotFound, HandlerFailed, NoCapableAgents, ResourceExhausted, Timeout, ValidationError
from caxton.ids import AgentId

WORKERS = 2
# The cheapest bidder, in a program of its own. What it has done is its state.
PROGRAM = """
import asyncio, sys
import caxton

@caxton.agent("cheap", state=int)
class Cheap:
    async def on_cfp(self, message):
        return message.reply(b"1", performative="propose")

    async def on_accept_proposal(self, message, turn):
        turn.state += 1
        return b"done"

    async def on_query_ref(self, message, turn):
        return b"%d" % turn.state

async def main():
    async with caxton.connect(sys.argv[1]) as client, client.host(Cheap, replace=True) as hosting:
        print("attached", flush=True)
        await hosting.wait()

asyncio.run(main())
"""
DURABLE = DeliveryOptions(reliability="at_least_once")


class Bidder:
    """Bids its price; remembers what it was told."""

    def __init__(self, price):
        self.price = price
        self.told = []
        self.heard = asyncio.Event()

    async def on_cfp(self, message):
        self.told.append(message)
        if self.price is None:
            return message.reply(b"no", performative="refuse")
        return message.reply(b"%d" % self.price, performative="propose", reply_with=message.message_id)

    async def on_accept_proposal(self, message):
        self.told.append(message)
        return b"done by %d" % self.price

    async def on_reject_proposal(self, message):
        self.told.append(message)
        self.heard.set()


@pytest.fixture
async def bidders(client):
    """Hosts bidders by their prices; None refuses."""
    hosted = []

    async def host(*prices):
        made = {f"bidder {place}": Bidder(price) for place, price in enumerate(prices)}
        agents = [caxton.agent(name, capabilities=["bid"])(bidder) for name, bidder in made.items()]
        block = client.host(*agents)
        await block.__aenter__()
        hosted.append(block)
        return made

    yield host
    for block in hosted:
        await block.__aexit__(None, None, None)


@pytest.mark.parametrize("options", [DeliveryOptions(), DURABLE])
async def test_the_best_bid_wins_and_everybody_is_told(client, bidders, options):
    """The lowest price is awarded and done, on either lane; the others are rejected, and who refused is listed."""
    made = await bidders(9, 7, None, 8)
    result = await client.contract_net(b"{}", list(made), options=options)

    winner = client.id_of("bidder 1")
    assert (result.outcome, result.winner, result.result.content) == ("awarded", winner, b"done by 7")
    assert (result.proposal.content, [each.content for each in result.proposals]) == (b"7", [b"9", b"7", b"8"])
    assert {agent: said.performative.act for agent, said in result.refusals.items()} == {
        client.id_of("bidder 2"): "refuse"
    }
    for place in (0, 3):
        await made[f"bidder {place}"].heard.wait()
    assert {name: [message.performative.act for message in bidder.told] for name, bidder in made.items()} == {
        "bidder 0": ["cfp", "reject-proposal"],
        "bidder 1": ["cfp", "accept-proposal"],
        "bidder 2": ["cfp"],
        "bidder 3": ["cfp", "reject-proposal"],
    }
    conversations = {message.conversation_id for bidder in made.values() for message in bidder.told}
    assert conversations == {result.conversation_id}
    cfp = made["bidder 0"].told[0]
    assert (cfp.protocol, cfp.ontology, cfp.language, cfp.reply_by > 0) == (
        "fipa-contract-net",
        "contract-net",
        "json",
        True,
    )


async def test_everybody_who_has_a_capability_is_asked(client, bidders):
    """A capability stands for all who have it now, in the order of their names; nobody and too many are errors."""
    made = await bidders(9, None, 7)
    result = await client.contract_net(b"{}", caxton.Capability("bid"))
    assert (result.outcome, result.winner) == ("awarded", client.id_of("bidder 2"))
    assert [each.sender for each in result.proposals] == [client.id_of("bidder 0"), client.id_of("bidder 2")]
    assert [*result.refusals] == [client.id_of("bidder 1")]
    with pytest.raises(NoCapableAgents):
        await client.contract_net(b"{}", caxton.Capability("bid", "sing"))
    with pytest.raises(ResourceExhausted, match="2"):
        await client.contract_net(b"{}", caxton.Everyone("bid", most=2))
    await made["bidder 0"].heard.wait()
    assert [len(bidder.told) for bidder in made.values()] == [2, 1, 2]


async def test_of_equals_the_first_wins(client, bidders):
    """Two bids that are equally good have an outcome of their own, with both."""
    result = await client.contract_net(b"{}", list(await bidders(7, 7)))
    assert (result.outcome, result.winner) == ("awarded_after_tie", client.id_of("bidder 0"))
    assert [each.sender for each in result.tied] == [client.id_of("bidder 0"), client.id_of("bidder 1")]


async def test_who_makes_no_bid_is_no_winner(client, bidders):
    """Agents that refuse, fail, say nothing in time and are not there end as no proposals, each with its reason."""
    (silent,) = await bidders(None)

    @caxton.agent("late")
    async def late(_):
        await asyncio.Event().wait()

    @caxton.agent("broken")
    async def broken(_):
        raise ValueError("no")

    async with client.host(late, broken, drain_s=0):
        result = await client.contract_net(b"{}", [silent, "late", "broken", "nobody"], deadline_s=2)
    assert (result.outcome, result.winner, result.proposals) == ("no_proposals", None, [])
    kinds = {name: type(result.refusals[client.id_of(name)]) for name in ("late", "broken", "nobody")}
    assert kinds == {"late": Timeout, "broken": HandlerFailed, "nobody": AgentNotFound}


async def test_nothing_that_is_good_enough(client, bidders):
    """A choice of none rejects all; a choice that fails does so too, and is raised."""
    made = await bidders(9)
    result = await client.contract_net(b"{}", list(made), choose=lambda _: None)
    assert (result.outcome, result.winner) == ("none_chosen", None)
    await made["bidder 0"].heard.wait()
    made["bidder 0"].heard.clear()

    def wrong(_):
        raise KeyError("price")

    with pytest.raises(KeyError):
        await client.contract_net(b"{}", list(made), choose=wrong)
    await made["bidder 0"].heard.wait()


async def test_a_winner_that_does_not_do_it(client):
    """A winner that says failure, and one that fails, make a net that failed, with what was said."""

    @caxton.agent("boaster")
    class Boaster:
        async def on_cfp(self, message):
            return message.reply(b"1", performative="propose")

        async def on_accept_proposal(self, message):
            if message.content == b"1":
                return message.fail("out of stock")
            raise AssertionError

    async with client.host(Boaster):
        result = await client.contract_net(b"{}", ["boaster"])
    assert (result.outcome, result.result.content, result.error) == ("failed", b"out of stock", None)


async def test_bids_beyond_the_room_for_them_are_turned_away(served, bidders):
    """Who makes one is told that it did not win, and no more of it is kept; the net goes on with the others."""
    made = await bidders(10**40, 9)
    room = BidRoom(40)
    async with Client(served.runtime_dir, bid_room=room) as client:
        large = client.id_of("bidder 0")
        result = await client.contract_net(b"{}", list(made))
        assert (result.outcome, result.winner) == ("awarded", client.id_of("bidder 1"))
        assert {agent: (type(said), said.limit) for agent, said in result.refusals.items()} == {
            large: (ResourceExhausted, 40)
        }
        await made["bidder 0"].heard.wait()
        only = await client.contract_net(b"{}", ["bidder 0"])
        assert (only.outcome, only.proposals) == ("no_proposals", [])
    assert [message.performative.act for message in made["bidder 0"].told][:2] == ["cfp", "reject-proposal"]
    assert room.held == 0


@pytest.mark.parametrize(
    ("to", "options", "says"),
    [
        ([], {}, "0 agents"),
        ([7] * 2, {}, "is in it twice"),
        ([AgentId(n) for n in range(1, 1_002)], {}, "1001 agents, where 1 to 1,000"),
        ("bidder", {}, "where a list of AgentId is wanted"),
        ([7], {"deadline_s": -1}, "deadline_s"),
        ([7], {"deadline_s": 0}, "nobody can answer within 0 seconds"),
        ([7], {"choose": "best"}, "choose"),
        ([7], {"options": DeliveryOptions(idempotency_key="k")}, "an idempotency key names one message"),
    ],
)
async def test_what_is_no_contract_net_is_refused(client, to, options, says):
    """Bad arguments are told before anything is sent."""
    with pytest.raises(ValidationError, match=says):
        await client.contract_net(b"{}", to, **options)


async def test_a_bidder_that_is_killed_does_what_it_was_awarded_once(client, served, bidders):
    """On the durable lane a bidder whose program is killed bids when it is back, and has done each task once."""
    started = []

    def start():
        program = subprocess.Popen([sys.executable, "-c", PROGRAM, str(served.runtime_dir)], stdout=subprocess.PIPE)
        started.append(program)
        assert program.stdout.readline() == b"attached\n"

    try:
        start()
        others = list(await bidders(5, 6))
        for number in range(12):
            if number == 4:
                started[-1].kill()
                again = asyncio.get_running_loop().run_in_executor(None, start)
            result = await client.contract_net(b"{}", ["cheap", *others], options=DURABLE)
            assert (result.outcome, result.winner) == ("awarded", client.id_of("cheap"))
        await again
        asked = await client.request("cheap", b"", performative="query-ref", options=DURABLE, timeout_s=30)
        assert asked.content == b"12"
    finally:
        for program in started:
            program.kill()
            program.communicate()

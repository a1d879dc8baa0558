"""Clients that disappear, or break a call off, in the midst of a negotiation: whoever takes part is told."""

import asyncio
import subprocess
import sys
from contextlib import suppress
from itertools import count

import pytest

import caxton
from caxton.acl.options import DeliveryOptions
from caxton.errors import AgentNotRunning, SessionNotFound
from caxton.testing import eventually

WORKERS = 2
NUMBERS = count()
LANES = ("at_most_once", "at_least_once")
# What a program does that is killed meanwhile, by its name.
PROGRAM = """
import asyncio, sys
import caxton

async def main():
    directory, what, lane, *names = sys.argv[1:]
    options = caxton.DeliveryOptions(reliability=lane)
    async with caxton.connect(directory) as client:
        if what == "net":
            await client.contract_net(b"{}", names, deadline_s=120, options=options)
        elif what == "auction":
            await client.auction(b"cow", names, start=1, step=1, deadline_s=120, options=options)
        elif what == "subscribe":
            async for _ in client.subscribe(names[0], options=options):
                pass
        else:
            await client.request(names[0], b"x", protocol="fipa-request", timeout_s=120, options=options)

asyncio.run(main())
"""


class Bidder:
    """Bids, agrees, or says nothing; keeps what it is told."""

    def __init__(self, name, *, silent=False):
        self.name, self._is_silent = name, silent
        self.asked, self.cancelled = asyncio.Event(), asyncio.Event()
        self.acts, self.cancels = [], []

    def _says(self, message, performative):
        self.acts.append(message.performative.act)
        self.asked.set()
        return None if self._is_silent else message.reply(b"5", performative=performative)

    async def on_cfp(self, message):
        return self._says(message, "propose")

    async def on_request(self, message):
        return self._says(message, "agree")

    async def on_subscribe(self, message):
        return self._says(message, "agree")

    async def on_inform(self, message):
        self.acts.append("inform")

    async def on_cancel(self, message):
        self.acts.append("cancel")
        self.cancels.append(message)
        self.cancelled.set()
        return message.reply(b"so be it", performative="inform")


@pytest.fixture
async def bidders(client):
    """Hosts one that bids or agrees, and one that says nothing."""
    made = [Bidder(f"talker {next(NUMBERS)}"), Bidder(f"silent {next(NUMBERS)}", silent=True)]
    async with client.host(*[caxton.agent(each.name)(each) for each in made]):
        yield made


@pytest.fixture
def run(served):
    """Starts the program; it is killed at the end."""
    started = []

    def start(what, lane, bidders):
        command = [sys.executable, "-c", PROGRAM, str(served.runtime_dir), what, lane, *[each.name for each in bidders]]
        started.append(subprocess.Popen(command))
        return started[-1]

    yield start
    for program in started:
        program.kill()
        program.wait()


async def rest(client, bidder):
    """Wait until an agent takes part in nothing any more."""

    async def look():
        view = await client.inspect(bidder.name)
        return (view.conversations, view.queued) == (0, 0) or None

    assert await eventually(look)


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("what", ["net", "auction", "request", "subscribe"])
async def test_a_client_that_is_killed_is_told_of(client, bidders, run, what, lane):
    """After kill -9 of the initiator each that it asked is sent one cancel, with the reason, and waits for nothing."""
    asked = bidders if what in {"net", "auction"} else bidders[:1]
    program = run(what, lane, asked)
    for each in asked:
        await each.asked.wait()
    program.kill()
    for each in asked:
        await each.cancelled.wait()
        await rest(client, each)
        (cancel,) = each.cancels
        assert isinstance(cancel.failure(), SessionNotFound)
        assert each.acts[-1] == "cancel"


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("what", ["net", "auction", "request"])
async def test_a_call_that_is_broken_off_cancels(client, bidders, what, lane):
    """A task that is cancelled in a call says so to those that it asked; it is the client's own cancel."""
    options = DeliveryOptions(reliability=lane)
    asked = bidders if what in {"net", "auction"} else bidders[:1]
    names = [each.name for each in asked]
    calls = {
        "net": lambda: client.contract_net(b"{}", names, deadline_s=120, options=options),
        "auction": lambda: client.auction(b"cow", names, start=1, step=1, deadline_s=120, options=options),
        "request": lambda: client.request(names[0], b"x", protocol="fipa-request", timeout_s=120, options=options),
    }
    async with asyncio.TaskGroup() as group:
        call = group.create_task(calls[what]())
        for each in asked:
            await each.asked.wait()
        call.cancel()
    for each in asked:
        await each.cancelled.wait()
        await rest(client, each)
        (cancel,) = each.cancels
        assert (cancel.failure(), cancel.protocol is not None) == (None, True)
    before = await client.stats()
    assert [worker["violations"] for worker in before.workers] == [0, 0]


async def test_a_request_to_a_capability_is_cancelled_where_it_went(client):
    """Whoever was chosen is told when the call is broken off."""
    chosen = Bidder(f"talker {next(NUMBERS)}")
    async with client.host(caxton.agent(chosen.name, capabilities=["talk"])(chosen)), asyncio.TaskGroup() as group:
        call = group.create_task(
            client.request(caxton.Capability("talk"), b"x", protocol="fipa-request", timeout_s=120)
        )
        await chosen.asked.wait()
        call.cancel()
        await chosen.cancelled.wait()
        assert chosen.acts == ["request", "cancel"]


async def _drains(client, name):
    return (await client.inspect(name)).state == "draining"


async def test_an_agent_that_drains_is_free_when_its_client_is_killed(client, run):
    """What an agent that drains waits for ends with the client that would have said it."""
    bidder = Bidder(f"talker {next(NUMBERS)}")
    async with asyncio.TaskGroup() as group:
        with suppress(AgentNotRunning):  # which ends the block of an agent that was stopped, whatever that waits for
            async with client.host(caxton.agent(bidder.name)(bidder)):
                program = run("net", "at_least_once", [bidder])
                await bidder.asked.wait()
                draining = group.create_task(client.drain(bidder.name, timeout_s=60))
                await eventually(lambda: _drains(client, bidder.name))
                program.kill()
                await asyncio.Event().wait()
    assert draining.result().is_complete

"""A client finds who can do it: it asks at the first use, waits for answers no longer than it may, and forgets."""

import asyncio

import pytest

from caxton.acl.capability import Balancing
from caxton.capabilities.candidates import Candidate
from caxton.client.routes import capable_agents as module
from caxton.client.routes.capable_agents import CapableAgents
from caxton.errors import NoCapableAgents, ResourceExhausted, ShardUnavailable, Timeout
from caxton.wire.capable import Capable

HOW = Balancing.LEAST_CONNECTIONS
MARK = bytes(16)


class Runtime:
    """Workers that answer what is asked of them with these agents, as soon as it is said."""

    def __init__(self, *agents, refuses=False):
        self.agents, self.refuses, self.silent, self.said = agents, refuses, False, []
        self.capable = CapableAgents(lambda: 0.0)
        self.capable.say = self.say
        self.versions = 0
        self.spoken = asyncio.Event()

    def say(self):
        for shard, _taken, wanted in self.capable.subscriptions.say(0.0):
            self.said.append((shard, wanted))
            self.spoken.set()
            for one in () if self.silent else wanted:
                asyncio.get_running_loop().call_soon(self.answer, shard, one.key, one.asked)

    def answer(self, shard, key, asked):
        self.versions += 1
        told = [Candidate(agent, 1) for agent in (self.agents[shard] if self.agents else ())]
        page = Capable(100 + shard, MARK, 5, shard, key, None, self.versions, 0, False, told, asked, self.refuses)
        self.capable.hear(page)

    def serve(self, *incarnations, states=None):
        self.capable.serve(list(incarnations), states or ["ready" if n else "starting" for n in incarnations])

    async def find(self, *tried, key="a", number=None, timeout_s=5.0):
        return await self.capable.find(key, HOW, tried, number, timeout_s)


async def test_the_first_use_asks_every_shard_and_later_ones_ask_nobody():
    """From then on what changes is told."""
    runtime = Runtime([5], [6])
    runtime.serve(100, 101)
    assert await runtime.find() == 5
    said = len(runtime.said)
    assert await runtime.find(5) == 6
    assert runtime.capable.pick("a", HOW, (), None) == 5
    assert len(runtime.said) == said == 2


async def test_nobody_is_found_only_after_a_fresh_answer():
    """Who was deployed since the last one is found."""
    runtime = Runtime([], [])
    runtime.serve(100, 101)
    with pytest.raises(NoCapableAgents, match="@a"):
        await runtime.find()
    runtime.agents = ([], [7])
    assert await runtime.find() == 7


async def test_all_were_tried():
    """The error says who."""
    runtime = Runtime([5])
    runtime.serve(100)
    with pytest.raises(NoCapableAgents, match="0000000000000005"):
        await runtime.find(5)


async def test_a_shard_that_does_not_answer_is_a_timeout():
    """After as long as the caller waits."""
    runtime = Runtime([5])
    runtime.silent = True
    runtime.serve(100)
    with pytest.raises(Timeout, match="@a"):
        await runtime.find(timeout_s=0.05)


async def test_a_shard_that_is_away_may_have_somebody():
    """So that is waited for, unless it was given up."""
    runtime = Runtime([], [])
    runtime.serve(100, 0)
    with pytest.raises(ShardUnavailable):
        await runtime.find(timeout_s=0.05)
    runtime.serve(100, 0, states=["ready", "failed"])
    with pytest.raises(NoCapableAgents):
        await runtime.find()


async def test_a_worker_that_comes_back_is_asked():
    """Whoever waits for it finds its agents."""
    runtime = Runtime([], [6])
    runtime.serve(100, 0)
    async with asyncio.TaskGroup() as group:
        found = group.create_task(runtime.find())
        await runtime.spoken.wait()
        runtime.serve(100, 101)
    assert found.result() == 6


async def test_at_the_first_use_nobody_waits_long_for_a_slow_shard():
    """When another one has somebody."""
    runtime = Runtime([5], [])
    runtime.serve(100, 101)
    runtime.answer = lambda shard, key, asked: None if shard else Runtime.answer(runtime, shard, key, asked)
    assert await runtime.find() == 5


async def test_a_shard_that_tells_of_no_more_is_an_error():
    """By name, at once."""
    runtime = Runtime([5], refuses=True)
    runtime.serve(100)
    with pytest.raises(ResourceExhausted, match="capabilities"):
        await runtime.find()


async def test_nothing_is_kept_of_who_waits_no_longer():
    """Whether it was cancelled or its time was up."""
    runtime = Runtime([])
    runtime.silent = True
    runtime.serve(100)
    task = asyncio.get_running_loop().create_task(runtime.find())
    await runtime.spoken.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert runtime.capable._waiting == {}
    assert runtime.capable.subscriptions.find("a").waited_for == 0


async def test_a_number_finds_the_same_agent_again():
    """Two sends with one idempotency key go to one agent."""
    runtime = Runtime([5, 6, 7], [8, 9])
    runtime.serve(100, 101)
    found = {await runtime.find(number=77) for _ in range(20)}
    assert len(found) == 1


async def test_a_conversation_goes_on_with_the_same_agent():
    """As long as it has the capability, and did not refuse."""
    runtime = Runtime([5, 6, 7])
    runtime.serve(100)
    await runtime.find()
    runtime.capable.remember(b"c", "a", 6)
    assert runtime.capable.remembered(b"c", "a", ()) == 6
    assert runtime.capable.remembered(b"c", "a", (6,)) is None
    assert runtime.capable.remembered(b"d", "a", ()) is None
    runtime.agents = ([5, 7],)
    runtime.answer(0, "a", 1)
    assert runtime.capable.remembered(b"c", "a", ()) is None


async def test_no_more_conversations_are_remembered_than_so_many(monkeypatch):
    """The one that was not used for longest goes."""
    monkeypatch.setattr(module, "MOST_REMEMBERED", 2)
    runtime = Runtime([5, 6])
    runtime.serve(100)
    await runtime.find()
    for conversation in (b"c", b"d", b"c", b"e"):
        runtime.capable.remember(conversation, "a", 6)
    assert [one for one in (b"c", b"d", b"e") if runtime.capable.remembered(one, "a", ())] == [b"c", b"e"]

"""The busiest agents of a shard: who is told, what a look costs the others, and for how long it answers everybody."""

import asyncio

import pytest

from caxton.errors import Timeout
from caxton.wire.busy import MAX_BUSIEST, AskBusiest, Busiest, BusyAgent, BusyBy, most_busy
from workers.agents.registry import Hold
from workers.loop.busy_calls import FRESH_NS, BusyCalls

NS_PER_S = 10**9


class Asking:
    """A shard that is asked, on a clock of the test's."""

    def __init__(self, shard):
        self.shard, self.now_ns = shard, NS_PER_S
        self.calls = BusyCalls(shard.parts, lambda: self.now_ns)

    def ask(self, by=BusyBy.TURNS, limit=MAX_BUSIEST, after_ns=NS_PER_S):
        self.now_ns += after_ns
        return self.shard.runner.run(self.calls.answer(AskBusiest(by, limit), lambda: None))


@pytest.fixture
def asking(shard):
    return Asking(shard)


def names(told):
    return [agent.name for agent in told.agents]


def test_each_order_has_those_who_have_most_of_it(asking, message):
    """By turns, by what these took, by failures, and by what waits; what is told is of a second of the last look."""
    first, second, third, idle = (asking.shard.agent(number) for number in range(1, 5))
    asking.ask()
    first.run, second.run = 50, 40
    first.took_ns, second.took_ns = 10**6, NS_PER_S // 2
    second.count("failed", 3)
    second.count("agent_errors", 1)
    third.hold(Hold.PAUSED)
    asking.shard.frame(asking.shard.sessions[0], [message(asking.shard.sessions[0], third.agent_id) for _ in range(5)])
    asking.shard.settle()
    told = {by: asking.ask(by, after_ns=2 * NS_PER_S if by is BusyBy.TURNS else 0) for by in BusyBy}

    assert names(told[BusyBy.TURNS]) == ["a1", "a2"]
    assert names(told[BusyBy.TIME]) == ["a2", "a1"]
    assert names(told[BusyBy.FAILURES]) == ["a2"]
    assert names(told[BusyBy.MAILBOX]) == ["a3"]
    (agent,) = told[BusyBy.FAILURES].agents
    assert (agent.turns_per_s, agent.failures_per_s, agent.time_share, agent.turns, agent.failures) == (
        20,
        2,
        0.25,
        40,
        4,
    )
    assert (told[BusyBy.TURNS].over_ms, told[BusyBy.TURNS].total) == (2_000, 4)
    assert idle.looked == (0, 0, 0)


def test_who_did_nothing_since_the_last_look_is_not_busy(asking):
    """What an agent did before counts no more."""
    agent = asking.shard.agent(1)
    agent.run = 1_000
    assert names(asking.ask()) == ["a1"]
    assert names(asking.ask()) == []
    agent.run += 1
    assert [busy.turns_per_s for busy in asking.ask().agents] == [1]


def test_one_look_answers_all_who_ask_in_half_a_second(asking):
    """However many watch, agents are looked through twice a second at most."""
    agent = asking.shard.agent(1)
    agent.run = 10
    told = asking.ask()
    agent.run = 500
    assert asking.ask(after_ns=FRESH_NS - 1) == told
    assert [busy.turns for busy in asking.ask(after_ns=1).agents] == [500]


def test_no_more_than_a_hundred_are_told(asking):
    """The busiest of many, in order; and only as many as are asked for."""
    for number in range(1, 251):
        asking.shard.agent(number).run = number
    told = asking.ask()
    assert [agent.turns for agent in told.agents] == list(range(250, 150, -1))
    assert [agent.turns for agent in asking.ask(limit=3, after_ns=0).agents] == [250, 249, 248]


def test_passes_go_on_while_many_agents_are_looked_through(asking, monkeypatch, one_turn_of_the_loop):
    """After every slice there is a turn of the loop; an agent that goes meanwhile does no harm."""
    monkeypatch.setattr("workers.loop.busy_calls.OF_LOOK", 4)
    agents = [asking.shard.agent(number) for number in range(1, 41)]
    for agent in agents:
        agent.run = 1

    async def beside():
        looking = asyncio.get_running_loop().create_task(asking.calls.answer(AskBusiest(BusyBy.TURNS), lambda: None))
        turns = 0
        while not looking.done():
            asking.shard.settle()
            asking.shard.registry.remove(agents[-1].agent_id)
            turns += 1
            await one_turn_of_the_loop()
        return turns, looking.result()

    turns, told = asking.shard.runner.run(beside())
    assert turns >= 10
    assert len(told.agents) == told.total == 39


def test_who_waits_no_more_is_not_answered(asking):
    """As with every call that looks through much."""

    def given_up():
        raise Timeout("AskBusiest", 1.0)

    with pytest.raises(Timeout):
        asking.shard.runner.run(asking.calls.answer(AskBusiest(BusyBy.TURNS), given_up))


def test_shards_are_told_together():
    """The busiest of all, and the shards that are missing."""

    def busy(shard, turns):
        return BusyAgent(shard + 1, f"of {shard}", shard, "running", turns, 0.0, 0.0, 0, 9, 0)

    parts = [Busiest([busy(0, 3.0), busy(0, 1.0)], 900, 5), Busiest([busy(1, 2.0)], 1_000, 6), Busiest([], 0, 0, [2])]
    whole = most_busy(parts, BusyBy.TURNS, 2)

    assert [agent.turns_per_s for agent in whole.agents] == [3.0, 2.0]
    assert (whole.over_ms, whole.total, whole.missing) == (1_000, 11, [2])

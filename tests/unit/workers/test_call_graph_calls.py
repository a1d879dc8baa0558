"""The call graph as a shard answers it: of real frames and turns, with rates, names and what is left out."""

import pytest

from caxton.acl.envelope import AUTOMATIC
from caxton.wire.call_graph import CLIENTS, AskCallGraph, AskNames, CallGraph, CallPair, Names, merged
from workers.loop.call_graph_calls import FRESH_S, CallGraphCalls


class Asking:
    """A shard of agents that is asked, on a clock of the test's."""

    def __init__(self, shard):
        self.shard, self.now_s = shard, 100.0
        self.calls = CallGraphCalls(shard.parts, lambda: self.now_s)
        self.client = shard.sessions[0]

    def ask(self, limit=100, after_s=1.0):
        self.now_s += after_s
        return self.calls.answer(AskCallGraph(limit))

    def say(self, *messages):
        self.shard.frame(self.client, list(messages))
        self.shard.settle()


@pytest.fixture
def asking(shard):
    return Asking(shard)


def rates(graph):
    return {(pair.sender_name, pair.receiver_name): (pair.messages_per_s, pair.failures_per_s) for pair in graph.pairs}


def test_it_is_counted_from_the_first_question_on(asking, message):
    """What went by before is not told; then messages, answers, what agents send on, and what is refused."""
    first, second = asking.shard.agent(1), asking.shard.agent(2)
    asking.say(message(asking.client, first.agent_id))
    assert asking.ask() == CallGraph([], 0.0, 0.0, 0, 1.0)

    def script(agent, given):
        if agent is first:
            return [message(first.agent_id, second.agent_id), message(first.agent_id, asking.client)]
        return [] if given.flags & AUTOMATIC else [message(second.agent_id, 9 << 10)]

    asking.shard.turns.script = script
    asking.say(message(asking.client, first.agent_id), message(asking.client, 9 << 10))
    told = asking.ask(after_s=2.0)
    assert rates(told) == {
        ("", "a1"): (0.5, 0),
        ("a1", "a2"): (0.5, 0),
        ("a1", ""): (0.5, 0),
        ("a2", ""): (0.5, 0.5),
        ("", ""): (0.5, 0.5),
    }
    assert [pair.messages_error for pair in told.pairs] == [0.0] * 5
    assert (told.over_ms, told.counted) == (2_000, 1.0)
    clients = next(pair for pair in told.pairs if pair.receiver_name == "a1")
    assert (clients.sender_id, clients.sender) == (CLIENTS, None)


def test_one_look_answers_all_who_ask_in_half_a_second(asking, message):
    """However many watch; and what is beyond a limit is told as a sum."""
    agents = [asking.shard.agent(number) for number in range(1, 6)]
    asking.ask()
    for count, agent in enumerate(agents, 1):
        asking.say(*(message(asking.client, agent.agent_id) for _ in range(count)))
    told = asking.ask()
    asking.say(message(asking.client, agents[0].agent_id))
    assert asking.ask(after_s=FRESH_S / 2) == told
    few = asking.ask(2, after_s=0.0)
    assert [pair.receiver_name for pair in few.pairs] == ["a5", "a4"]
    assert few.rest_messages_per_s == 6.0
    assert asking.ask(after_s=FRESH_S) != told


def test_names_are_told_of_agents_that_are_here(asking):
    """Others have none."""
    agent = asking.shard.agent(1)
    assert asking.calls.answer(AskNames([agent.agent_id, 9 << 10])) == Names({agent.agent_id: "a1"})


def test_shards_are_told_together():
    """The busiest pairs of all; the time and the part that was counted are the least of those that serve."""

    def pair(number, rate):
        return CallPair(number, 9, "", "nine", rate, 0.0, 0.0, 0.0)

    parts = [
        CallGraph([pair(1, 3.0), pair(2, 1.0)], 0.5, 0.0, 900, 1.0),
        CallGraph([pair(3, 2.0)], 0.0, 0.25, 1_000, 0.5),
        CallGraph([], 0.0, 0.0, 0, 1.0, [2]),
    ]
    whole = merged(parts, 2)
    assert [one.sender_id for one in whole.pairs] == [1, 3]
    assert (whole.rest_messages_per_s, whole.rest_failures_per_s) == (1.5, 0.25)
    assert (whole.over_ms, whole.counted, whole.missing) == (900, 0.5, [2])

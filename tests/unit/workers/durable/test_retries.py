import pytest

from workers.durable.retries import Retries


@pytest.fixture
def entry(durable_message):
    """A function that makes an entry of a sender for an agent."""
    return lambda agent, sender: (durable_message(sender, agent.agent_id), 1, 1, 1, None)


def test_what_is_due_comes_back_with_what_waits_behind(shard, entry):
    """A message that waits comes back at its time, in front of those of its pair; other pairs wait for their own."""
    retries, agent = Retries(), shard.agent(1)
    first, behind, other = entry(agent, 1), entry(agent, 1), entry(agent, 2)
    retries.hold(agent, first, 10)
    agent.set_aside(behind)
    retries.hold(agent, other, 20)

    assert retries.due(9) == []
    assert retries.due(10) == [(agent, [first, behind])]
    assert retries.due(30) == [(agent, [other])]
    assert agent.retrying is None


def test_what_is_due_at_once_comes_in_the_order_it_came(shard, entry):
    """Messages that are due at the same time come back in the order in which they began to wait."""
    retries, agents = Retries(), [shard.agent(n) for n in range(1, 6)]
    for agent in agents:
        retries.hold(agent, entry(agent, 1), 10)

    assert [agent for agent, _ in retries.due(10)] == agents


def test_an_agent_that_goes_takes_what_waits_with_it(shard, entry):
    """Everything that waits for an agent is returned once, and is not due later."""
    retries, agent = Retries(), shard.agent(1)
    held = [entry(agent, 1), entry(agent, 2)]
    for one in held:
        retries.hold(agent, one, 10)

    assert retries.forget(agent) == held
    assert retries.forget(agent) == []
    assert retries.due(10) == []


def test_a_pair_may_wait_for_a_word_instead_of_a_time(shard, entry):
    """What is held back comes with what waits behind it when it is released, and never by itself."""
    retries, agent = Retries(), shard.agent(1)
    first, behind = entry(agent, 1), entry(agent, 1)
    agent.set_aside(first)
    agent.set_aside(behind)

    assert retries.due(1 << 62) == []
    assert agent.take_from_aside(1) == [first, behind]
    assert agent.take_from_aside(1) == []
    assert agent.set_aside_weight == 0


def test_those_of_a_pair_that_fail_together_wait_together(shard, entry):
    """Messages of one pair that failed before either was tried again come back in order, when the last is due."""
    retries, agent = Retries(), shard.agent(1)
    first, second, behind = (entry(agent, 1) for _ in range(3))
    retries.hold(agent, first, 10)
    retries.hold(agent, second, 30)
    agent.set_aside(behind)

    assert retries.due(29) == []
    assert retries.due(30) == [(agent, [first, second, behind])]
    assert retries.due(1 << 62) == []
    assert agent.retrying is None

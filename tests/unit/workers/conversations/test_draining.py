"""An agent that drains finishes its conversations, and takes nothing new."""

import pytest
from msgspec import structs

from caxton.acl.envelope import AUTOMATIC, Rare
from caxton.acl.performative import Performative
from caxton.agents.lifecycle import AgentState
from workers.agents.registry import Hold
from workers.operations.draining import Draining

CONVERSATIONS = [bytes([number] * 16) for number in range(1, 5)]
REQUEST, INFORM = int(Performative.REQUEST), int(Performative.INFORM)
IN_PROTOCOL = Rare(protocol="fipa-request")


@pytest.fixture
def drain(talk):
    """A function that lets an agent drain."""
    return lambda agent, timeout_ms=60_000: talk.shard.runner.run(
        talk.shard.lifecycle.drain(agent.agent_id, timeout_ms)
    )


@pytest.fixture
def stop_drained(talk):
    """A function that stops what has drained, as a tick does, and returns what that was."""

    async def stopped():
        return [agent_id async for agent_id in talk.shard.lifecycle.stop_drained()]

    return lambda: talk.shard.runner.run(stopped())


def test_who_drains_takes_what_belongs_to_its_conversations(talk, drain):
    """A message of a conversation that it is in is given to it; new ones, others', and those without are refused."""
    assert talk.say(talk.agent) is None
    drain(talk.agent)
    assert talk.say(talk.agent) is None
    assert len(talk.shard.turns.taken) == 2
    assert talk.say(talk.agent, conversation_id=None) == "AgentNotRunning"
    assert talk.say(talk.agent, conversation_id=CONVERSATIONS[0]) == "AgentNotRunning"
    assert talk.say(talk.agent, session=talk.other) == "NotAParticipant"
    assert len(talk.shard.turns.taken) == 2


@pytest.mark.parametrize("forged", [{"sender": 1 << 10}, {"flags": AUTOMATIC}, {"content": b"x" * 2_000_000}])
def test_what_nobody_may_send_is_refused_in_a_drain_too(talk, drain, forged):
    """A drain opens no door: senders, flags and sizes are looked at as ever."""
    assert talk.say(talk.agent) is None
    drain(talk.agent)
    sender = forged.pop("sender", talk.client)
    talk.shard.frame(talk.client, [talk.make(sender, talk.agent.agent_id, **forged)])
    talk.shard.settle()
    assert len(talk.shard.turns.taken) == 1


def test_a_neighbour_that_writes_to_it_first_is_refused(talk, drain):
    """Who is sent a message by an agent of its own shard takes part when it is given it, and not before."""
    drain(talk.second)
    talk.guests[talk.agent] = lambda m: [talk.make(talk.agent.agent_id, talk.second.agent_id)]
    assert talk.say(talk.agent) is None
    assert talk.second not in [agent for agent, _ in talk.shard.turns.taken]
    assert talk.second.agent_id not in talk.record().parties
    assert talk.conversations.active_of(talk.second.agent_id) == 0


def test_a_failure_of_what_it_sent_reaches_it(talk, drain):
    """What it sent in a conversation may come to nothing while it drains: it is told."""
    assert talk.say(talk.agent) is None
    drain(talk.agent)
    talk.guests[talk.agent] = lambda m: [] if m.flags & AUTOMATIC else [talk.make(talk.agent.agent_id, 99 << 10)]
    assert talk.say(talk.agent) is None
    assert [m.flags & AUTOMATIC for agent, m in talk.shard.turns.taken if agent is talk.agent] == [0, 0, AUTOMATIC]


def test_it_stops_when_its_lines_have_ended(talk, drain, stop_drained):
    """In a protocol the line is what counts: once the answer is given, nothing holds the agent."""
    asked = structs.replace(talk.make(talk.client, talk.agent.agent_id, rare=IN_PROTOCOL), performative=REQUEST)
    talk.shard.frame(talk.client, [asked])
    talk.shard.settle()
    drain(talk.agent)
    assert stop_drained() == []
    assert (talk.agent.state, talk.conversations.active_of(talk.agent.agent_id)) == (AgentState.DRAINING, 1)
    answer = talk.make(talk.agent.agent_id, talk.client, rare=IN_PROTOCOL, in_reply_to=asked.message_id)
    said = [structs.replace(answer, performative=INFORM)]
    talk.shard.routes.send_effects(said, (0, 0), talk.agent, asked)
    assert stop_drained() == [talk.agent.agent_id]
    assert (talk.agent.state, len(talk.shard.lifecycle.draining)) == (AgentState.STOPPED, 0)
    assert talk.agent.counters.get("conversations_left") is None


def test_its_time_is_up_with_conversations_left(talk, drain, stop_drained):
    """At the timeout it is stopped as it is, and what was open is counted."""
    for conversation in CONVERSATIONS[:2]:
        assert talk.say(talk.agent, conversation_id=conversation) is None
    drain(talk.agent, 0)
    stop_drained()
    assert talk.agent.state is AgentState.STOPPED
    assert (talk.agent.counters["conversations_left"], talk.agent.counters["messages_left"]) == (2, 0)


def test_another_drain_is_another_timeout(talk, drain, stop_drained):
    """An agent that drains already is given the time that was said last."""
    assert talk.say(talk.agent) is None
    drain(talk.agent)
    stop_drained()
    assert talk.agent.state is AgentState.DRAINING
    drain(talk.agent, 0)
    stop_drained()
    assert talk.agent.state is AgentState.STOPPED


def test_a_program_that_is_away_and_an_open_breaker_get_nothing(talk):
    """Who could not have a message takes none in a drain; on the durable lane it waits for a program."""
    agent = talk.agent
    agent.become(AgentState.DRAINING)
    assert (agent.finishes(durable=False), agent.finishes(durable=True)) == (True, True)
    agent.hold(Hold.ATTACHED)
    assert (agent.finishes(durable=False), agent.finishes(durable=True)) == (False, True)
    agent.attach(talk.client)
    assert agent.finishes(durable=False)
    agent.hold(Hold.BROKEN)
    assert not agent.finishes(durable=True)
    assert not talk.second.finishes(durable=True)


def test_who_is_over_and_for_how_long_others_may(talk):
    """Nothing left, or no time left: either ends it; what is left is told with it."""
    active = {talk.agent.agent_id: 3}
    draining = Draining(lambda agent: active.get(agent, 0))
    draining.begin(talk.agent, 0, 2)
    draining.begin(talk.second, 0, 2)
    assert [each.agent for each in draining.over(1_999_999)] == [talk.second]
    assert draining.left_ms(talk.agent.agent_id, 500_000) == 1
    draining.forget(talk.second.agent_id)
    assert [tuple(each) for each in draining.over(2_000_000)] == [(talk.agent, 0, 3)]
    active.clear()
    assert [tuple(each) for each in draining.over(0)] == [(talk.agent, 0, 0)]
    assert draining.left_ms(talk.second.agent_id, 0) == 0

"""Volatile messages to a capability that an agent does not take go to another one, or fail by name."""

import pytest

from caxton.acl.envelope import Rare
from caxton.acl.failure import read_report
from caxton.errors import AgentNotRunning, NoCapableAgents, ResourceExhausted
from workers.agents.registry import Hold
from workers.capabilities import alternatives

CAN = ("a",)


@pytest.fixture
def sent(shard, message):
    """A function that sends a message to a capability from agent 9, to a receiver that was chosen for it."""
    sender = shard.agent(9)

    def send(receiver, **rare):
        shard.routes.begin(shard.worker._passes.renew())
        shard.routes.send([message(sender.agent_id, receiver, rare=Rare(capability="a", **rare))], (0, 0))
        shard.settle()

    return send


@pytest.fixture
def known(shard):
    """It is known who has the capability."""
    shard.parts.capabilities.look_for("a", 0)
    shard.settle()
    return shard.parts.capabilities


def taken(shard):
    """Who was given what, as they were tried."""
    return [(agent.manifest.name, message.rare.tried) for agent, message in shard.turns.taken if message.rare]


def failures(shard):
    return [read_report(message.content) for agent, message in shard.turns.taken if agent.manifest.name == "a9"]


def test_another_agent_is_tried(shard, known, sent):
    """And the message says who was before."""
    gone, other = shard.agent(1, can=CAN), shard.agent(2, can=CAN)
    shard.elapse()
    gone.close()
    sent(gone.agent_id)

    assert taken(shard) == [(other.manifest.name, (gone.agent_id,))]
    assert shard.counts()["rerouted"] == 1


def test_nobody_is_tried_twice(shard, known, sent):
    """When everybody refused, the sender is told what the last one said."""
    agents = [shard.agent(n, can=CAN) for n in (1, 2, 3)]
    shard.elapse()
    for agent in agents:
        agent.close()
    sent(agents[0].agent_id)

    (error,) = failures(shard)
    assert isinstance(error, AgentNotRunning)
    assert shard.counts()["rerouted"] == 2


def test_no_more_are_tried_than_it_may_be_retried(shard, known, sent):
    """Beside the first."""
    agents = [shard.agent(n, can=CAN) for n in range(1, 8)]
    shard.elapse()
    for agent in agents:
        agent.close()
    sent(agents[0].agent_id, max_retries=2)

    assert shard.counts()["rerouted"] == 2
    assert len(failures(shard)) == 1


def test_a_message_waits_for_word_of_who_can_do_it(shard, sent):
    """The first one to a capability; then it goes."""
    other = shard.agent(2, can=CAN)
    sent(shard.parts.capabilities.nobody)

    assert taken(shard) == [(other.manifest.name, ())]
    assert len(shard.parts.alternatives) == 0


def test_nobody_can_do_it(shard, sent):
    """Its sender is told so by name, once every shard has answered."""
    sent(shard.parts.capabilities.nobody)

    (error,) = failures(shard)
    assert error.capability == "@a"
    assert isinstance(error, NoCapableAgents)


def test_a_shard_that_does_not_answer_is_waited_for_no_longer_than_the_message(make_shard, message, monkeypatch):
    """Or five seconds: then it fails by name."""
    shard = make_shard(shards=2)
    sender = shard.agent(9)
    rare = Rare(capability="a")
    shard.routes.send([message(sender.agent_id, shard.parts.capabilities.nobody, rare=rare, timeout_ms=9_000)], (0, 0))
    shard.settle()
    now_ns = alternatives.monotonic_ns()
    shard.tick()
    assert failures(shard) == []
    assert shard.parts.gauges()["undecided"] == 1
    monkeypatch.setattr(alternatives, "monotonic_ns", lambda: now_ns + 5_000_000_001)
    shard.tick()

    (error,) = failures(shard)
    assert isinstance(error, NoCapableAgents)
    assert len(shard.parts.alternatives) == 0
    assert shard.parts.alternatives._by_sender == {}


def test_no_more_wait_for_word_than_so_many(make_shard, message, monkeypatch):
    """Of one sender, and of all; what is beyond fails at once, by name."""
    monkeypatch.setattr(alternatives, "MOST_UNDECIDED", 3)
    monkeypatch.setattr(alternatives, "MOST_UNDECIDED_OF_ONE", 2)
    shard = make_shard(shards=2)
    nobody = shard.parts.capabilities.nobody
    for n in (9, 10):
        sender = shard.agent(n)
        to = [message(sender.agent_id, nobody, rare=Rare(capability="a")) for _ in range(3)]
        shard.routes.send(to, (0, 0))
    shard.settle()

    assert shard.parts.alternatives.weight == 3
    errors = [read_report(m.content) for _, m in shard.turns.taken]
    assert [type(error) for error in errors] == [ResourceExhausted] * 3
    assert sum("of one agent" in str(error) for error in errors) == 1


def test_what_names_its_receiver_goes_to_nobody_else(shard, known, message):
    """Whatever the receiver can do."""
    gone, _ = shard.agent(1, can=CAN), shard.agent(2, can=CAN)
    sender = shard.agent(9)
    gone.hold(Hold.ATTACHED)
    shard.routes.send([message(sender.agent_id, gone.agent_id)], (0, 0))
    shard.settle()

    assert [type(error) for error in failures(shard)] == [AgentNotRunning]


def test_another_agent_is_let_into_the_conversation(shard, known, message):
    """Of the sender, here: its answer is nobody's that takes no part. The one that is nobody takes none."""
    other = shard.agent(2, can=CAN)
    sender = shard.agent(9)
    session, conversation = shard.sessions[0], bytes(range(16))

    def script(agent, handled):
        if agent is sender and handled.sender == session:
            nobody = shard.parts.capabilities.nobody
            return [message(sender.agent_id, nobody, rare=Rare(capability="a"), conversation_id=conversation)]
        if agent is other:
            return [message(other.agent_id, sender.agent_id, conversation_id=conversation, in_reply_to=bytes(16))]
        return []

    shard.turns.script = script
    shard.frame(session, [message(session, sender.agent_id, conversation_id=conversation)])
    shard.settle()

    assert [agent.manifest.name for agent, _ in shard.turns.taken] == ["a9", "a2", "a9"]
    record = shard.durable.journal.conversations.table.live[conversation]
    assert set(record.parties) == {session, sender.agent_id, other.agent_id}


def test_what_another_shard_sent_in_a_conversation_goes_to_nobody_else(shard, known, message):
    """Its shard would take the answer for a stranger's."""
    gone, _ = shard.agent(1, can=CAN), shard.agent(2, can=CAN)
    error = AgentNotRunning("x", "stopped")
    asked = message(1 << 62 | 1, gone.agent_id, rare=Rare(capability="a"), conversation_id=bytes(16))
    shard.parts.alternatives._line._owners = [1] * 1024

    assert shard.parts.alternatives.take(asked, error, shard.routes) is error

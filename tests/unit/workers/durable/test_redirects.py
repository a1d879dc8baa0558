"""Durable messages to a capability: another agent is tried, they survive whatever ends, and end once."""

import msgspec
import pytest

from caxton.acl.envelope import Rare
from caxton.acl.message import Message
from caxton.acl.performative import Performative
from caxton.agents.lifecycle import AgentState
from caxton.errors import WasmExecutionFailed
from caxton.protocols import standing
from caxton.store.ledger import check
from caxton.wire.calls import DeadLetterFilter
from workers.durable.advertising import Advertising
from workers.sandbox.traps import Trap, TrapReason

CAN = ("a",)
TALK = b"t" * 16


@pytest.fixture
def durable(make_shard):
    """The only shard there is."""
    return make_shard(durable=True)


@pytest.fixture
def client(durable, make_far):
    return make_far(durable.sessions[0], durable)


def asking(receiver, capability="a", **fields):
    """What a guest returns to send one message."""
    return msgspec.msgpack.encode({"messages": [{"capability": capability, "content": b"work", **fields}]})


def works(shard, sender, *failing, **fields):
    """Agent `sender` sends to the capability what it is told to; those that fail trap, others return nothing."""

    def work(agent, _given):
        if agent in failing:
            raise Trap(TrapReason.UNREACHABLE, "x")
        return asking(None, **fields) if agent is sender else None

    shard.turns.work = work


def in_talk(message):
    """Let a message be a request in the conversation."""
    message.conversation_id, message.performative = TALK, int(Performative.REQUEST)
    return message


def given(shard, agent):
    return [g for who, g in shard.turns.ran if who.agent_id == agent.agent_id]


def letters(shard):
    shard.work()
    return shard.runner.run(shard.store.dead_letters(DeadLetterFilter(), 0, 99, with_content=True)).letters


def balanced(shard):
    return check([shard.ledger()]).balanced


def test_a_guest_sends_to_a_capability(durable, client, converse, durable_message):
    """The first message waits for word of who has it, as a dead letter, and goes then."""
    sender, able = durable.agent(9), durable.agent(2, can=CAN)
    works(durable, sender)
    client.send(durable_message(client.number, sender.agent_id))
    client.push()
    converse(durable, client)

    assert len(given(durable, able)) == 1
    assert len(durable.durable.dead_letters) == 0
    assert balanced(durable)


def test_nobody_has_it(durable, client, converse, durable_message):
    """A dead letter says so, and its sender is told, once."""
    sender = durable.agent(9)
    told = []

    def work(agent, raw):
        message = msgspec.msgpack.decode(raw)
        if message["performative"] == "failure":
            told.append(message)
            return None
        return asking(None)

    durable.turns.work = work
    client.send(durable_message(client.number, sender.agent_id))
    client.push()
    converse(durable, client)

    (letter,) = letters(durable)
    assert (letter.reason, letter.error.error) == ("no_capable_agents", "NoCapableAgents")
    assert letter.message.capability.names == ("a",)
    assert len(told) == 1
    assert balanced(durable)


def test_what_one_fails_on_for_good_goes_to_another(durable, client, converse, durable_message):
    """With as many attempts of its own; when that one fails too it is a dead letter that says who was tried."""
    sender, one, two = durable.agent(9), durable.agent(2, can=CAN), durable.agent(3, can=CAN)
    durable.parts.capabilities.look_for("a", 0)
    durable.work()
    works(durable, sender, one, two)
    rare = Rare(capability="a", max_retries=1)
    client.send(durable_message(client.number, one.agent_id, rare=rare))
    client.push()
    converse(durable, client)
    for _ in range(4):
        for agent, entries in durable.durable.retries.due(1 << 62):
            durable.dispatcher.put_back(agent, entries)
        converse(durable, client)

    assert [len(given(durable, agent)) for agent in (one, two)] == [2, 2]
    (letter,) = letters(durable)
    assert (letter.reason, letter.message.tried) == ("poison", (one.agent_id,))
    assert letter.message.receiver == two.agent_id
    (failure,) = [Message.of(m).failure() for m in client.got if m.performative == 9 or m.flags & 1]
    assert isinstance(failure, WasmExecutionFailed)
    assert balanced(durable)


def test_what_waits_for_an_agent_that_is_removed_goes_to_another(durable, client, converse, durable_message):
    """Nothing of it is a dead letter when there is somebody."""
    one, two = durable.agent(2, can=CAN), durable.agent(3, can=CAN)
    durable.parts.capabilities.look_for("a", 0)
    durable.work()
    durable.turns.work = lambda _agent, _given: None
    durable.runner.run(durable.lifecycle.pause(one.agent_id))
    client.send(*(durable_message(client.number, one.agent_id, rare=Rare(capability="a")) for _ in range(3)))
    client.push()
    converse(durable, client)
    durable.runner.run(durable.lifecycle.remove([one.agent_id]))
    converse(durable, client)

    assert len(given(durable, two)) == 3
    assert len(durable.durable.dead_letters) == 0
    assert balanced(durable)


def test_what_is_unresolved_survives(make_shard, make_far, converse, durable_message, restart):
    """The successor looks for somebody again."""
    shard = make_shard(durable=True, shards=2)
    client = make_far(shard.sessions[0], shard)
    sender = shard.agent(9)
    works(shard, sender)
    client.send(durable_message(client.number, sender.agent_id))
    client.push()
    converse(shard, client)
    (letter,) = letters(shard)
    assert letter.reason == "unresolved"

    successor = restart(shard, client)
    able = successor.agent(2, can=CAN)
    converse(successor, client)
    assert len(given(successor, able)) == 1
    assert letters(successor) == []
    assert balanced(successor)


def test_somebody_who_requeues_it_meanwhile_does_no_harm(make_shard, make_far, converse, durable_message):
    """It goes once, and word that comes later finds no letter any more."""
    shard = make_shard(durable=True, shards=2)
    client = make_far(shard.sessions[0], shard)
    sender = shard.agent(9)
    works(shard, sender)
    client.send(durable_message(client.number, sender.agent_id))
    client.push()
    converse(shard, client)
    (letter,) = letters(shard)
    shard.durable.dead_letters.forget([letter.number], "purged")
    able = shard.agent(2, can=CAN)
    shard.elapse()
    shard.work()

    assert given(shard, able) == []
    assert shard.parts.alternatives.weight == 0
    assert balanced(shard)


def test_a_guest_says_itself_what_it_can_do(durable, client, converse, durable_message):
    """With the commit of its turn; one that would have too many fails, and has what it had."""
    agent = durable.agent(2, can=CAN)
    said = [{"advertise": {"add": ["b"], "remove": ["a"]}}, {"advertise": {"add": [str(n) for n in range(64)]}}]
    durable.turns.work = lambda _agent, _given: msgspec.msgpack.encode(said.pop(0))
    client.send(durable_message(client.number, agent.agent_id))
    client.push()
    converse(durable, client)
    client.send(durable_message(client.number, agent.agent_id, rare=Rare(max_retries=0)))
    client.push()
    converse(durable, client)

    assert agent.manifest.capabilities == ("b",)
    assert [letter.error.fields["reason"] for letter in letters(durable)] == ["invalid_output"]


def test_what_agents_have_at_run_time_is_there_after_a_restart(durable, restart):
    """With its weight, and an operator's word."""
    agent = durable.agent(2, can=CAN)
    durable.durable.journal.begin(durable.worker._passes.renew())
    Advertising(durable.registry, durable.durable.journal).change(agent.agent_id, ["b"], [], weight=7)
    durable.work()
    successor = restart(durable)
    found = successor.registry.find(agent.agent_id)

    assert (found.manifest.capabilities, found.manifest.weight) == (("a", "b"), 7)
    assert found.state is AgentState.RUNNING


def test_a_line_with_who_was_tried_ends_at_once(durable, client, converse, durable_message):
    """A request in a protocol goes on with another agent, who answers; with the first nothing is open any more."""
    one, two = durable.agent(2, can=CAN), durable.agent(3, can=CAN)
    durable.parts.capabilities.look_for("a", 0)
    durable.work()

    def work(agent, _given):
        if agent is one:
            raise Trap(TrapReason.UNREACHABLE, "x")
        return msgspec.msgpack.encode({"messages": [{"performative": "agree"}]})

    durable.turns.work = work
    rare = Rare(capability="a", max_retries=1, protocol="fipa-request")
    client.send(in_talk(durable_message(client.number, one.agent_id, rare=rare)))
    client.push()
    converse(durable, client)
    for agent, entries in durable.durable.retries.due(1 << 62):
        durable.dispatcher.put_back(agent, entries)
    converse(durable, client)

    conversations = durable.durable.journal.conversations
    positions = conversations.table.find(TALK).lines.positions
    stands = {line[0]: standing(position).state for line, position in positions.items()}
    assert stands == {one.agent_id: "undelivered", two.agent_id: "agreed"}
    assert (conversations.active_of(one.agent_id), conversations.active_of(two.agent_id)) == (0, 1)
    assert balanced(durable)


def test_an_agent_s_own_line_goes_on_with_another(durable, client, converse, durable_message):
    """An agent that asks a capability has one open line, with whoever has the request now."""
    sender, one, two = durable.agent(9), durable.agent(2, can=CAN), durable.agent(3, can=CAN)
    durable.parts.capabilities.look_for("a", 0)
    durable.work()
    failing = []

    def work(agent, _given):
        if agent is sender and not failing:
            return asking(None, performative="request", protocol="fipa-request", conversation_id=TALK)
        failing.append(agent)
        if len(set(failing)) == 1:
            raise Trap(TrapReason.UNREACHABLE, "x")
        return msgspec.msgpack.encode({"messages": [{"performative": "agree"}]}) if agent is not sender else None

    durable.turns.work = work
    client.send(durable_message(client.number, sender.agent_id))
    client.push()
    converse(durable, client)
    for _ in range(5):
        for agent, entries in durable.durable.retries.due(1 << 62):
            durable.dispatcher.put_back(agent, entries)
        converse(durable, client)

    first = failing[0]
    second = two if first is one else one
    conversations = durable.durable.journal.conversations
    lines = conversations.table.find(TALK).lines
    stands = {line: standing(position).state for line, position in lines.positions.items()}
    assert stands == {
        (sender.agent_id, first.agent_id): "undelivered",
        (first.agent_id, sender.agent_id): "undelivered",
        (sender.agent_id, second.agent_id): "agreed",
        (second.agent_id, sender.agent_id): "agreed",
    }
    assert lines.sought == 0 or lines.positions[sender.agent_id, second.agent_id].marks & 32
    assert balanced(durable)


def test_what_goes_to_everyone_is_of_one_commit(durable, client, converse, durable_message):
    """The first time it waits for word as a dead letter, the second time it does not: each is sent one, once."""
    sender, able = durable.agent(9), [durable.agent(n, can=CAN) for n in (1, 2, 3)]
    works(durable, sender, everyone=True)
    for count in (1, 2):
        client.send(durable_message(client.number, sender.agent_id))
        client.push()
        converse(durable, client)
        assert [len(given(durable, agent)) for agent in able] == [count] * 3

    assert len(durable.durable.dead_letters) == 0
    assert balanced(durable)


def test_what_goes_to_everyone_survives_who_did_not_know_them(make_shard, make_far, restart, converse, durable_message):
    """Its worker died while it waited for another shard to tell: the next one asks again."""
    shard = make_shard(durable=True, shards=2)
    client = make_far(shard.sessions[0], shard)
    sender, able = shard.agent(9), shard.agent(1, can=CAN)
    works(shard, sender, everyone=True)
    client.send(durable_message(client.number, sender.agent_id))
    client.push()
    converse(shard, client)
    assert [letter.reason for letter in letters(shard)] == ["unresolved"]
    successor = restart(shard, client, shards=2)
    successor.work()
    assert len(successor.parts.alternatives) == 1
    alone = restart(successor, client)  # where no other shard is to tell
    converse(alone, client)

    assert len(given(alone, able)) == 1
    assert letters(alone) == []
    assert balanced(alone)

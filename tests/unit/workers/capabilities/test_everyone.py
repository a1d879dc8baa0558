"""What an agent sends to everyone with a capability: one message for each, or an error by name and none."""

import msgspec
import pytest

from caxton.acl.envelope import Rare
from caxton.acl.failure import read_report
from caxton.agents.lifecycle import AgentState
from caxton.errors import NoCapableAgents, ResourceExhausted, ShardUnavailable, WorkLimitExceeded
from caxton.ids import AgentNames
from workers.capabilities import alternatives
from workers.sandbox.guest_messages import GuestOutput

CAN = ("a",)
TALK = b"t" * 16


@pytest.fixture
def durable(make_shard):
    """The only shard there is, with its file."""
    return make_shard(durable=True)


def asks(shard, sender, **fields):
    """Let agent `sender` send to everyone when it is asked by a client; nobody else sends anything."""
    output = msgspec.msgpack.encode({"messages": [{"capability": "a", "everyone": True, "content": b"w", **fields}]})

    def work(agent, given):
        return output if agent is sender and msgspec.msgpack.decode(given)["sender"] in shard.sessions else None

    shard.turns.work = work


def who_ran(shard, *but):
    return sorted(agent.manifest.name for agent, _ in shard.turns.ran if agent not in but)


def told(shard, sender):
    """The errors that an agent was told of in failures."""
    given = [msgspec.msgpack.decode(g) for agent, g in shard.turns.ran if agent is sender]
    return [read_report(one["content"]) for one in given if one["performative"] == "failure"]


def ask_twice(shard, sender, message):
    """Let it do so when nobody is known yet, and when all are. Returns who was given something, each time."""
    found = []
    for _ in range(2):
        shard.turns.ran.clear()
        shard.frame(shard.sessions[0], [message(shard.sessions[0], sender.agent_id)])
        shard.settle()
        shard.elapse()
        found.append(who_ran(shard, sender))
    return found


def test_each_is_sent_one_whoever_is_known(durable, message):
    """At the first time, when the message waits for word of who they are, and later: but for the sender itself."""
    sender = durable.agent(9, can=CAN)
    for n in (1, 2, 3):
        durable.agent(n, can=CAN)
    durable.agent(4, can=("b",))
    asks(durable, sender)

    assert ask_twice(durable, sender, message) == [["a1", "a2", "a3"]] * 2
    assert len(durable.parts.alternatives) == 0
    assert durable.parts.alternatives.weight == 0


def test_each_has_an_id_of_its_own_and_names_nobody_else(make_shard, message):
    """None of them goes to another agent when its receiver does not take it."""
    shard = make_shard()
    sender = shard.agent(9)
    for n in (1, 2, 3):
        shard.agent(n, can=CAN)
    rare = Rare(capability="a", everyone=9, ontology="o")
    shard.routes.send([message(sender.agent_id, shard.parts.capabilities.nobody, rare=rare)], (0, 0))
    shard.settle()
    shard.elapse()

    assert len({m.message_id for _, m in shard.turns.taken}) == 3
    assert [m.rare for _, m in shard.turns.taken] == [Rare(ontology="o")] * 3


def test_nobody_has_it(durable, message):
    """The sender is told so by name."""
    sender = durable.agent(9, can=CAN)
    asks(durable, sender)
    ask_twice(durable, sender, message)

    assert [type(error) for error in told(durable, sender)] == [NoCapableAgents]


@pytest.mark.parametrize(("most", "reached"), [(3, ["a1", "a2", "a3"]), (2, [])])
def test_it_goes_to_no_more_than_the_sender_said(durable, message, most, reached):
    """Exactly so many are each sent one; with one more nobody is, and the sender is told."""
    sender = durable.agent(9)
    for n in (1, 2, 3):
        durable.agent(n, can=CAN)
    asks(durable, sender, everyone=most)

    assert ask_twice(durable, sender, message) == [reached] * 2
    assert [type(error) for error in told(durable, sender)] == ([] if reached else [ResourceExhausted])


@pytest.mark.parametrize("room", ["messages", "bytes"])
def test_it_keeps_to_what_a_turn_may_send(durable, message, room):
    """In number and in bytes, counted for each; the turn itself goes well."""
    limits = {"max_output_messages": 2} if room == "messages" else {"max_output_bytes": 4_096}
    sender = durable.agent(9, **limits)
    for n in (1, 2, 3):
        durable.agent(n, can=CAN)
    asks(durable, sender, content=bytes(1_500))

    assert ask_twice(durable, sender, message) == [[], []]
    assert [type(error) for error in told(durable, sender)] == [ResourceExhausted]
    assert durable.counts()["failed"] == 0


def test_what_follows_from_its_root_bounds_it(durable, message):
    """Each counts as one, also of those that were not known when it was sent: then none is sent."""
    sender = durable.agent(9)
    for n in range(1, 6):
        durable.agent(n, can=CAN)
    asks(durable, sender)
    rare = Rare(max_work=4)
    durable.frame(durable.sessions[0], [message(durable.sessions[0], sender.agent_id, rare=rare)])
    durable.settle()
    durable.elapse()

    assert who_ran(durable, sender) == []
    assert [type(error) for error in told(durable, sender)] == [WorkLimitExceeded]


def test_a_shard_that_does_not_tell_is_named(make_shard, message, monkeypatch):
    """After five seconds: those that are known are not everyone, so none is sent one."""
    shard = make_shard(shards=2)
    sender, _ = shard.agent(9), shard.agent(1, can=CAN)
    rare = Rare(capability="a", everyone=9)
    shard.routes.send([message(sender.agent_id, shard.parts.capabilities.nobody, rare=rare)], (0, 0))
    shard.settle()
    shard.elapse()
    assert len(shard.parts.alternatives) == 1
    now_ns = alternatives.monotonic_ns()
    monkeypatch.setattr(alternatives, "monotonic_ns", lambda: now_ns + 5_000_000_001)
    shard.tick()

    (given,) = shard.turns.taken
    error = read_report(given[1].content)
    assert (type(error), error.shard) == (ShardUnavailable, 1)


def test_one_that_waits_weighs_as_what_may_come_of_it(make_shard, message):
    """A quarter of that: 512 for one sender are eight messages to 256 agents each."""
    shard = make_shard(shards=2)
    sender, nobody = shard.agent(9), shard.parts.capabilities.nobody
    rare = Rare(capability="a", everyone=256)
    shard.routes.send([message(sender.agent_id, nobody, rare=rare) for _ in range(9)], (0, 0))
    shard.settle()

    assert (len(shard.parts.alternatives), shard.parts.alternatives.weight) == (8, 512)
    (given,) = shard.turns.taken
    assert isinstance(read_report(given[1].content), ResourceExhausted)


def test_a_client_cannot_send_so(make_shard, message):
    """Its own library looks for everyone; what it writes into a frame goes nowhere."""
    shard = make_shard()
    shard.agent(1, can=CAN)
    session = shard.sessions[0]
    rare = Rare(capability="a", everyone=256)
    shard.frame(session, [message(session, shard.parts.capabilities.nobody, rare=rare)])
    shard.settle()
    shard.elapse()

    assert shard.turns.taken == []
    assert shard.counts()["refused"] == 1


def test_in_a_conversation_each_is_let_in(durable, message):
    """Also those that are found later: they may answer."""
    sender = durable.agent(9)
    able = [durable.agent(n, can=CAN) for n in (1, 2)]
    asks(durable, sender, conversation_id=TALK)
    answer, of_sender = msgspec.msgpack.encode({"messages": [{"content": b"yes"}]}), durable.turns.work
    durable.turns.work = lambda agent, given: answer if agent in able else of_sender(agent, given)
    durable.frame(durable.sessions[0], [message(durable.sessions[0], sender.agent_id)])
    durable.settle()
    durable.elapse()

    answers = [msgspec.msgpack.decode(given) for agent, given in durable.turns.ran if agent is sender][1:]
    assert {one["sender"] for one in answers} == {agent.agent_id for agent in able}
    assert [(one["performative"], one["conversation_id"]) for one in answers] == [("inform", TALK)] * 2


@pytest.mark.parametrize(
    "said",
    [
        {"everyone": True},
        {"everyone": True, "receiver": 5},
        {"everyone": True, "capability": "a", "receiver": [5]},
        {"everyone": 0, "capability": "a"},
        {"everyone": 257, "capability": "a"},
        {"everyone": "all", "capability": "a"},
    ],
)
def test_what_makes_no_sense_fails_the_turn(durable, message, said):
    """By name, and nothing of it is sent."""
    sender = durable.agent(9)
    durable.agent(1, can=CAN)
    durable.turns.work = lambda agent, _given: msgspec.msgpack.encode({"messages": [said]}) if agent is sender else None
    durable.frame(durable.sessions[0], [message(durable.sessions[0], sender.agent_id, reply_with=bytes(16))])
    durable.settle()

    (answer,) = durable.emitted(durable.sessions[0])
    error = read_report(answer.content)
    assert error.reason == "invalid_output"
    assert who_ran(durable, sender) == []


def test_who_stands_alone_knows_nobody(message):
    """A message to everyone is to nobody where no other agents are known."""
    output = msgspec.msgpack.encode({"messages": [{"capability": "a", "everyone": 7}]})
    handled = message(5, 6)
    ((envelope,), _) = GuestOutput(AgentNames(bytes(32))).read(output, handled, 6, 256, lambda: bytes(16), 1)

    assert (envelope.rare.capability, envelope.rare.everyone) == ("a", 7)


def test_who_is_paused_is_no_candidate(durable, message):
    """As for a message to one of them."""
    sender, paused = durable.agent(9), durable.agent(1, can=CAN)
    durable.agent(2, can=CAN)
    asks(durable, sender)
    paused.become(AgentState.STOPPED)
    durable.elapse()

    assert ask_twice(durable, sender, message) == [["a2"]] * 2

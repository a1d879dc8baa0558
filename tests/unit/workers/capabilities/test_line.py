"""Shards tell each other, and clients, who can do what; guests send to it."""

import pytest
from msgspec import structs

from caxton.acl.capability import Balancing, is_nobody
from caxton.capabilities import publication
from caxton.capabilities.candidates import Candidate
from caxton.wire.capable import Capable, Subscribe, Wanted
from caxton.wire.codec import CONTROL
from workers.agents.registry import Hold

OWN, OTHER = 7, 8


@pytest.fixture
def two(make_shard):
    """The first of two shards."""
    return make_shard(shards=2)


def said_to(shard, number, kind):
    """What a peer was told of capabilities."""
    peer = shard.peers.find(number)
    found = [CONTROL.decode(frame) for frame in peer._control.frames]
    peer._control.frames.clear()
    return [one for one in found if isinstance(one, kind)]


def subscribe(shard, source, *wanted, taken=0):
    shard.say(Subscribe(source, shard.marks.mark(source), OWN, taken, [Wanted(*one) for one in wanted]))
    shard.settle()


def capable(shard, key, *agents, asked=1, **fields):
    """Another worker tells of its agents."""
    plain = {"since": None, "version": 1, "page": 0, "more": False}
    told = [Candidate(agent, 1) for agent in agents]
    mark = shard.marks.mark(OTHER)
    shard.say(Capable(OTHER, mark, OWN, 1, key, candidates=told, asked=asked, **plain | fields))
    shard.settle()


def test_a_client_is_told_who_can_do_it_and_what_changes(shard):
    """All at first, then what changed within a fiftieth of a second."""
    session, agent = shard.sessions[0], shard.agent(1, can=("a",))
    subscribe(shard, session, ("a", 0, 1))
    (told,) = said_to(shard, session, Capable)
    assert (told.since, told.asked, [c.agent_id for c in told.candidates]) == (None, 1, [agent.agent_id])
    agent.hold(Hold.BROKEN)
    shard.settle()
    assert said_to(shard, session, Capable) == []
    shard.elapse()
    (told,) = said_to(shard, session, Capable)
    assert [(c.agent_id, c.weight) for c in told.candidates] == [(agent.agent_id, 0)]


def test_a_client_that_wants_something_else_is_told_of_it(shard, monkeypatch):
    """In the place of what it does not want any more, of which it hears nothing more."""
    monkeypatch.setattr(publication, "MOST_OF_SUBSCRIBER", 1)
    session, agent = shard.sessions[0], shard.agent(1, can=("a", "b"))
    subscribe(shard, session, ("a", 0, 1))
    subscribe(shard, session, ("a", 0, 0, True), ("b", 0, 1))
    assert [(told.key, told.refused) for told in said_to(shard, session, Capable)] == [("a", False), ("b", False)]
    agent.hold(Hold.BROKEN)
    shard.settle()
    shard.elapse()
    assert [told.key for told in said_to(shard, session, Capable)] == ["b"]


def test_the_first_message_to_a_capability_asks_all_shards(two):
    """Its own too; from then on it is known who can do it."""
    own = two.agent(1, can=("a",))
    line = two.parts.capabilities
    assert is_nobody(line.pick("a", Balancing.ROUND_ROBIN, 5))
    two.settle()
    (word,) = said_to(two, OTHER, Subscribe)
    assert [tuple(structs.astuple(one)) for one in word.wanted] == [("a", 0, 1, False)]
    capable(two, "a", 2049)
    assert {line.pick("a", Balancing.ROUND_ROBIN, 5) for _ in range(4)} == {own.agent_id, 2049}


def test_nobody_sends_to_itself(two):
    """Who asks for what it can do itself means another."""
    own = two.agent(1, can=("a",))
    line = two.parts.capabilities
    line.pick("a", Balancing.ROUND_ROBIN, 5)
    two.settle()
    assert is_nobody(line.pick("a", Balancing.ROUND_ROBIN, own.agent_id))
    capable(two, "a", 2049)
    assert {line.pick("a", Balancing.ROUND_ROBIN, own.agent_id) for _ in range(4)} == {2049}


def test_a_conversation_goes_on_with_who_spoke_last(two):
    """Of those that have the capability; without one of them it is whoever is chosen."""
    two.agent(1, can=("a",))
    line = two.parts.capabilities
    line.pick("a", Balancing.ROUND_ROBIN, 5)
    two.settle()
    capable(two, "a", 2049, 3073)
    spoke = {b"c": [9, 5, 3073, 2049], b"d": [9]}
    line.recent = lambda conversation, _agent: spoke.get(conversation, [])

    assert {line.pick("a", Balancing.ROUND_ROBIN, 5, b"c") for _ in range(6)} == {3073}
    assert {line.pick("a", Balancing.ROUND_ROBIN, 3073, b"c") for _ in range(6)} == {2049}
    assert len({line.pick("a", Balancing.ROUND_ROBIN, 5, b"d") for _ in range(6)}) == 3


def test_a_client_cannot_tell_who_can_do_it(shard):
    """What it says is garbage."""
    session = shard.sessions[0]
    shard.parts.capabilities.look_for("a", 5)
    shard.say(Capable(session, shard.marks.mark(session), OWN, 0, "a", None, 1, 0, False, [Candidate(5, 1)]))
    shard.step()

    assert shard.counts()["garbage"] == 1
    assert shard.parts.capabilities.subscriptions.find("a").candidates.ids == []


@pytest.mark.parametrize("key", ["b\na", "x" * 101, "a\n"])
def test_a_key_that_nobody_can_want_is_garbage(shard, key):
    """None of what comes with it counts."""
    subscribe(shard, shard.sessions[0], ("fine", 0, 1), (key, 0, 1))
    shard.step()

    assert shard.counts()["garbage"] == 1
    assert len(shard.parts.capabilities.publication) == 0


def test_a_client_that_ends_is_forgotten(shard):
    """With its subscriptions."""
    subscribe(shard, shard.sessions[0], ("a", 0, 1))
    assert len(shard.parts.capabilities.publication) == 1
    shard.worker.heard_session_end(shard.sessions[0])
    assert len(shard.parts.capabilities.publication) == 0


def test_load_is_told_ten_times_a_second(shard, message):
    """When it differs much; nobody looks at it while nobody subscribed."""
    agent = shard.agent(1, can=("a",))
    assert shard.timers == []
    subscribe(shard, shard.sessions[0], ("a", 0, 1))
    said_to(shard, shard.sessions[0], Capable)
    agent.open_mailbox().depth = 40
    shard.elapse()
    (told,) = said_to(shard, shard.sessions[0], Capable)
    assert [(c.agent_id, c.queued) for c in told.candidates] == [(agent.agent_id, 40)]


def test_gauges_say_how_much_is_told(shard):
    """Of both sides."""
    subscribe(shard, shard.sessions[0], ("a", 0, 1), ("b", 0, 1))
    shard.parts.capabilities.look_for("c", 5)
    gauges = shard.parts.gauges()

    assert (gauges["offers"], gauges["subscriptions"]) == (2, 1)

"""Who may speak in a conversation, what is counted, and when it ends: on one shard of one."""

import pytest

from caxton.acl.envelope import AUTOMATIC, Opening, Rare
from caxton.acl.failure import read_report, report
from caxton.acl.performative import Performative
from caxton.conversations.state import State
from caxton.errors import ConversationStopped, ConversationTimeout, NotAParticipant


def opening(**limits):
    return Rare(conversation=Opening(**limits))


@pytest.fixture
def minutes(talk):
    """A function that lets so many minutes of the served time go by, with a tick at their end."""

    def go_by(count):
        talk.shard.durable.journal.served.now_ms += count * 60_000
        talk.shard.tick()

    return go_by


def test_the_first_message_opens_it(talk):
    """Its sender is the initiator, and with its receiver it takes part; nobody has answered yet."""
    assert talk.say(talk.agent) is None
    record = talk.record()
    assert (record.initiator, set(record.parties)) == (talk.client, {talk.client, talk.agent.agent_id})
    assert (record.state, record.messages, record.begun_here) == (State.INITIATED, 1, True)


def test_every_message_is_counted_once(talk):
    """What agents are given and what leaves for clients; each of them, and each for whom it was."""
    talk.answer(talk.agent)
    for _ in range(5):
        assert talk.say(talk.agent) is None
    record = talk.record()
    assert (record.messages, record.size, record.state) == (10, 10, State.IN_PROGRESS)
    parties = [(one.sender, one.receiver) for one in record.last(99)]
    assert parties.count((talk.client, talk.agent.agent_id)) == parties.count((talk.agent.agent_id, talk.client)) == 5


def test_a_message_without_a_conversation_leaves_no_trace(talk):
    """It is no part of any, and costs nothing."""
    talk.say(talk.agent, conversation_id=None)
    assert not talk.conversations.table.live


def test_agents_of_one_shard_are_in_it_too(talk):
    """Whom an agent writes to is let in, and what it sends is counted once."""
    talk.guests[talk.agent] = lambda m: [talk.make(talk.agent.agent_id, talk.second.agent_id)]
    talk.guests[talk.second] = lambda m: [talk.make(talk.second.agent_id, talk.client)]
    talk.say(talk.agent)
    record = talk.record()
    assert set(record.parties) == {talk.client, talk.agent.agent_id, talk.second.agent_id}
    assert (record.messages, record.initiator) == (3, talk.client)


def test_a_refused_message_opens_nothing(talk):
    """Neither one for nobody, nor one that its receiver has no room for."""
    assert talk.say(99 << 10) == "AgentNotFound"
    assert talk.record() is None
    full = talk.shard.agent(3, capacity=1)
    full.hold(2)
    talk.say(full, conversation_id=None)
    assert talk.say(full) == "QueueFull"
    assert talk.record() is None


def test_a_stranger_is_not_understood(talk):
    """Whoever knows a conversation's id takes no part for that: nothing is delivered, and it is counted."""
    talk.say(talk.agent)
    assert talk.say(talk.agent, session=talk.other) == "NotAParticipant"
    assert talk.say(talk.second, session=talk.other) == "NotAParticipant"
    assert [m.sender for _, m in talk.shard.turns.taken] == [talk.client]
    assert (talk.record().messages, talk.shard.counts()["strangers"]) == (1, 2)


def test_an_agent_is_told_that_it_was_not_understood(talk):
    """By that performative, with the error in it, and not by a failure."""
    talk.say(talk.agent)
    talk.guests[talk.second] = lambda m: (
        [] if m.flags & AUTOMATIC else [talk.make(talk.second.agent_id, talk.agent.agent_id)]
    )
    talk.say(talk.second, session=talk.other, conversation_id=None)
    (told,) = [m for agent, m in talk.shard.turns.taken if agent is talk.second and m.flags & AUTOMATIC]
    assert told.performative == Performative.NOT_UNDERSTOOD
    assert isinstance(read_report(told.content), NotAParticipant)
    assert [m.sender for agent, m in talk.shard.turns.taken if agent is talk.agent] == [talk.client]


def test_whoever_is_written_to_may_answer(talk):
    """A client that an agent writes to takes part from then on."""
    talk.guests[talk.agent] = lambda m: [talk.make(talk.agent.agent_id, talk.other)]
    talk.shard.peers.known(talk.other, talk.shard.marks.mark(talk.other))
    talk.say(talk.agent)
    talk.guests.clear()
    assert talk.say(talk.agent, session=talk.other) is None
    assert talk.record().messages == 3


def test_nobody_more_takes_part_than_may(talk):
    """Whoever opened it is not counted; those who take part go on."""
    few = opening(participants=2)
    agents = [talk.agent, talk.second, talk.shard.agent(3)]
    assert [talk.say(agent, rare=few) for agent in agents] == [None, None, "TooManyParticipants"]
    assert talk.say(talk.agent) is None
    assert talk.shard.counts()["conversations_full"] == 1


def test_an_agent_cannot_let_in_more_either(talk):
    """What it sends to somebody more is refused; it is told, and the rest goes."""
    third = talk.shard.agent(3)
    talk.guests[talk.agent] = lambda m: (
        [] if m.flags & AUTOMATIC else [talk.make(talk.agent.agent_id, to.agent_id) for to in (talk.second, third)]
    )
    talk.say(talk.agent, rare=opening(participants=2))
    given = [agent for agent, m in talk.shard.turns.taken if not m.flags & AUTOMATIC]
    assert given == [talk.agent, talk.second]


@pytest.mark.parametrize(("limits", "what"), [({"turns": 2}, "turns"), ({"size": 2}, "bytes"), ({"hops": 1}, "hops")])
def test_a_limit_stops_it(talk, limits, what):
    """The message that would be beyond is refused, all who take part are told, and nothing more is said."""
    hops = [0]

    def go_on(m):
        hops[0] += 1
        other = talk.second if m.receiver == talk.agent.agent_id else talk.agent
        return [] if m.flags & AUTOMATIC else [talk.make(m.receiver, other.agent_id)]

    talk.guests = {talk.agent: go_on, talk.second: go_on}
    talk.say(talk.agent, rare=opening(**limits))

    record = talk.record()
    assert (record.state, record.stop) == (State.FAILED, (what, next(iter(limits.values()))))
    told = [m for m in talk.shard.emitted(talk.client) if m.flags & AUTOMATIC]
    assert [m.rare.protocol for m in told] == ["caxton:conversation"]
    assert isinstance(read_report(told[0].content), ConversationStopped)
    agents = {agent for agent, m in talk.shard.turns.taken if m.rare is not None and m.rare.protocol is not None}
    assert agents == {talk.agent, talk.second}
    assert talk.say(talk.agent) == "ConversationStopped"
    assert talk.shard.counts()["conversations_stopped"] == 1


def test_it_goes_on_when_it_is_resumed(talk):
    """Its limits begin anew."""
    for error in (None, None, "ConversationStopped"):
        assert talk.say(talk.agent, rare=opening(turns=2)) == error
    talk.conversations.resume(talk.record(), 600)
    assert [talk.say(talk.agent) for _ in range(3)] == [None, None, "ConversationStopped"]
    assert (talk.record().messages, talk.record().resumed) == (4, 1)


def test_its_time_ends(talk, minutes):
    """Thirty minutes after it was opened, whatever is said meanwhile; then it is told what it lasted."""
    talk.say(talk.agent)
    for _ in range(2):
        minutes(14)
        assert talk.say(talk.agent) is None
    minutes(3)
    assert talk.record().state is State.EXPIRED
    assert not talk.conversations.table.live
    assert talk.say(talk.agent) == "ConversationTimeout"
    assert talk.shard.emitted(talk.client) == []


def test_whoever_asked_for_a_time_is_told_of_its_end(talk, minutes):
    """And so are the agents that take part."""
    talk.say(talk.agent, rare=opening(timeout_s=300))
    minutes(6)
    (told,) = talk.shard.emitted(talk.client)
    assert isinstance(read_report(told.content), ConversationTimeout)
    assert [m.rare.protocol for _, m in talk.shard.turns.taken if m.flags & AUTOMATIC] == ["caxton:conversation"]


def test_what_is_under_way_when_it_ends_still_arrives(talk, minutes):
    """An answer of an agent to a client is counted while the conversation is known."""
    talk.say(talk.agent)
    minutes(31)
    record = talk.record()
    talk.shard.routes.a_pass.emitted[talk.client] = [talk.make(talk.agent.agent_id, talk.client)]
    talk.shard.settle()
    assert (record.messages, len(talk.shard.emitted(talk.client))) == (2, 1)


def test_a_million_that_are_left_expire(talk, monkeypatch):
    """The table is at its limit, the oldest are gone, and each new one is taken."""
    monkeypatch.setattr(talk.conversations.table, "_most", 2_000)
    for start in range(0, 6_000, 50):
        some = [
            talk.make(talk.client, talk.agent.agent_id, conversation_id=n.to_bytes(16, "big"))
            for n in range(start, start + 50)
        ]
        talk.shard.frame(talk.client, some)
        talk.shard.settle()
        assert len(talk.conversations.table.live) <= 2_000
    assert talk.record((5_999).to_bytes(16, "big")).messages == 1
    assert talk.record((0).to_bytes(16, "big")).state is State.EXPIRED
    assert talk.shard.counts()["conversations_evicted"] >= 4_000
    assert len(talk.shard.turns.taken) == 6_000


def test_the_runtime_s_own_word_is_never_refused(talk):
    """A failure of a message in a conversation reaches its sender, also when the conversation has ended."""
    gone = 99 << 10
    talk.guests[talk.agent] = lambda m: [] if m.flags & AUTOMATIC else [talk.make(talk.agent.agent_id, gone)]
    talk.say(talk.agent)
    assert [m.performative for _, m in talk.shard.turns.taken if m.flags & AUTOMATIC] == [Performative.FAILURE]


def test_other_shards_are_told_what_they_are_let_into(make_talk):
    """Each message to somebody there says who opened the conversation and what it may be: the first may be lost."""
    talk = make_talk(shards=2)
    there = 7 << 10 | 1
    talk.guests[talk.agent] = lambda m: [talk.make(talk.agent.agent_id, there)]
    talk.say(talk.agent, rare=opening(turns=9))
    talk.say(talk.agent)
    first, second = talk.shard.emitted(8)
    told = first.rare.conversation
    assert (told.initiator, told.turns, told.timeout_s) == (talk.client, 9, 1_800)
    assert second.rare == first.rare
    assert set(talk.record().parties) == {talk.client, talk.agent.agent_id, there}
    assert talk.record().messages == 2  # the others are counted there


def test_a_shard_believes_what_others_let_in(make_talk):
    """Somebody of another shard may speak whom that one let into the same conversation, and nobody else."""
    talk = make_talk(shards=2)
    talk.say(talk.agent)
    theirs = [(n << 10) | 1 for n in range(3)]
    same, another = (Rare(conversation=Opening(initiator=who)) for who in (talk.client, talk.other))
    for sender, rare in zip(theirs, (same, another, None), strict=True):
        talk.shard.frame(8, [talk.make(sender, talk.agent.agent_id, rare=rare)])
    talk.shard.settle()
    assert [m.sender for _, m in talk.shard.turns.taken] == [talk.client, theirs[0]]
    assert talk.say(talk.agent, session=talk.other, rare=same) == "NotAParticipant"


def test_a_conversation_of_another_shard_is_known_as_such(make_talk):
    """It is that shard's to count, its initiator is who opened it there, and its time began there."""
    talk = make_talk(shards=2)
    talk.conversations.wall_ms = now_ms = talk.shard.worker._passes.present.wall_ms
    told = Opening(initiator=talk.client, opened_ms=now_ms - 60_000, timeout_s=300)
    talk.shard.frame(8, [talk.make(7 << 10 | 1, talk.agent.agent_id, rare=Rare(conversation=told))])
    talk.shard.settle()
    record = talk.record()
    assert (record.initiator, record.begun_here, record.opened_ms) == (talk.client, False, now_ms - 60_000)
    left_ms = record.due_ms - talk.shard.durable.journal.served.now_ms
    assert 0 < left_ms <= 240_000


def test_a_limit_of_somebody_else_s_conversation_of_that_name_ends_nothing(make_talk):
    """Neither whoever opened another one under its id, nor a stranger; an agent that is in neither is not told."""
    talk = make_talk(shards=2)
    talk.say(talk.agent)
    stranger = 7 << 10 | 1
    report_of_it = report(ConversationStopped("it", "failed", "turns", 1))
    for told in (Opening(initiator=talk.other), None):
        rare = Rare(protocol="caxton:conversation", conversation=told)
        word = talk.make(stranger, talk.agent.agent_id, content=report_of_it, flags=AUTOMATIC, rare=rare)
        talk.shard.frame(8, [word])
    talk.shard.settle()
    assert not talk.record().state.is_end
    assert [m.flags for _, m in talk.shard.turns.taken] == [0]
    assert talk.say(talk.agent) is None


def test_a_limit_that_another_shard_came_to_ends_it_here(make_talk):
    """The word that goes to those who take part ends the conversation at their shards."""
    one, other = make_talk(shards=2), make_talk(shards=2, own=8)
    there = 7 << 10 | 1
    one.guests[one.agent] = lambda m: [] if m.flags & AUTOMATIC else [one.make(one.agent.agent_id, there)]
    one.say(one.agent, rare=opening(turns=1))
    other_agent, other.id = other.shard.agent(7, shard=0), one.id
    assert one.say(one.agent) == "ConversationStopped"
    told = next(m for m in one.shard.emitted(8) if m.flags & AUTOMATIC)
    other.say(other_agent)
    other.shard.peers.serve([8, 7])
    told.receiver = other_agent.agent_id
    other.shard.frame(7, [told])
    other.shard.settle()
    assert (other.record().state, other.record().stop) == (State.FAILED, ("turns", 1))
    assert other.say(other_agent) == "ConversationStopped"

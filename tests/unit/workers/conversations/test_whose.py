"""An id of a conversation that others use too: nobody takes anything from who opened the first one."""

import pytest

from caxton.acl.envelope import AUTOMATIC, Opening, Rare
from caxton.acl.failure import END_PROTOCOL, read_report, report
from caxton.conversations.state import State
from caxton.errors import ConversationStopped
from caxton.ids import ConversationId

# An id of which nobody can tell who made it.
ANY = bytes(range(16))
THERE = 7 << 10 | 1


def opening(**limits):
    return Rare(conversation=Opening(**limits))


@pytest.fixture(params=[None, ANY], ids=["its-own-id", "any-id"])
def of_id(request):
    """The id of the conversation: the client's own one, or one that anybody may have made."""
    return {} if request.param is None else {"conversation_id": request.param}


def given(talk, agent):
    return [m.sender for who, m in talk.shard.turns.taken if who is agent and not m.flags & AUTOMATIC]


def test_whoever_uses_an_id_first_on_a_shard_does_not_keep_its_opener_out(talk, of_id):
    """He has a conversation of his own, and so has the client that opened it elsewhere."""
    assert talk.say(talk.agent, session=talk.other, **of_id) is None
    assert talk.say(talk.agent, **of_id) is None
    assert talk.say(talk.agent, session=talk.other, **of_id) is None
    assert given(talk, talk.agent) == [talk.other, talk.client, talk.other]
    found = [talk.of(opener, **{k[:-3]: v for k, v in of_id.items()}) for opener in (talk.other, talk.client)]
    assert [record.messages for record in found] == [2, 1]
    assert [set(record.parties) for record in found] == [
        {talk.other, talk.agent.agent_id},
        {talk.client, talk.agent.agent_id},
    ]


def test_limits_of_whoever_was_first_hold_for_nobody_else(talk, of_id):
    """Neither his turns nor his participants, and his end is not theirs."""
    narrow = opening(turns=1, participants=1)
    assert talk.say(talk.agent, session=talk.other, rare=narrow, **of_id) is None
    for agent in (talk.agent, talk.second, talk.agent):
        assert talk.say(agent, **of_id) is None
    assert talk.say(talk.agent, session=talk.other, **of_id) == "ConversationStopped"
    assert talk.say(talk.agent, **of_id) is None
    told = [m for m in talk.shard.emitted(talk.client) if m.flags & AUTOMATIC]
    assert not told


def test_who_was_let_in_elsewhere_is_not_kept_out_either(make_talk, of_id):
    """An agent of another shard says whose conversation it speaks in."""
    talk = make_talk(shards=2)
    talk.say(talk.agent, session=talk.other, **of_id)
    told = opening(initiator=talk.client, turns=9)
    talk.shard.frame(8, [talk.make(THERE, talk.agent.agent_id, rare=told, **of_id)])
    talk.shard.settle()
    assert given(talk, talk.agent) == [talk.other, THERE]
    record = talk.of(talk.client, of_id.get("conversation_id"))
    assert (record.limits.turns, set(record.parties)) == (9, {talk.client, THERE, talk.agent.agent_id})


def test_what_a_turn_sends_belongs_to_the_conversation_that_it_handles(make_talk):
    """Two agents that are in two conversations of one id: each message is counted where it belongs, and says so."""
    talk = make_talk(shards=2)
    forward = {talk.agent: talk.second.agent_id, talk.second: THERE}
    for agent, to in forward.items():
        talk.guests[agent] = lambda m, a=agent, to=to: [talk.make(a.agent_id, to, conversation_id=ANY)]
    for session in (talk.other, talk.client, talk.other):
        assert talk.say(talk.agent, session=session, conversation_id=ANY) is None
    theirs, own = talk.of(talk.other, ANY), talk.of(talk.client, ANY)
    assert (theirs.messages, own.messages) == (4, 2)
    said = [m.rare.conversation.initiator for m in talk.shard.emitted(8)]
    assert said == [talk.other, talk.client, talk.other]


def test_what_follows_from_a_conversation_that_has_ended_counts_in_no_other(talk):
    """Its turns are over: another one of the same id does not lend it any, nor do words of the runtime about it."""
    words = []

    def forward(m):
        words.extend([m] if m.flags & AUTOMATIC else [])
        return [talk.make(talk.agent.agent_id, talk.second.agent_id, conversation_id=ANY)] if len(words) < 4 else []

    talk.guests[talk.agent] = forward
    talk.say(talk.agent, session=talk.other, rare=opening(turns=2), conversation_id=ANY)
    talk.say(talk.agent, conversation_id=ANY)
    own = talk.of(talk.client, ANY)
    before = own.messages
    assert talk.say(talk.agent, session=talk.other, conversation_id=ANY) == "ConversationStopped"
    errors = [type(read_report(m.content)) for m in words]
    assert errors == [ConversationStopped] * 4, "that it ended, and three times that nothing more is said"
    assert own.messages == before == 2


def test_where_it_is_known_whose_an_id_is_nobody_else_uses_it(make_talk):
    """Neither a client, nor an agent of this shard or another one, whatever it says who opened it."""
    talk = make_talk(shards=2)
    talk.say(talk.agent)
    assert talk.say(talk.second, session=talk.other) == "NotAParticipant"
    for rare in (None, opening(initiator=THERE)):
        talk.shard.frame(8, [talk.make(THERE, talk.agent.agent_id, rare=rare)])
    talk.shard.settle()
    assert given(talk, talk.agent) == [talk.client]
    assert talk.shard.counts()["strangers"] == 3


def test_after_its_end_an_id_is_still_nobody_else_s(talk):
    """As long as that is known."""
    talk.say(talk.agent, rare=opening(turns=1))
    assert talk.say(talk.agent) == "ConversationStopped"
    assert talk.say(talk.agent, session=talk.other) == "ConversationStopped"
    assert talk.of(talk.other) is None


def test_an_id_of_an_agent_is_anybody_s(talk):
    """Who names an agent may choose what its id is: only sessions, which the runtime numbers, own ids."""
    of_agent = bytes(ConversationId.of_session(talk.agent.agent_id, 1))
    talk.guests[talk.agent] = lambda m: (
        [] if m.conversation_id else [talk.make(talk.agent.agent_id, talk.second.agent_id, conversation_id=of_agent)]
    )
    talk.say(talk.agent, conversation_id=None)
    assert talk.of(talk.agent, of_agent) is not None
    assert talk.say(talk.second, session=talk.other, conversation_id=of_agent) is None


def test_what_a_stranger_is_told_counts_in_nobody_s_conversation(talk):
    """He is refused again and again, and told so in words of the runtime: they take none of its bytes."""
    talk.say(talk.agent, rare=opening(size=1_000))
    talk.guests[talk.second] = lambda m: (
        [] if m.flags & AUTOMATIC else [talk.make(talk.second.agent_id, talk.agent.agent_id, content=b"x" * 200)]
    )
    for _ in range(20):
        talk.say(talk.second, session=talk.other, conversation_id=None)
    told = [m for agent, m in talk.shard.turns.taken if agent is talk.second and m.flags & AUTOMATIC]
    assert len(told) == 20
    assert (talk.record().messages, talk.record().size) == (1, 1)


def test_a_word_of_the_runtime_lets_nobody_in(talk):
    """A client that is told that its message failed takes no part in the conversation of others for that."""
    talk.say(talk.agent)
    word = talk.make(talk.agent.agent_id, talk.other, flags=AUTOMATIC, content=b"")
    talk.shard.peers.known(talk.other, talk.shard.marks.mark(talk.other))
    talk.shard.routes.begin(talk.shard.worker._passes.present)
    talk.shard.routes.a_pass.emitted[talk.other] = [word]
    talk.shard.settle()
    assert talk.other not in talk.record().parties
    assert talk.record().messages == 1


def test_that_a_conversation_ended_is_told_to_who_took_part_in_it(make_talk):
    """An agent that is in another one of the same id, or in none, is told nothing."""
    talk = make_talk(shards=2)
    talk.say(talk.agent, conversation_id=ANY)
    talk.say(talk.agent, session=talk.other, conversation_id=ANY)
    content = report(ConversationStopped("it", "failed", "turns", 1))
    for who, receiver in ((talk.client, talk.second), (THERE, talk.agent), (talk.other, talk.agent)):
        rare = Rare(protocol=END_PROTOCOL, conversation=Opening(initiator=who))
        told = talk.make(THERE, receiver.agent_id, content=content, flags=AUTOMATIC, rare=rare, conversation_id=ANY)
        talk.shard.frame(8, [told])
    talk.shard.settle()
    told = [(agent, m.rare.conversation.initiator) for agent, m in talk.shard.turns.taken if m.flags & AUTOMATIC]
    assert told == [(talk.agent, talk.other)]
    assert (talk.of(talk.other, ANY).state, talk.of(talk.client, ANY).state) == (State.FAILED, State.INITIATED)


def test_a_client_s_opening_is_brought_within_bounds(talk):
    """Whatever a client writes into its frames: a conversation lasts five minutes at least."""
    talk.say(talk.agent, rare=opening(timeout_s=1))
    record = talk.record()
    assert (record.timeout_s, record.limits.timeout_s) == (300, 300)
    talk.shard.durable.journal.served.now_ms += 299_000
    talk.shard.tick()
    assert not record.state.is_end
    talk.shard.durable.journal.served.now_ms += 2_000
    talk.shard.tick()
    assert record.state is State.EXPIRED


def test_several_of_one_id_leave_nothing_when_they_are_forgotten(talk):
    """Each has its own end, and its own hour."""
    table = talk.conversations.table
    for session in (talk.other, talk.client):
        talk.say(talk.agent, session=session, conversation_id=ANY)
    for record in table.all_of(ANY):
        record.end(State.COMPLETED)
        table.archive(record, 0)
    assert len(table.all_of(ANY)) == 2
    table.sweep(4_000_000)
    assert (table.all_of(ANY), table._shared, table.live, dict(table.archived)) == ([], {}, {}, {})


def test_who_drains_opens_no_conversation_with_a_stranger_of_the_same_id(talk):
    """It takes what belongs to the conversations that it is in, and another one of that id is none of them."""
    talk.say(talk.agent, conversation_id=ANY)
    stranger = talk.make(talk.other, talk.agent.agent_id, conversation_id=ANY)
    own = talk.make(talk.client, talk.agent.agent_id, conversation_id=ANY)
    assert [talk.conversations.involves(message) for message in (own, stranger)] == [True, False]


def test_limits_hold_on_each_shard_for_what_it_counts(make_talk):
    """Over two shards twice as many turns and bytes as one has, and no more."""
    for limit in ({"turns": 3}, {"size": 3}):
        talks = [make_talk(shards=2), make_talk(shards=2, own=8)]
        for talk in talks:
            talk.id = talks[0].id
            agent = talk.shard.agent(5, shard=talks.index(talk))
            errors = [talk.say(agent, rare=opening(**limit)) for _ in range(5)]
            assert errors == [None] * 3 + ["ConversationStopped"] * 2
        assert sum(talk.of(talk.client).turns for talk in talks) == 6

"""What a shard answers about conversations, of which several may have one id."""

import pytest

from caxton.conversations.state import State
from caxton.ids import ConversationId
from caxton.wire.conversations import FIRST, MAX_VIEWS, FindConversations, ListConversations, ResumeConversation
from workers.loop.call_line import CallLine
from workers.loop.conversation_calls import ConversationCalls

ANY = bytes(range(16))


@pytest.fixture
def asked(talk):
    """A function that asks the shard; returns the views of its answer."""
    calls = ConversationCalls(talk.shard.parts, CallLine(), lambda: None)
    return lambda request: talk.shard.runner.run(calls.answer(request, lambda: None)).views


def test_the_first_of_an_id_is_told_first(talk, asked):
    """That of whoever made the id; where nobody can tell who did, that of whoever used it first here."""
    for conversation in (talk.id, ANY):
        for session in (talk.other, talk.client):
            assert talk.say(talk.agent, session=session, conversation_id=conversation) is None
    found = asked(FindConversations([ANY, talk.id]))
    firsts, others = found[:2], found[2:]
    assert [(v.conversation, v.initiator) for v in firsts] == [(ANY, talk.other), (talk.id, talk.client)]
    assert [(v.conversation, v.initiator) for v in others] == [(ANY, talk.client), (talk.id, talk.other)]
    assert [v.messages for v in found] == [1, 1, 1, 1]


def test_an_answer_has_room_for_the_first_of_each_id(talk, asked):
    """Whoever else uses an id takes no room from whom it is asked for."""
    ids = [bytes(ConversationId.of_session(talk.client, number)) for number in range(MAX_VIEWS)]
    for session in (talk.other, talk.client):
        messages = [talk.make(session, talk.agent.agent_id, conversation_id=one) for one in ids]
        for start in range(0, MAX_VIEWS, 50):
            talk.shard.frame(session, messages[start : start + 50])
            talk.shard.settle()
    found = asked(FindConversations(ids))
    assert [(v.conversation, v.initiator) for v in found] == [(one, talk.client) for one in ids]


def test_a_list_has_each_id_once(talk, asked):
    """In their order; those of an agent are those of which one has it."""
    for session in (talk.other, talk.client):
        talk.say(talk.agent, session=session, conversation_id=ANY)
    talk.say(talk.second)
    assert [v.conversation for v in asked(ListConversations(FIRST, 9))] == sorted([ANY, talk.id])
    assert [v.conversation for v in asked(ListConversations(FIRST, 9, talk.client))] == sorted([ANY, talk.id])
    assert [v.conversation for v in asked(ListConversations(FIRST, 9, talk.other))] == [ANY]


def test_that_of_one_initiator_is_resumed(talk, asked):
    """Not those of others; and for five minutes at least, whatever is asked for."""
    for session in (talk.other, talk.client):
        talk.say(talk.agent, session=session, conversation_id=ANY)
    for record in talk.conversations.table.all_of(ANY):
        record.end(State.EXPIRED)
        talk.conversations.table.archive(record, 0)
    (view,) = asked(ResumeConversation(ANY, 1, talk.client))
    assert (view.initiator, view.state_number) == (talk.client, State.INITIATED)
    assert talk.of(talk.client, ANY).timeout_s == 300
    assert talk.of(talk.other, ANY).state is State.EXPIRED
    assert talk.say(talk.agent, conversation_id=ANY) is None
    assert {v.initiator for v in asked(ResumeConversation(ANY))} == {talk.client, talk.other}

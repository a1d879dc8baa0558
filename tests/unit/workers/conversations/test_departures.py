"""A client that ends in the midst of a protocol: whoever has an open line with it is told, by a typed word."""

import pytest
from msgspec import structs

from caxton.acl.envelope import AUTOMATIC, Rare
from caxton.acl.failure import read_report
from caxton.acl.performative import Performative
from caxton.errors import SessionNotFound
from caxton.ids import AgentId
from caxton.protocols import BY_NAME, standing
from caxton.wire.control import SessionEnded

CFP, PROPOSE, REQUEST, INFORM = (
    int(act) for act in (Performative.CFP, Performative.PROPOSE, Performative.REQUEST, Performative.INFORM)
)
CANCEL, FAILURE = int(Performative.CANCEL), int(Performative.FAILURE)
NET, QUESTION = Rare(protocol="fipa-contract-net"), Rare(protocol="fipa-request")


@pytest.fixture
def ask(talk):
    """A function that lets the client open a line with an agent; returns what it said."""

    def asked(agent, performative=CFP, rare=NET, **fields):
        said = structs.replace(talk.make(talk.client, agent.agent_id, rare=rare, **fields), performative=performative)
        talk.shard.frame(talk.client, [said])
        talk.shard.settle()
        return said

    return asked


@pytest.fixture
def end(talk):
    """A function that lets a client end, and the tick that follows."""

    def ended(session=None):
        talk.shard.say(SessionEnded(0, talk.shard.marks.mark(0), session or talk.client))
        talk.shard.durable.journal.served.now_ms += 10
        talk.shard.tick()

    return ended


def told(talk, agent):
    """What the runtime has told an agent."""
    return [m for receiver, m in talk.shard.turns.taken if receiver is agent and m.flags & AUTOMATIC]


def test_a_bidder_is_told_that_nobody_waits_for_its_bid(talk, ask, end):
    """Its line is cancelled by the runtime's own cancel, which says that the client is gone, and of what it was."""
    asked = ask(talk.agent)
    talk.answer(talk.second)
    bid = structs.replace(
        talk.make(talk.agent.agent_id, talk.client, rare=NET, in_reply_to=asked.message_id), performative=PROPOSE
    )
    talk.shard.routes.send_effects([bid], (0, 0), talk.agent, asked)
    end()
    (cancel,) = told(talk, talk.agent)
    assert (cancel.performative, cancel.sender, cancel.rare.protocol) == (CANCEL, talk.client, "fipa-contract-net")
    assert cancel.in_reply_to == bid.message_id
    error = read_report(cancel.content)
    assert (type(error), error.session) == (SessionNotFound, str(AgentId(talk.client)))
    record = talk.record()
    (position,) = record.lines.positions.values()
    assert standing(position).kind == "cancelled"
    assert talk.conversations.active_of(talk.agent.agent_id) == 0


def test_it_comes_behind_what_the_client_said(talk, ask, end):
    """A request that waits for its turn is handled first, and then its cancel, as with a client's own."""
    talk.shard.turns.clock = lambda: talk.shard.turns.a_pass.now_ns + 10**9  # each turn is as long as a pass may be
    said = [talk.make(talk.client, talk.agent.agent_id, conversation_id=None) for _ in range(3)]
    talk.shard.frame(talk.client, said)
    talk.shard.frame(
        talk.client,
        [structs.replace(talk.make(talk.client, talk.agent.agent_id, rare=QUESTION), performative=REQUEST)],
    )
    talk.shard.worker.run_pass()
    end()
    acts = [m.performative for agent, m in talk.shard.turns.taken if agent is talk.agent]
    assert acts[-2:] == [REQUEST, CANCEL]


def test_what_answers_the_cancel_is_legal_once(talk, ask, end):
    """An agent that answers a cancel as the protocol says does nothing wrong; a second answer is one too many."""
    ask(talk.agent, REQUEST, QUESTION)
    end()
    (cancel,) = told(talk, talk.agent)
    answer = talk.make(talk.agent.agent_id, talk.client, rare=QUESTION, in_reply_to=cancel.message_id)
    for violations in (0, 1):
        sent = structs.replace(answer, performative=INFORM)
        talk.shard.routes.send_effects([sent], (0, 0), talk.agent, cancel)
        assert talk.conversations.counts["violations"] == violations


def test_an_agent_that_asked_a_client_is_told_too(talk, end):
    """A line that an agent opened with a client ends as undelivered, when its conversation is looked at."""
    talk.say(talk.agent)  # the conversation is the client's
    sent = structs.replace(talk.make(talk.agent.agent_id, talk.client, rare=QUESTION), performative=REQUEST)
    talk.shard.routes.send_effects([sent], (0, 0), talk.agent, talk.shard.turns.taken[0][1])
    end()
    (failure,) = told(talk, talk.agent)
    assert (failure.performative, failure.in_reply_to) == (FAILURE, sent.message_id)
    assert isinstance(read_report(failure.content), SessionNotFound)
    (position,) = talk.record().lines.positions.values()
    assert BY_NAME["fipa-request"].states[position.state].name == "undelivered"


def test_who_has_no_line_with_it_hears_nothing(talk, ask, end):
    """Lines that have ended, lines with others, and conversations without a protocol stay as they are."""
    asked = ask(talk.agent, REQUEST, QUESTION)
    done = talk.make(talk.agent.agent_id, talk.client, rare=QUESTION, in_reply_to=asked.message_id)
    talk.shard.routes.send_effects([structs.replace(done, performative=INFORM)], (0, 0), talk.agent, asked)
    talk.say(talk.second, conversation_id=bytes([7] * 16))
    end(talk.other)
    assert told(talk, talk.agent) == told(talk, talk.second) == []
    end()
    assert told(talk, talk.agent) == told(talk, talk.second) == []

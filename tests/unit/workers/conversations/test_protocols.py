"""Protocols at the shard of each agent: what does not fit is not delivered, and deadlines are kept."""

import pytest

from caxton.acl.envelope import AUTOMATIC, Envelope, Rare
from caxton.acl.failure import read_report
from caxton.acl.performative import ACTS, Performative
from caxton.conversations.lines import MOST_LINES
from caxton.errors import AnswerOverdue, ProtocolViolation, UnknownProtocol, from_fields
from caxton.protocols import standing
from caxton.wire.codec import CONTROL
from caxton.wire.link_state import LinkState

REMOTE = 2 << 10 | 1
TALK = b"t" * 16


class Party:
    """Says things in one conversation, and knows what became of them."""

    def __init__(self, shard):
        self.shard, self.said = shard, 0
        self.session = shard.sessions[0]

    def message(self, sender, receiver, act, *, protocol="fipa-request", conversation=TALK, flags=0, **fields):
        self.said += 1
        answered = {name: fields.pop(name, None) for name in ("reply_with", "in_reply_to")}
        number = int(Performative(act))
        rare = Rare(protocol=protocol, **fields) if protocol or fields else None
        ids = (100 + self.said).to_bytes(16), number, int(sender), int(receiver), b"x"
        return Envelope(*ids, conversation_id=conversation, rare=rare, flags=flags, **answered)

    def hear(self, receiver, act, sender=None, **fields):
        """Let a client say something to an agent; returns the error that it gets, or None."""
        sender = sender or self.session
        before = len(self.refusals(sender))
        self.last = self.message(sender, receiver.agent_id, act, **fields)
        self.shard.frame(sender, [self.last])
        self.shard.settle()
        return (self.refusals(sender)[before:] or [None])[0]

    def say(self, sender, receiver, act, **fields):
        """Let an agent say something, in a turn of its own; returns what the runtime tells it of that, or None."""
        receiver = getattr(receiver, "agent_id", receiver)
        effect = self.last = self.message(sender.agent_id, receiver, act, **fields)
        told = len(self.told(sender))
        self.shard.turns.script = lambda who, m: [effect] if who is sender and not m.flags & AUTOMATIC else []
        self.shard.frame(self.shard.sessions[3], [Envelope(bytes(16), 7, self.shard.sessions[3], sender.agent_id, b"")])
        self.shard.settle()
        self.shard.turns.script = lambda _who, _m: []
        return (self.told(sender)[told:] or [None])[0]

    def refusals(self, session):
        peer = self.shard.peers.find(session)
        states = [] if peer is None else [CONTROL.decode(frame) for frame in peer._control.frames]
        told_of = [refusal for state in states if isinstance(state, LinkState) for refusal in state.refusals]
        found = {r.sequence + n: from_fields(r.error, r.fields) for r in told_of for n in range(r.count)}
        return [error for _, error in sorted(found.items())]

    def told(self, agent):
        """What the runtime told an agent: act, and error."""
        automatic = [m for who, m in self.shard.turns.taken if who is agent and m.flags & AUTOMATIC]
        return [(ACTS[m.performative], read_report(m.content)) for m in automatic]

    def given(self, agent):
        """The acts that an agent was given by others."""
        return [ACTS[m.performative] for who, m in self.shard.turns.taken if who is agent and m.conversation_id == TALK]

    @property
    def record(self):
        return self.shard.durable.journal.conversations.table.find(TALK)

    @property
    def rules(self):
        return self.shard.durable.journal.conversations.rules

    def state(self, agent, other):
        return standing(self.record.lines.positions[agent.agent_id, getattr(other, "agent_id", other)]).state


@pytest.fixture
def talk(shard):
    """Who talks on one shard."""
    return Party(shard)


def test_a_client_s_message_that_does_not_fit_is_refused_with_what_was_expected(talk, shard):
    """Its agent is not given it, and it is counted; what fits is given."""
    agent = shard.agent(1)
    error = talk.hear(agent, "agree")
    assert isinstance(error, ProtocolViolation)
    assert (error.protocol, error.role, error.state, error.performative) == (
        "fipa-request",
        "participant",
        "start",
        "agree",
    )
    assert error.expected == "request from the initiator"
    assert talk.record is None, "nothing came of it"
    assert talk.hear(agent, "request") is None
    assert isinstance(talk.hear(agent, "request"), ProtocolViolation)
    assert talk.given(agent) == ["request"]
    assert shard.counts()["violations"] == 2


def test_a_guest_s_message_that_does_not_fit_is_not_understood(talk, shard):
    """It is told what was expected, and whoever it was for is given nothing."""
    one, other = shard.agent(1), shard.agent(2)
    assert talk.say(one, other, "cfp", protocol="fipa-contract-net") is None
    act, error = talk.say(other, one, "inform", protocol="fipa-contract-net")
    assert act == "not-understood"
    assert isinstance(error, ProtocolViolation)
    assert error.expected == "refuse or propose from the participant, or cancel from the initiator"
    assert talk.given(one) == []
    assert talk.say(other, one, "propose", protocol="fipa-contract-net") is None
    assert talk.given(one) == ["propose"]
    assert talk.say(other, one, "propose", protocol="fipa-contract-net")[0] == "not-understood"
    assert talk.state(other, one) == talk.state(one, other) == "proposed", "what was said before holds"


@pytest.mark.parametrize("name", ["fipa-requests", "fipa-english-auction"])
def test_a_protocol_of_fipa_s_that_is_none_is_refused(talk, shard, name):
    """A client's call is told; an agent gets a failure. A name of its users' own passes."""
    agent, other = shard.agent(1), shard.agent(2)
    assert isinstance(talk.hear(agent, "request", protocol=name), UnknownProtocol)
    act, error = talk.say(agent, other, "request", protocol=name)
    assert (act, type(error)) == ("failure", UnknownProtocol)
    for act in ("agree", "agree", "cancel"):
        assert talk.hear(agent, act, protocol="haggle") is None
    assert talk.given(agent) == ["failure", "agree", "agree", "cancel"]


RUNTIMES_OWN = ["caxton:conversation", "caxton:receipt", "caxton:escalation", "CAXTON:anything"]


@pytest.mark.parametrize("name", RUNTIMES_OWN)
@pytest.mark.parametrize("conversation", [TALK, None])
def test_what_is_for_the_runtime_to_say_is_refused_to_everybody_else(make_shard, name, conversation):
    """To clients, other shards' agents and agents here, whoever it is for, in a conversation and in none."""
    shard = make_shard(shards=2)
    talk, one, other = Party(shard), shard.agent(1), shard.agent(2)
    forged = {"protocol": name, "conversation": conversation}
    assert isinstance(talk.hear(one, "failure", **forged), UnknownProtocol)
    shard.frame(8, [talk.message(REMOTE, one.agent_id, "failure", **forged)])
    shard.settle()
    assert not [m for who, m in shard.turns.taken if who is one]
    for receiver in (other, REMOTE, talk.session):
        act, error = talk.say(one, receiver, "failure", **forged)
        assert (act, type(error)) == ("failure", UnknownProtocol)
    assert not [m for who, m in shard.turns.taken if who is other]
    assert not [m for n in (8, talk.session) for m in shard.emitted(n) if not m.flags & AUTOMATIC]
    assert talk.record is None, "it begins no conversation"


@pytest.mark.parametrize("name", RUNTIMES_OWN)
@pytest.mark.parametrize("goes_on_in", [None, "haggle", "fipa-request", "fipa-recruiting"])
def test_what_is_for_the_runtime_to_say_is_said_in_no_conversation_of_others(talk, shard, name, goes_on_in):
    """Whichever protocol it has, also where that lets others answer in their own."""
    one, other = shard.agent(1), shard.agent(2)
    opening = "proxy" if goes_on_in == "fipa-recruiting" else "request"
    assert talk.say(one, other, opening, protocol=goes_on_in) is None
    assert talk.say(other, one, "inform", protocol=name)[0] == "failure"
    assert isinstance(talk.hear(other, "inform", protocol=name), UnknownProtocol)
    assert talk.given(one) == []


def test_what_the_runtime_says_itself_is_given(make_shard):
    """Its word from another shard, in a conversation and in none."""
    shard = make_shard(shards=2)
    talk, one = Party(shard), shard.agent(1)
    for conversation in (TALK, None):
        for name in ("caxton:receipt", "caxton:escalation"):
            said = {"protocol": name, "conversation": conversation, "flags": AUTOMATIC}
            shard.frame(8, [talk.message(REMOTE, one.agent_id, "confirm", **said)])
    shard.settle()
    assert [m.rare.protocol for who, m in shard.turns.taken if who is one] == [
        "caxton:receipt",
        "caxton:escalation",
    ] * 2


def test_both_ends_of_a_line_are_seen_by_their_shard(talk, shard):
    """Agents of one shard: what one says moves it on for both, and an answer names what it answers."""
    one, other = shard.agent(1), shard.agent(2)
    assert talk.say(one, other, "request", reply_with=b"w" * 16) is None
    assert talk.say(other, one, "agree") is None
    assert talk.last.in_reply_to == b"w" * 16
    assert talk.state(one, other) == talk.state(other, one) == "agreed"
    assert talk.say(other, one, "inform") is None
    assert talk.state(one, other) == talk.state(other, one) == "done"
    assert talk.record.lines.open == 0


def test_what_goes_to_other_shards_and_to_clients_is_checked_where_it_leaves(make_shard):
    """The receiver's own shard sees the rest."""
    shard = make_shard(shards=2)
    talk, one = Party(shard), shard.agent(1)
    assert talk.say(one, REMOTE, "inform")[0] == "not-understood"
    assert talk.say(one, REMOTE, "request") is None
    assert [ACTS[m.performative] for m in shard.emitted(8)] == ["request"]
    query = {"protocol": "fipa-query", "conversation": b"q" * 16}
    assert talk.hear(one, "query-ref", **query) is None
    assert talk.say(one, talk.session, "propose", **query)[0] == "not-understood"
    assert talk.say(one, talk.session, "inform", **query) is None
    assert [ACTS[m.performative] for m in shard.emitted(talk.session)] == ["inform"]


def test_a_message_without_a_protocol_is_not_looked_at(talk, shard):
    """In the middle of a conversation that follows one."""
    agent = shard.agent(1)
    assert talk.hear(agent, "request") is None
    assert talk.hear(agent, "request", protocol=None) is None
    assert talk.given(agent) == ["request", "request"]


def test_a_protocol_may_begin_in_a_conversation_that_goes_on(talk, shard):
    """From its first message on it is looked at."""
    agent = shard.agent(1)
    assert talk.hear(agent, "inform", protocol=None) is None
    assert talk.hear(agent, "agree").state == "start"
    assert talk.hear(agent, "request") is None
    assert talk.state(agent, talk.session) == "asked"


def test_a_line_follows_one_protocol(talk, shard):
    """Another one needs another conversation."""
    agent = shard.agent(1)
    assert talk.hear(agent, "request") is None
    error = talk.hear(agent, "query-if", protocol="fipa-query")
    assert error.problem == "this part of the conversation follows another protocol"


def test_an_initiator_is_told_at_the_deadline_and_late_answers_are_refused(talk, shard):
    """As by who did not answer; what it asked is named. The deadline goes by the clock of what is stored."""
    one, other, late = shard.agent(1), shard.agent(2), shard.agent(3)
    wall_ms = shard.durable.journal.wall_ms
    for bidder in (other, late):
        said = {
            "protocol": "fipa-contract-net",
            "reply_by": wall_ms + 60_000,
            "reply_with": bytes([bidder.agent_id >> 10]) * 16,
        }
        assert talk.say(one, bidder, "cfp", **said) is None
    assert talk.say(other, one, "propose", protocol="fipa-contract-net") is None
    early = talk.say(one, other, "accept-proposal", protocol="fipa-contract-net")
    assert early[1].problem == "others still have time to answer"

    shard.durable.journal.served.now_ms += 120_000
    shard.tick()
    act, error = talk.told(one)[-1]
    assert (act, error.state, error.outcome) == ("failure", "called", "no-proposal")
    assert isinstance(error, AnswerOverdue)
    told = [m for who, m in shard.turns.taken if who is one and m.flags & AUTOMATIC][-1]
    assert (told.sender, told.in_reply_to, told.conversation_id) == (late.agent_id, bytes([3]) * 16, TALK)
    assert talk.say(late, one, "propose", protocol="fipa-contract-net")[0] == "not-understood"
    assert talk.say(one, other, "accept-proposal", protocol="fipa-contract-net") is None


def test_what_came_to_nothing_ends_its_line_at_both_ends(talk, shard):
    """The runtime's failure tells the sender's end, and is seen at the receiver's."""
    one, other = shard.agent(1), shard.agent(2)
    assert talk.say(one, other, "request") is None
    asked = next(m for who, m in shard.turns.taken if who is other)
    shard.routes.begin(shard.worker._passes.present)
    shard.routes.fail(asked, UnknownProtocol("x", "y"))
    shard.settle()
    assert talk.state(one, other) == talk.state(other, one) == "undelivered"


def test_a_message_that_nobody_takes_ends_its_line(talk, shard):
    """There is no such agent: whoever asked does not wait for it."""
    one = shard.agent(1)
    act, _ = talk.say(one, 9 << 10, "request")
    assert act == "failure"
    assert talk.state(one, 9 << 10) == "undelivered"


def test_a_conversation_is_completed_when_its_lines_have_been_for_a_while(talk, shard):
    """With the outcome of the best of them; until then somebody else may be asked."""
    one, other, third = shard.agent(1), shard.agent(2), shard.agent(3)
    talk.say(one, other, "request")
    talk.say(other, one, "refuse")
    assert talk.record.view(0, 0, history=False, is_archived=False).state == "completed"
    talk.say(one, third, "request")
    assert talk.record.view(0, 0, history=False, is_archived=False).state == "in progress"
    talk.say(third, one, "inform")
    shard.durable.journal.served.now_ms += 4_000
    shard.tick()
    assert not talk.record.state.is_end
    shard.durable.journal.served.now_ms += 2_000
    shard.tick()
    view = talk.record.view(0, 0, history=False, is_archived=True)
    assert (view.state, view.outcome) == ("completed", "done")
    act, error = talk.say(one, third, "request")
    assert (act, type(error).__name__) == ("failure", "ConversationEnded")


def test_who_was_recruited_answers_who_asked(talk, shard):
    """By reply_to, in the protocol in which it was asked; a stranger that nobody recruited is none of them."""
    one, recruiter, found, stranger = (shard.agent(n) for n in (1, 2, 3, 4))
    assert talk.say(one, recruiter, "proxy", protocol="fipa-recruiting") is None
    query = {"protocol": "fipa-query", "reply_to": one.agent_id, "reply_with": b"q" * 16}
    assert talk.say(recruiter, found, "query-ref", **query) is None
    assert talk.say(recruiter, one, "inform", protocol="fipa-recruiting") is None
    assert talk.state(found, one) == "asked"
    assert talk.say(found, one, "inform", protocol="fipa-query", in_reply_to=b"q" * 16) is None
    assert talk.state(found, one) == "done"
    assert talk.state(one, found) == "answering"
    assert talk.given(one) == ["inform", "inform"]
    assert (found.agent_id, recruiter.agent_id) not in talk.record.lines.positions
    assert (recruiter.agent_id, found.agent_id) not in talk.record.lines.positions
    assert talk.say(stranger, recruiter, "inform", protocol="fipa-query")[0] == "not-understood"


def test_whoever_answers_for_a_capability_is_the_other_party(make_shard):
    """What was sent to one that has it was taken by another one of another shard: its answer is on that line."""
    shard = make_shard(shards=2)
    talk, one = Party(shard), shard.agent(1)
    asked = {"capability": "wait", "reply_with": b"w" * 16}
    assert talk.say(one, REMOTE, "request", **asked) is None
    other = REMOTE + (1 << 10)
    answer = talk.message(other, one.agent_id, "inform", in_reply_to=b"w" * 16)
    stranger = talk.message(other, one.agent_id, "inform", in_reply_to=b"n" * 16)
    shard.frame(8, [stranger, answer])
    shard.settle()
    assert [m for who, m in shard.turns.taken if who is one][-1] is not stranger
    assert talk.given(one) == ["inform"]
    assert talk.state(one, other) == "done"
    assert (one.agent_id, REMOTE) not in talk.record.lines.positions


def test_who_says_something_twice_is_told_and_still_waits_for_the_answer(talk, shard):
    """The word that it does not fit names the same as what was said first: that one is not undone."""
    one, other = shard.agent(1), shard.agent(2)
    assert talk.say(one, other, "request", reply_with=b"w" * 16) is None
    assert talk.say(one, other, "request", reply_with=b"w" * 16)[0] == "not-understood"
    assert talk.state(one, other) == "asked"
    assert talk.say(other, one, "inform") is None


def test_lines_of_a_conversation_are_bounded(talk, shard):
    """Beyond 4,096 no other line is begun, and who asks is told."""
    agent = shard.agent(1)
    assert talk.hear(agent, "request", reply_to=50) is None
    position = talk.record.lines.positions[agent.agent_id, 50]
    with_line, lines, talk.record.lines = talk.record.weight, talk.record.lines, None
    assert with_line - talk.record.weight == 700  # what a line counts as, in bytes
    talk.record.lines = lines
    for other in range(51, 50 + MOST_LINES):
        talk.record.lines.positions[agent.agent_id, other] = position
    assert type(talk.hear(agent, "request", reply_to=49)).__name__ == "TooManyParticipants"
    assert len(talk.record.lines.positions) == MOST_LINES


def test_times_that_are_no_ones_any_more_are_thrown_away(talk, shard):
    """Conversations that are forgotten before their deadlines leave nothing behind for long."""
    agent = shard.agent(1)
    assert talk.hear(agent, "request") is None
    rules, table = talk.rules, shard.durable.journal.conversations.table
    rules._due += [(1 << 50, bytes(16))] * 3_000
    shard.tick()
    assert rules._due == [(talk.record.lines.look_at_ms, TALK)]
    assert len(table.live) == 1


def test_a_misspelt_name_is_refused_wherever_it_comes_from(make_shard):
    """In frames of clients and of other shards, and of what a turn sends to whom ever; in no conversation either."""
    shard = make_shard(shards=2)
    talk, one, other = Party(shard), shard.agent(1), shard.agent(2)
    alone = {"protocol": "fipa-reqest", "conversation": None}
    assert isinstance(talk.hear(one, "request", **alone), UnknownProtocol)
    shard.frame(8, [talk.message(REMOTE, one.agent_id, "request", **alone)])
    shard.settle()
    assert not [m for who, m in shard.turns.taken if who is one]
    for receiver in (other, REMOTE, talk.session):
        act, error = talk.say(one, receiver, "inform", **alone)
        assert (act, type(error)) == ("failure", UnknownProtocol)
    assert not [m for who, m in shard.turns.taken if who is other]
    assert not [m for n in (8, talk.session) for m in shard.emitted(n) if not m.flags & AUTOMATIC]
    for fitting in ("fipa-request", "of-our-own", None):
        assert talk.hear(one, "request", protocol=fitting, conversation=None) is None

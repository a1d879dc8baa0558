"""What each principal has of what a shard bounds, while others are here."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.acl.envelope import Cause
from caxton.errors import AgentNotFound
from caxton.store.recovered import Letter
from caxton.wire.codec import CONTROL
from workers.agents.registry import Hold
from workers.commit.journal import Journal
from workers.durable.dead_letters import DeadLetters
from workers.loop.levels import LOOK_EVERY
from workers.queues.shares import Shares
from workers.worker_pass import Pass

SESSION = 1 << 63
OF_ALICE = Cause(0, bytes(range(16)), "alice")
NAMES = ("", "alice", "bob")


@given(st.lists(st.sampled_from(NAMES), max_size=300), st.integers(1, 100))
def test_everybody_finds_a_share_and_nothing_is_exceeded(wishes, most):
    """Whoever has less than its share is let in, and the sum of all stays within the bound, whoever comes first."""
    shares = Shares(dict.fromkeys(NAMES, 1), most)
    for principal in wishes:
        refused = shares.refuses(principal)
        assert not (refused and shares.has(principal) < shares.share(principal))
        if not refused:
            shares.add(principal, 1)
    assert shares.total <= most + len(NAMES), "a share that is no whole number is one more"


@pytest.mark.parametrize("here", [{}, {"alice": 7}])
def test_who_is_alone_may_have_everything(here):
    """However many sessions a principal has, alone it meets no share."""
    shares = Shares(here, 10)
    shares.add("alice", 10)
    assert (shares.refuses("alice"), shares.are_wanted, shares.refused) == (False, False, set())


def test_who_has_gone_counts_as_well():
    """What follows from messages of a principal whose sessions have ended leaves a share to who is here."""
    shares = Shares({"bob": 1}, 100)
    shares.add("alice", 50)
    assert shares.refuses("alice")
    assert not shares.refuses("bob")
    shares.add("alice", -1)
    assert (shares.refuses("alice"), shares.still_refused()) == (False, set())


def test_how_full_shares_are_is_told_while_they_count():
    """Nothing is told before half is used, and then the part of each of those who are here."""
    shares = Shares({"": 1, "bob": 1}, 100)
    shares.add("", 40)
    assert list(shares.levels("x")) == []
    shares.add("bob", 20)
    assert list(shares.levels("x")) == [("x", 40, 25, "the runtime's owner"), ("x", 20, 25, "principal bob")]


@pytest.fixture
def crowd(make_shard, monkeypatch):
    """A shard whose mailboxes take 20, where Alice has two sessions, and Bob and the owner one each."""
    monkeypatch.setattr("workers.queues.shares.MOST_QUEUED", 20)
    shard = make_shard()
    alice, again, bob, _ = shard.sessions
    shard.principals |= {alice: "alice", again: "alice", bob: "bob"}
    for session in shard.sessions:
        assert shard.peers.known(session, shard.marks.mark(session, shard.principals.get(session, "")))
    return shard


@pytest.fixture
def fill(crowd, message):
    """A function that sends an agent without turns so many messages, in frames of one; returns how many wait."""
    agent = crowd.agent(1)
    agent.hold(Hold.PAUSED)

    def sent(session, count):
        before = 0 if agent.mailbox is None else agent.mailbox.depth
        for _ in range(count):
            crowd.frame(session, [message(session, agent.agent_id)])
            crowd.settle()
        return agent.mailbox.depth - before

    sent.agent = agent
    return sent


def told(shard, session):
    states = [CONTROL.decode(frame) for frame in shard.peers.find(session)._control.frames]
    return {refusal.fields["receiver"]: refusal.error for state in states for refusal in state.refusals}


def test_a_principal_has_a_share_of_the_mailboxes(crowd, fill):
    """From half of the mailboxes on a principal gets no more, with all its sessions; others find their shares."""
    alice, again, bob, owner = crowd.sessions
    assert fill(alice, 6) + fill(again, 4) == 10
    assert fill(again, 1) + fill(alice, 1) == 0
    assert told(crowd, again) == {"principal alice, of all mailboxes": "QueueFull"}
    assert fill(bob, 9) == fill(owner, 9) == 3, "a sixth of 20 for each of three"
    assert told(crowd, owner) == {"the runtime's owner, of all mailboxes": "QueueFull"}
    assert crowd.counts()["full_principal"] == 2 + 6 + 6


def test_the_share_of_mailboxes_is_free_again(crowd, fill, message):
    """What has its turn counts no longer; whoever is refused is told of in the heartbeat as long as that is so."""
    alice, _, bob, _ = crowd.sessions
    assert (fill(alice, 12), fill(bob, 1)) == (10, 1)
    for _ in range(LOOK_EVERY):
        crowd.tick()
    condition = CONTROL.decode(crowd.supervisor.frames[-1]).condition
    assert condition.beyond_share.names == ["principal alice"]
    assert ("principal_mailboxes", "principal alice") in {(near.limit, near.whose) for near in condition.near}

    fill.agent.release(Hold.PAUSED)
    crowd.dispatcher.resume(fill.agent)
    for _ in range(LOOK_EVERY + 1):
        crowd.tick()
    assert CONTROL.decode(crowd.supervisor.frames[-1]).condition.beyond_share.names == []
    fill.agent.hold(Hold.PAUSED)
    assert fill(alice, 11) == 10


def test_what_need_not_wait_is_taken(crowd, fill, message):
    """A principal at its share still reaches an agent that is idle."""
    alice, *_ = crowd.sessions
    assert fill(alice, 11) == 10
    other = crowd.agent(2)
    crowd.frame(alice, [message(alice, other.agent_id)])
    crowd.settle()
    assert [who for who, _ in crowd.turns.taken] == [other]


def test_a_principal_that_is_alone_fills_all_mailboxes(crowd, fill):
    """Once the others' sessions have ended, what is left is one principal's."""
    alice, again, bob, owner = crowd.sessions
    assert fill(alice, 12) == 10
    for session in (bob, owner):
        crowd.peers.end(session)
    assert crowd.peers.principals == Counter({"alice": 2})
    assert fill(again, 12) == 12


@pytest.fixture
def letters():
    """Dead letters of a shard that takes 40, with three principals here."""
    journal = Journal(1)
    journal.begin(Pass(0, 1_000))
    return DeadLetters(journal, 40, evicting=False, here=dict.fromkeys(NAMES, 1))


def bury(letters, durable_message, count, agents, **fields):
    """So many letters of clients, to agents of their own."""
    for n in range(count):
        letters.bury(durable_message(SESSION, next(agents), **fields), AgentNotFound(str(n)))


def test_a_principal_has_a_share_of_the_dead_letters(letters, durable_message):
    """From half of the capacity on a principal's durable messages are refused, and others' are not."""
    agents = iter(range(1, 100))
    bury(letters, durable_message, 19, agents, cause=OF_ALICE)
    assert (letters.refuses, letters.share_refusal("alice")) == (False, None)
    bury(letters, durable_message, 1, agents, cause=OF_ALICE)
    assert letters.refuses
    refused = letters.share_refusal("alice")
    assert refused is not None
    assert (refused.resource, refused.limit) == (
        "room for dead letters of principal alice (requeue or purge some)",
        40 // 6,
    )
    assert (letters.share_refusal("bob"), letters.share_refusal("")) == (None, None)
    bury(letters, durable_message, 6, agents)
    assert "the runtime's owner" in str(letters.share_refusal(""))

    letters.forget([*letters._owners][:20], "purged")
    assert (letters.share_refusal("alice"), letters.refuses, [shares.has("alice") for shares in letters.shares]) == (
        None,
        False,
        [0, 0],
    )


def test_bytes_of_dead_letters_are_shared_too(letters, durable_message, monkeypatch):
    """Few letters with large contents meet the share as many small ones do."""
    letters.shares[1].most = 100
    bury(letters, durable_message, 1, iter([5]), cause=OF_ALICE, content=bytes(50))
    refused = letters.share_refusal("alice")
    assert refused is not None
    assert (refused.resource, refused.limit) == (
        "bytes of dead letters of principal alice (requeue or purge some)",
        100 // 6,
    )
    assert letters.share_refusal("bob") is None


def test_letters_of_before_count_and_are_nobodys(letters, durable_message):
    """What a file holds from an earlier life takes room, and is charged to nobody; nor is what agents sent."""
    letters.restore(Letter(-1 - n, SESSION, n + 1) for n in range(20))
    assert letters.shares[0].total == 20
    letters.bury(durable_message(9, SESSION, cause=OF_ALICE), AgentNotFound("x"))
    assert letters.share_refusal("alice") is None
    bury(letters, durable_message, 6, iter(range(50, 60)), cause=OF_ALICE)
    assert letters.share_refusal("alice") is not None


def test_with_eviction_nobody_is_refused(durable_message):
    """Where the oldest letter goes there is room for everybody."""
    journal = Journal(1)
    journal.begin(Pass(0, 1_000))
    letters = DeadLetters(journal, 10, evicting=True, here={"alice": 1, "bob": 1})
    bury(letters, durable_message, 10, iter(range(1, 99)), cause=OF_ALICE)
    assert letters.share_refusal("alice") is None


def test_a_client_is_refused_by_the_name_of_its_principal(make_shard, durable_message):
    """A durable message of a principal at its share of dead letters is refused and counted, and another's is taken."""
    durable = make_shard(durable=True)
    alice, bob, *_ = durable.sessions
    durable.principals |= {alice: "alice", bob: "bob"}
    for session in (alice, bob):
        durable.peers.known(session, durable.marks.mark(session, durable.principals[session]))
    letters = durable.durable.dead_letters
    letters.capacity = letters.shares[0].most = 10
    letters.share = 10
    bury(letters, durable_message, 5, iter(range(50, 60)), cause=OF_ALICE)
    agent, placing = durable.agent(1), durable.durable.placing
    a_pass, answers = durable.worker._passes.present, []
    for session, principal in ((alice, "alice"), (bob, "bob")):
        message = durable_message(session, agent.agent_id)
        answers.append(placing._unusual(agent, message, _Source(session), a_pass, principal))
    (refused, seen_to), other = answers
    assert ("dead letters of principal alice" in refused.resource, seen_to) == (True, True)
    assert other == (None, False)
    assert a_pass.counts["full_principal"] == 1


class _Source:
    """A session as a source of the durable lane."""

    def __init__(self, number):
        self.file = self.peer_number = number

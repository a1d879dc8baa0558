"""For whom what a session sends is done: stamped where it enters, and carried by all that follows."""

import pytest

from caxton.acl.envelope import AUTOMATIC, Cause, Rare
from caxton.wire.codec import CONTROL
from caxton.wire.link_state import LinkState


@pytest.fixture
def gateway(shard):
    """A session that acts for Alice, with the mark that the supervisor made for that."""
    session = shard.sessions[0]
    shard.principals[session] = "alice"
    return session


def test_a_session_is_met_by_the_mark_of_its_principal(shard, gateway):
    """Neither a mark that was made for the session alone, nor one for somebody else, is good where it claims a name."""
    alone, other = shard.marks.mark(gateway), shard.marks.mark(gateway, "bob")
    own = shard.marks.mark(gateway, "alice")
    assert not shard.peers.vouches(gateway, other)
    assert shard.peers.known(gateway, other) is None
    assert shard.peers.vouches(gateway, own)
    peer = shard.peers.known(gateway, own)
    assert (peer.principal, peer.mark) == ("alice", own)
    assert shard.peers.known(gateway, alone) is None


def test_a_session_cannot_claim_for_itself(shard):
    """A file that says for whom a session acts is worth nothing without a mark that was made for that."""
    session = shard.sessions[1]
    shard.principals[session] = "alice"
    assert shard.peers.known(session, shard.marks.mark(session)).principal == ""


def test_what_follows_is_done_for_the_principal(shard, gateway, message):
    """Its messages are roots with its name, and effects and failures carry it; those of others carry none."""
    agent, other, nobody = shard.agent(1), shard.agent(2), 9 << 10
    shard.turns.script = lambda who, m: (
        [message(who.agent_id, to) for to in (other.agent_id, nobody)]
        if who is agent and not m.flags & AUTOMATIC
        else []
    )
    for session in (gateway, shard.sessions[1]):
        shard.frame(session, [message(session, agent.agent_id, rare=Rare(max_hops=7))])
    shard.settle()

    roots = [m for who, m in shard.turns.taken if who is agent and not m.flags & AUTOMATIC]
    first, second = roots[0].message_id, roots[1].message_id
    assert [m.cause for m in roots] == [Cause(0, first, "alice", 7), None]
    assert [m.cause for who, m in shard.turns.taken if who is other] == [
        Cause(1, first, "alice", 7),
        Cause(1, second, "", 7),
    ]
    failures = [m.cause for who, m in shard.turns.taken if m.flags & AUTOMATIC]
    assert failures == [Cause(2, first, "alice", 7), Cause(2, second, "", 7)]


def test_a_gateway_cannot_name_a_cause_either(shard, gateway, message):
    """Nor whom it acts for, message by message: that is refused, as it is for all clients."""
    agent = shard.agent(1)
    shard.frame(gateway, [message(gateway, agent.agent_id, cause=Cause(0, bytes(16), "bob"))])
    shard.settle()

    states = [CONTROL.decode(frame) for frame in shard.peers.find(gateway)._control.frames]
    refusal = next(r for state in states if isinstance(state, LinkState) for r in state.refusals)
    assert (refusal.error, shard.turns.taken) == ("InvalidMessageFormat", [])

"""Chains of effects end: by hops, by work, across shards and through failures; only the runtime names a cause."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caxton.acl.envelope import AUTOMATIC, Cause, Rare
from caxton.acl.failure import read_report
from caxton.delivery.causes import MOST_HOPS
from caxton.wire.codec import CONTROL
from caxton.wire.link_state import LinkState

OTHER, REMOTE, NOBODY = 8, 2 << 10 | 1, 9 << 10
ROOT = b"r" * 16


@pytest.fixture
def two(make_shard):
    """The first of two shards."""
    return make_shard(shards=2)


def causes(shard):
    return [m.cause for _, m in shard.turns.taken]


def told_of(shard):
    return [type(read_report(m.content)).__name__ for _, m in shard.turns.taken if m.flags & AUTOMATIC]


def begin(shard, agent, message, **fields):
    """Let a client send an agent one message, and follow it to its end."""
    shard.frame(shard.sessions[0], [message(shard.sessions[0], agent.agent_id, **fields)])
    shard.settle()


def test_a_turn_s_messages_to_agents_share_one_cause(two, message):
    """What goes to agents, here and elsewhere, names the root and its hops in one object; to clients it does not."""
    agent, here, session = two.agent(1), two.agent(2), two.sessions[0]
    sent = [message(agent.agent_id, to) for to in (here.agent_id, REMOTE, session)]
    two.turns.script = lambda who, _message: sent if who is agent else []
    begin(two, agent, message)

    root = two.turns.taken[0][1]
    assert root.cause is None
    assert sent[0].cause is sent[1].cause
    assert [m.cause for m in sent] == [Cause(1, root.message_id), Cause(1, root.message_id), None]
    assert [m.cause for m in two.emitted(OTHER)] == [Cause(1, root.message_id)]


def test_a_chain_ends_after_a_thousand_hops(shard, message):
    """Two agents that answer each other for ever have a thousand hops; who would send beyond them is told."""
    agents = [shard.agent(1), shard.agent(2)]
    shard.turns.script = lambda who, m: (
        [] if m.flags & AUTOMATIC else [message(who.agent_id, next(a for a in agents if a is not who).agent_id)]
    )
    begin(shard, agents[0], message)

    assert [c.hops for c in causes(shard)[1:]] == [*range(1, MOST_HOPS + 1), MOST_HOPS + 2]
    assert told_of(shard) == ["HopLimitExceeded"]
    assert shard.counts()["over_hops"] == 1


@pytest.mark.parametrize(("limit", "last"), [(3, 3), (1_500, 1_500)])
def test_who_sends_the_first_may_set_the_limit(shard, message, limit, last):
    """A message's own limit holds for all that follows from it, lower or higher than the usual one."""
    agent = shard.agent(1)
    shard.turns.script = lambda who, m: [] if m.flags & AUTOMATIC else [message(who.agent_id, who.agent_id)]
    begin(shard, agent, message, rare=Rare(max_hops=limit))

    assert max(c.hops for c in causes(shard)[1:-1]) == last
    assert told_of(shard) == ["HopLimitExceeded"]


def test_an_agent_may_be_held_to_less(shard, message):
    """What an agent sends is no further from its root than its deployment says, whatever the root may."""
    agent, other = shard.agent(1, max_hops=0), shard.agent(2)
    shard.turns.script = lambda who, m: [] if m.flags & AUTOMATIC else [message(who.agent_id, other.agent_id)]
    begin(shard, agent, message, rare=Rare(max_hops=9))

    assert [who for who, _ in shard.turns.taken] == [agent, agent]
    assert told_of(shard) == ["HopLimitExceeded"]


def test_what_answers_its_own_failures_ends(shard, message):
    """An agent that answers whatever comes, its failures too, with a message to nobody is dropped at the limit."""
    agent = shard.agent(1)
    shard.turns.script = lambda who, _message: [message(who.agent_id, NOBODY)]
    begin(shard, agent, message)

    assert [c.hops for c in causes(shard)[1:]] == list(range(2, MOST_HOPS + 1, 2))
    assert set(told_of(shard)) == {"AgentNotFound"}
    assert shard.counts()["over_hops"] == 1


def test_a_root_has_a_bound_of_work(shard, message):
    """An agent that sends itself two messages for each is refused when they come to the limit, and told of each."""
    agent = shard.agent(1)
    shard.turns.script = lambda who, m: [] if m.flags & AUTOMATIC else [message(who.agent_id, who.agent_id)] * 2
    begin(shard, agent, message, rare=Rare(max_work=10))

    handled = [m for _, m in shard.turns.taken if not m.flags & AUTOMATIC]
    assert len(handled) == 1 + 10
    assert set(told_of(shard)) == {"WorkLimitExceeded"}
    assert shard.counts()["over_work"] == len(told_of(shard)) == 2 * 6


def test_contents_count_as_work(shard, message):
    """Each KiB of contents counts as one message more."""
    agent = shard.agent(1)
    sent = iter([bytes(2 << 10), b"", b""])
    shard.turns.script = lambda who, m: (
        [] if m.flags & AUTOMATIC else [message(who.agent_id, who.agent_id, content=next(sent))]
    )
    begin(shard, agent, message, rare=Rare(max_work=4))

    assert len(shard.turns.taken) == 3 + 1
    assert told_of(shard) == ["WorkLimitExceeded"]


def test_hops_go_on_across_shards(two, message):
    """A message of another worker has its cause with it; what follows from it here is one hop further."""
    agent = two.agent(1)
    two.turns.script = lambda who, m: [] if m.flags & AUTOMATIC else [message(who.agent_id, REMOTE)]
    for hops in (MOST_HOPS - 1, MOST_HOPS):
        two.frame(OTHER, [message(REMOTE, agent.agent_id, cause=Cause(hops, ROOT, "user"))])
    two.settle()

    assert [m.cause for m in two.emitted(OTHER)] == [Cause(MOST_HOPS, ROOT, "user")]
    assert told_of(two) == ["HopLimitExceeded"]
    assert causes(two)[-1] == Cause(MOST_HOPS + 2, ROOT, "user")


def test_a_client_cannot_name_a_cause(shard, message):
    """A message of a client with a cause is refused: only the runtime says what a message follows from."""
    agent, session = shard.agent(1), shard.sessions[0]
    shard.frame(session, [message(session, agent.agent_id, cause=Cause(0, ROOT, "somebody"))])
    shard.settle()

    states = [CONTROL.decode(frame) for frame in shard.peers.find(session)._control.frames]
    (refusal,) = [r for state in states if isinstance(state, LinkState) for r in state.refusals][:1]
    assert refusal.error == "InvalidMessageFormat"
    assert shard.turns.taken == []


EDGES = st.lists(st.lists(st.integers(0, 5), max_size=3), min_size=5, max_size=5)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=max(1, settings().max_examples // 5),
    deadline=None,
)
@given(EDGES, st.integers(1, 12), st.integers(1, 40), st.booleans())
def test_every_graph_of_agents_ends(make_shard, message, edges, most_hops, most_work, answers_failures):
    """Whoever tells whom what, and whether failures are answered or not, the turns of one root have a bound."""
    shard = make_shard()
    agents = [shard.agent(n + 1) for n in range(5)]
    ids = [agent.agent_id for agent in agents] + [NOBODY]
    told = {agent.agent_id: [ids[to] for to in tos] for agent, tos in zip(agents, edges, strict=True)}

    def script(who, m):
        if m.flags & AUTOMATIC and not answers_failures:
            return []
        return [message(who.agent_id, to) for to in told[who.agent_id]]

    shard.turns.script = script
    begin(shard, agents[0], message, rare=Rare(max_hops=most_hops, max_work=most_work))
    placed = 1 + most_work
    assert len(shard.turns.taken) <= placed + 3 * placed + placed
    shard.close()

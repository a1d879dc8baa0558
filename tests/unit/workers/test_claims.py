"""What a client says that its messages follow from is believed of what it was given to handle, and of nothing else."""

import pytest
from msgspec import structs

from caxton.acl.envelope import Cause, Rare, Waiters
from caxton.acl.failure import read_report
from caxton.agents.manifest import Encoding
from caxton.delivery.causes import MOST_HOPS, while_handled
from caxton.errors import AgentNotFound, AgentNotRunning
from caxton.wire.calls import Exchange
from caxton.wire.codec import CONTROL
from caxton.wire.delivery import AskSeal
from caxton.wire.link_state import LinkState
from workers.agents.registry import Hold
from workers.queues.deadlocks import MOST_LOOKED_AT

OTHER, ROOT = 8, b"r" * 16


@pytest.fixture
def attached(shard):
    """A function that makes an agent that the first session has attached, which handles so many messages at a time."""
    agents = shard.concurrency = {}

    def make(number=1, concurrency=1):
        agent = shard.agent(number, encoding=Encoding.ATTACHED)
        agent.hold(Hold.ATTACHED)
        shard.worker._attached.attach(shard.sessions[0], agent)
        agents[agent] = concurrency
        return agent

    return make


def give(shard, agent, most=9):
    """Give the agent's program what waits for it; the causes that it may claim, one for each."""
    asked = Exchange(
        agent.agent_id,
        [],
        most,
        0,
        [*agent.drawn],
        concurrency=shard.concurrency[agent],
        order="none",
        wants_seals=True,
    )
    deliveries = shard.runner.run(shard.worker._attached.exchange(shard.sessions[0], asked)).deliveries
    return [claim(given.message, given.seal) for given in deliveries]


def claim(message, seal):
    cause = while_handled(message)
    return structs.replace(cause, waiters=Waiters(cause.waiters.deliveries, seal))


def refusals(shard, session):
    """What a session was told of last: by which error each message was refused."""
    states = [CONTROL.decode(frame) for frame in shard.peers.find(session)._control.frames]
    last = [state.refusals for state in states if isinstance(state, LinkState)][-1]
    return [refusal.error for refusal in last for _ in range(refusal.count)]


@pytest.fixture
def claims(shard, attached, message):
    """The cause that the first session may claim, of a message of the second that it was given to handle."""
    agent, other = attached(), shard.sessions[1]
    shard.frame(other, [message(other, agent.agent_id, rare=Rare(max_hops=7))])
    shard.settle()
    (given,) = give(shard, agent)
    return given


@pytest.fixture
def send(shard, message):
    """A function that sends an agent a message with a cause, as a request if it is told to."""

    def make(agent, cause, *, session=shard.sessions[0], asks=False, **fields):
        sent = message(session, agent.agent_id, cause=cause, **fields)
        sent.reply_with = sent.message_id if asks else None
        shard.frame(session, [sent])
        shard.settle()
        return sent

    return make


def test_what_a_session_was_given_is_the_cause_of_what_it_sends(shard, claims, send):
    """What it claims is believed on the shard where it was given: one hop further, and who asks waits."""
    guest = shard.agent(2)
    send(guest, claims)
    send(guest, claims, asks=True)
    root = claims.root
    assert [m.cause for _, m in shard.turns.taken] == [
        Cause(1, root, "", 7),
        Cause(1, root, "", 7, 0, Waiters((root,))),
    ]
    assert shard.counts()["claims_forged"] == 0


def test_every_shard_believes_it(make_shard, claims, message):
    """Another worker of the runtime knows the seal again."""
    second = make_shard(own=OTHER)
    guest, session = second.agent(2), second.sessions[0]
    second.frame(session, [message(session, guest.agent_id, cause=claims)])
    second.settle()
    assert [m.cause for _, m in second.turns.taken] == [Cause(1, claims.root, "", 7)]


@pytest.mark.parametrize(
    "forge",
    [
        lambda cause: structs.replace(cause, hops=0),
        lambda cause: structs.replace(cause, root=ROOT),
        lambda cause: structs.replace(cause, principal="somebody"),
        lambda cause: structs.replace(cause, most_hops=100_000),
        lambda cause: structs.replace(cause, most_work=100_000_000),
        lambda cause: structs.replace(cause, waiters=Waiters((), cause.waiters.seal)),
        lambda cause: structs.replace(cause, waiters=Waiters(cause.waiters.deliveries, bytes(16))),
        lambda cause: structs.replace(cause, waiters=Waiters(cause.waiters.deliveries)),
    ],
    ids=["hops", "root", "principal", "most_hops", "most_work", "waiters", "seal", "no seal"],
)
def test_what_a_session_was_not_given_is_refused(shard, claims, send, forge):
    """Neither fewer hops nor another root, principal or limit than it was given: refused by name, and counted."""
    send(shard.agent(2), forge(claims))
    assert refusals(shard, shard.sessions[0]) == ["SecurityError"]
    assert (shard.turns.taken, shard.counts()["claims_forged"]) == ([], 1)


def test_what_another_session_was_given_is_refused(shard, claims, send):
    """A cause that leaked to another session is worth nothing there."""
    send(shard.agent(2), claims, session=shard.sessions[1])
    assert refusals(shard, shard.sessions[1]) == ["SecurityError"]
    assert shard.turns.taken == []


def test_whoever_the_root_acts_for_a_session_acts_for_its_own(shard, attached, send, message):
    """The principal of what a session sends is its own, also when what it handles is somebody else's."""
    gateway, agent, guest = shard.sessions[1], attached(), shard.agent(2)
    shard.principals[gateway] = "alice"
    shard.frame(gateway, [message(gateway, agent.agent_id)])
    shard.settle()
    (given,) = give(shard, agent)
    assert given.principal == "alice"
    send(guest, given)
    assert [m.cause for _, m in shard.turns.taken] == [Cause(1, given.root, "")]


def test_a_gateway_s_claim_keeps_its_root(shard, attached, send, message):
    """What a session that acts for somebody claims is done for that one, and is no root."""
    gateway, guest = shard.sessions[0], shard.agent(2)
    shard.principals[gateway] = "bob"
    agent, other = attached(), shard.sessions[1]
    shard.frame(other, [message(other, agent.agent_id)])
    shard.settle()
    (given,) = give(shard, agent)
    send(guest, given)
    assert [m.cause for _, m in shard.turns.taken] == [Cause(1, given.root, "bob")]


@pytest.mark.parametrize(
    ("limits", "error", "counter"),
    [
        (Rare(max_hops=3), "HopLimitExceeded", "over_hops"),
        (Rare(max_work=3), "WorkLimitExceeded", "over_work"),
    ],
)
def test_what_a_session_may_cause_is_bounded(shard, attached, send, message, limits, error, counter):
    """An agent that asks itself for ever comes to the root's limit of hops, one that repeats itself to that of work."""
    agent = attached(concurrency=9)
    first = shard.sessions[1]
    shard.frame(first, [message(first, agent.agent_id, rare=limits)])
    shard.settle()
    (cause,) = give(shard, agent)
    for _ in range(3):
        send(agent, cause, asks=True)
        (nearer,) = give(shard, agent)
        cause = nearer if limits.max_hops else cause
    send(agent, cause, asks=True)
    assert refusals(shard, shard.sessions[0]) == [error]
    assert (shard.counts()[counter], len(agent.drawn)) == (1, 4)


def test_a_root_without_limits_has_the_usual_ones(shard, send):
    """What is claimed a thousand hops from its root is taken, and one hop further refused."""
    guest, session = shard.agent(2), shard.sessions[0]
    for hops in (MOST_HOPS, MOST_HOPS + 1):
        cause = Cause(hops, ROOT, waiters=Waiters())
        send(guest, structs.replace(cause, waiters=Waiters((), shard.marks.seal(session, cause))))
    assert refusals(shard, session) == ["HopLimitExceeded"]
    assert len(shard.turns.taken) == 1


def test_who_would_wait_for_itself_is_told(shard, attached, send, claims):
    """What an agent's only handler asks the agent is refused at once; what it does not ask waits until it has ended."""
    agent = shard.registry.find(1 << 10)
    send(agent, claims, asks=True)
    assert refusals(shard, shard.sessions[0]) == ["Deadlock"]
    send(agent, claims)
    assert (agent.mailbox.depth, shard.counts()["deadlocks"]) == (2, 1)


def test_an_agent_s_question_that_comes_back_is_told(shard, claims, send, message):
    """A guest that asks instead of answering asks for who waits: back at that one, its question fails by name."""
    agent, guest = shard.registry.find(1 << 10), shard.agent(2)
    told = []

    def script(who, handled):
        if handled.performative == 6:
            told.append(type(read_report(handled.content)).__name__)
            return []
        return [structs.replace(message(who.agent_id, agent.agent_id), reply_with=ROOT)]

    shard.turns.script = script
    send(guest, claims, asks=True)
    assert (told, shard.counts()["deadlocks"]) == (["Deadlock"], 1)


def test_with_a_place_left_it_is_handled(shard, attached, send, message):
    """An agent of two handlers answers what one of them asks; when both ask it, the second is told."""
    agent, first = attached(concurrency=2), shard.sessions[1]
    shard.frame(first, [message(first, agent.agent_id) for _ in range(2)])
    shard.settle()
    causes = give(shard, agent)
    for cause in causes:
        send(agent, cause, asks=True)
    assert refusals(shard, shard.sessions[0]) == ["Deadlock"]
    assert (agent.mailbox.depth, shard.counts()["deadlocks"]) == (3, 1)


@pytest.mark.parametrize("before", [MOST_LOOKED_AT - 1, MOST_LOOKED_AT])
def test_so_much_of_what_waits_is_looked_at(shard, attached, send, message, before):
    """Beyond what is looked at nobody sees that a message waits for which a handler waits: then a timeout ends it."""
    agent, first = attached(concurrency=2), shard.sessions[1]
    shard.frame(first, [message(first, agent.agent_id) for _ in range(2)])
    shard.settle()
    causes = give(shard, agent)
    mailbox = agent.mailbox
    for _ in range(before):
        shard.dispatcher.enqueue(agent, mailbox, message(9 << 10, agent.agent_id), 0, 0, 0, agent.agent_id)
    for cause in causes:
        send(agent, cause, asks=True)
    assert shard.counts()["deadlocks"] == (before < MOST_LOOKED_AT)


def test_a_seal_is_told_of_what_is_under_way(shard, attached, message):
    """Who did not want seals may ask for that of a delivery, as long as its session has it; nobody pays for others."""
    agent, other = attached(), shard.sessions[1]
    shard.frame(other, [message(other, agent.agent_id)])
    shard.settle()
    asked = Exchange(agent.agent_id, [], 9, 0)
    (given,) = shard.runner.run(shard.worker._attached.exchange(shard.sessions[0], asked)).deliveries
    assert given.seal is None

    question = AskSeal(agent.agent_id, given.delivery)
    seal = shard.worker._attached.seal(shard.sessions[0], question).seal
    assert seal == shard.marks.seal(shard.sessions[0], while_handled(given.message))
    with pytest.raises(AgentNotRunning, match="not attached to this session"):
        shard.worker._attached.seal(other, question)
    with pytest.raises(AgentNotRunning, match="not handling that message"):
        shard.worker._attached.seal(shard.sessions[0], AskSeal(agent.agent_id, given.delivery + 1))
    with pytest.raises(AgentNotFound):
        shard.worker._attached.seal(other, AskSeal(9 << 10, given.delivery))

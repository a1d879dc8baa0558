import pytest

from caxton.acl.envelope import AUTOMATIC
from caxton.acl.failure import read_report
from caxton.agents.manifest import Encoding
from caxton.errors import AgentNotFound, AgentNotRunning, MessageExpired, SessionNotFound, Unsupported
from caxton.ids import BROADCAST
from caxton.wire.control import Topology
from caxton.wire.link_state import LinkState
from workers.agents.mailbox import OVERSHOOT
from workers.agents.registry import Hold

OWN, OTHER, SECOND_NS = 7, 8, 1_000_000_000


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now_ns = SECOND_NS

        def __call__(self):
            return self.now_ns

    clock = Clock()
    for module in ("loop.passes", "turns.routes", "loop.maintenance"):
        monkeypatch.setattr(f"workers.{module}.monotonic_ns", clock)
    return clock


@pytest.fixture
def two(make_shard):
    """The first of two shards."""
    return make_shard(shards=2)


def tell(shard, number, **fields):
    """The other worker's link state, with what matters."""
    plain = {
        "lane": 0,
        "closed": "",
        "taken": 0,
        "credit_messages": 0,
        "credit_bytes": 0,
        "refusals_from": 0,
        "refusals": [],
    }
    plain |= {"full": [], "emitted": 0, "refusals_seen": 0}
    shard.say(LinkState(source=OTHER, mark=shard.marks.mark(OTHER), target=OWN, number=number, **plain | fields))


def fill(shard, agent, message, count):
    """Have this much wait in an agent's mailbox, as if its turns had not come yet."""
    session = shard.sessions[0]
    for _ in range(count):
        shard.routes.send(agent, [message(session, agent.agent_id, in_reply_to=bytes(16))], (0, 0))


def taken_by(shard, agent):
    return [m for who, m in shard.turns.taken if who is agent]


def failures(shard, agent):
    return [read_report(m.content) for m in taken_by(shard, agent) if m.flags & AUTOMATIC]


@pytest.fixture
def send_once(message):
    """A function that gives an agent one message, in whose turn it sends these effects, and later none."""

    def send(shard, agent, effects):
        plans = {agent.agent_id: effects}
        shard.turns.script = lambda who, _message: plans.pop(who.agent_id, [])
        shard.frame(shard.sessions[0], [message(shard.sessions[0], agent.agent_id)])

    return send


def test_an_agent_whose_receiver_is_full_is_parked_with_the_rest(shard, message, send_once):
    """What comes after the message without room waits with it, in order, and nobody else waits."""
    sender, full, free = shard.agent(1), shard.agent(2, capacity=4), shard.agent(3)
    full.hold(Hold.PAUSED)  # its turns do not come
    fill(shard, full, message, 3)
    effects = [message(sender.agent_id, to.agent_id) for to in (free, full, free)]
    send_once(shard, sender, effects)
    shard.settle()

    assert sender.holds
    assert shard.parking.messages == 2
    assert taken_by(shard, free) == effects[:1]

    shard.frame(shard.sessions[0], [message(shard.sessions[0], free.agent_id)])
    shard.settle()
    assert len(taken_by(shard, free)) == 2

    full.release(Hold.PAUSED)
    shard.dispatcher.resume(full)
    shard.settle()
    assert not sender.holds
    assert taken_by(shard, full)[-1] is effects[1]
    assert taken_by(shard, free)[-1] is effects[2]


def test_nobody_waits_for_an_agent_that_takes_nothing(shard, message, send_once):
    """A message for a full mailbox whose agent no client runs now is refused at once, and its sender goes on."""
    sender, full = shard.agent(1), shard.agent(2, capacity=4, encoding=Encoding.ATTACHED)
    full.hold(Hold.ATTACHED)
    full.attach(shard.sessions[1])
    fill(shard, full, message, 3)
    full.attach(0)
    send_once(shard, sender, [message(sender.agent_id, full.agent_id)])
    shard.settle()

    assert not sender.holds
    assert [type(error) for error in failures(shard, sender)] == [AgentNotRunning]


def test_those_who_wait_are_woken_in_their_order(shard, message):
    """Agents that wait for one receiver get its room in the order in which they came."""
    full = shard.agent(1, capacity=4)
    senders = [shard.agent(n) for n in range(2, 12)]
    full.hold(Hold.PAUSED)
    fill(shard, full, message, 3)
    shard.turns.script = lambda who, _: [message(who.agent_id, full.agent_id)] if who is not full else []
    session = shard.sessions[0]
    shard.frame(session, [message(session, sender.agent_id) for sender in senders])
    shard.settle()
    assert all(sender.holds for sender in senders)

    full.release(Hold.PAUSED)
    shard.dispatcher.resume(full)
    shard.settle()
    assert [m.sender for m in taken_by(shard, full)[3:]] == [sender.agent_id for sender in senders]


def test_effects_that_waited_too_long_come_back(shard, message, clock, send_once):
    """After 30 s each of the effects is a failure to the agent that sent it, and the agent goes on."""
    sender, full = shard.agent(1), shard.agent(2, capacity=4)
    full.hold(Hold.PAUSED)
    fill(shard, full, message, 3)
    send_once(shard, sender, [message(sender.agent_id, full.agent_id) for _ in range(2)])
    shard.settle()
    for _ in range(29):
        clock.now_ns += SECOND_NS
        shard.tick()
    assert sender.holds

    clock.now_ns += 2 * SECOND_NS
    shard.tick()
    assert not sender.holds
    assert [type(error) for error in failures(shard, sender)] == [MessageExpired, MessageExpired]
    assert shard.counts()["given_up"] == 2


def test_waits_that_try_again_end_in_time_too(shard, message, clock):
    """Agents of the smallest mailboxes that wait for each other try again and again, and come free after 30 s."""
    a, b = shard.agent(1, capacity=2), shard.agent(2, capacity=2)
    other = {a: b, b: a}
    plans = {a: 3, b: 3}
    shard.turns.script = lambda who, _: [message(who.agent_id, other[who].agent_id) for _ in range(plans.pop(who, 0))]
    session = shard.sessions[0]
    shard.frame(session, [message(session, a.agent_id), message(session, b.agent_id)])
    shard.settle()
    assert a.holds
    assert b.holds
    for _ in range(32):
        clock.now_ns += SECOND_NS
        shard.tick()

    assert not a.holds
    assert not b.holds
    assert (shard.dispatcher.queued, shard.parking.messages) == (0, 0)


def test_answers_and_messages_to_oneself_are_not_held_back(shard, message, send_once):
    """What answers, and what an agent tells itself, goes into a full mailbox, up to its hard bound."""
    sender, full = shard.agent(1), shard.agent(2, capacity=4)
    full.hold(Hold.PAUSED)
    fill(shard, full, message, 4)
    send_once(shard, sender, [message(sender.agent_id, full.agent_id, in_reply_to=bytes(16)) for _ in range(50)])
    shard.settle()
    shard.routes.send(full, [message(full.agent_id, full.agent_id) for _ in range(50)], (0, 0))

    assert not sender.holds
    assert full.mailbox.depth == 104

    fill(shard, full, message, OVERSHOOT)
    assert full.mailbox.depth == full.mailbox.hard == OVERSHOOT + 4
    shard.settle()
    assert shard.counts()["refused"] == 100


def test_nothing_automatic_is_answered(shard, message):
    """A failure whose receiver is not there, is gone or is full comes to nothing, counted, and makes no other."""
    full = shard.agent(2, capacity=1)
    full.hold(Hold.PAUSED)
    fill(shard, full, message, 1 + OVERSHOOT)
    for sender in (9 << 10, full.agent_id, shard.sessions[1], 0, BROADCAST):
        shard.routes.fail(message(sender, 4 << 10), AgentNotFound("x"))
    shard.settle()

    counts = shard.counts()
    assert counts["failures_sent"] == 3
    assert counts["failures_dropped"] == 5


def test_content_agents_get_no_failures(shard, message):
    """A failure to an agent that could not tell it from a message is dropped and counted."""
    agent = shard.agent(1, encoding=Encoding.CONTENT)
    shard.routes.fail(message(agent.agent_id, 9 << 10), AgentNotFound("x"))
    shard.settle()

    assert taken_by(shard, agent) == []
    assert shard.counts()["failures_dropped"] == 1


@pytest.mark.parametrize(
    ("receiver", "error"),
    [(9 << 10, AgentNotFound), (0, AgentNotFound), (BROADCAST, Unsupported), (1 << 63 | 5, SessionNotFound)],
)
def test_what_has_no_receiver_comes_back(shard, message, receiver, error, send_once):
    """A message to nobody, to everybody or to a client that is gone is a failure to its sender."""
    sender = shard.agent(1)
    send_once(shard, sender, [message(sender.agent_id, receiver)])
    shard.settle()

    assert [type(e) for e in failures(shard, sender)] == [error]


def test_what_is_for_a_shard_without_worker_waits_for_it(two, message, send_once):
    """While a shard has no worker, who sends to it is parked; the next worker gets what waited."""
    sender = two.agent(1)
    two.say(Topology(0, two.marks.mark(0), 1, two.table, [OWN, 0], ["ready", "restarting"]))
    effects = [message(sender.agent_id, 2 << 10 | 1) for _ in range(3)]
    send_once(two, sender, effects)
    two.settle()
    assert sender.holds

    two.say(Topology(0, two.marks.mark(0), 2, two.table, [OWN, 9], ["ready", "ready"]))
    two.settle()
    assert not sender.holds
    assert two.emitted(9) == effects


@pytest.mark.parametrize("receiver", [0, 1 << 10 | 1])
def test_what_waited_for_a_shard_in_vain_comes_back(make_shard, message, clock, receiver, send_once):
    """Whatever the receiver's number, also zero, effects for a shard that stays down are failures after 30 s."""
    shard = make_shard(shards=2)
    shard.table = shard.placing.table = type(shard.table)(2, (1,) * 1_024)
    shard.say(Topology(0, shard.marks.mark(0), 1, shard.table, [OWN, 0], ["ready", "failed"]))
    sender = shard.agent(1)
    send_once(shard, sender, [message(sender.agent_id, receiver)])
    shard.settle()
    assert sender.holds
    clock.now_ns += 31 * SECOND_NS
    shard.tick()

    assert not sender.holds
    assert shard.counts()["given_up"] == 1


def test_a_full_agent_of_another_worker_holds_its_senders_back(two, message, send_once):
    """Who sends to an agent that another worker called full is parked until it has room; answers go."""
    sender, remote = two.agent(1), 2 << 10 | 1
    tell(two, 1, full=[remote])
    answer = message(sender.agent_id, remote, in_reply_to=bytes(16))
    plain = message(sender.agent_id, remote)
    send_once(two, sender, [answer, plain])
    two.settle()
    assert sender.holds
    assert two.emitted(OTHER) == [answer]

    tell(two, 2, full=[])
    two.settle()
    assert not sender.holds
    assert two.emitted(OTHER) == [answer, plain]


def test_a_link_carries_so_much_unacknowledged(two, message):
    """Beyond 8,192 unacknowledged messages to a worker its senders wait, until it acknowledges."""
    sender, remote = two.agent(1), 2 << 10 | 1
    effects = [message(sender.agent_id, remote) for _ in range(256)]
    plans = [effects] * (OVERSHOOT // 256 + 1)
    two.turns.script = lambda _agent, _message: plans.pop()
    session = two.sessions[0]
    two.frame(session, [message(session, sender.agent_id) for _ in plans])
    two.settle()
    assert sender.holds
    assert len(two.emitted(OTHER)) == OVERSHOOT

    tell(two, 1, taken=OVERSHOOT)
    two.settle()
    assert not sender.holds
    assert len(two.emitted(OTHER)) == OVERSHOOT + 256


def test_when_a_worker_ends_its_full_agents_are_forgotten(two, message, send_once):
    """Who waited for an agent of a worker that ended tries again at its successor."""
    sender, remote = two.agent(1), 2 << 10 | 1
    tell(two, 1, full=[remote])
    send_once(two, sender, [message(sender.agent_id, remote)])
    two.settle()
    assert sender.holds

    two.say(Topology(0, two.marks.mark(0), 1, two.table, [OWN, 9], ["ready", "ready"]))
    two.settle()
    assert not sender.holds
    assert len(two.emitted(9)) == 1

import pytest

from caxton.acl.envelope import AUTOMATIC
from caxton.acl.failure import read_report
from caxton.agents.manifest import Encoding
from caxton.errors import AgentNotFound, AgentNotRunning, QueueFull, SessionNotFound, Unsupported
from caxton.ids import BROADCAST
from caxton.links.credit import FIRST_BYTES, FIRST_MESSAGES
from caxton.wire.codec import CONTROL
from caxton.wire.control import Topology
from caxton.wire.link_state import LinkState
from workers.agents.registry import Hold
from workers.queues.bounds import OF_LINK, OF_ONE
from workers.queues.turn_time import PROVEN

OWN, OTHER, SECOND_NS = 7, 8, 1_000_000_000
REMOTE = 2 << 10 | 1


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now_ns = SECOND_NS

        def __call__(self):
            return self.now_ns

    clock = Clock()
    for module in ("loop.passes", "loop.maintenance"):
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
        shard.routes.send([message(session, agent.agent_id, in_reply_to=bytes(16))], (0, 0))


def told(shard, peer):
    """The last state that a peer was told of lane 0."""
    return [CONTROL.decode(frame) for frame in shard.peers.find(peer)._control.frames][-1]


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


def test_nobody_waits_for_a_full_receiver(shard, message, send_once):
    """What agents send goes beyond a mailbox's capacity and its sender goes on, also when the receiver stands still."""
    sender, full, free = shard.agent(1), shard.agent(2, capacity=4), shard.agent(3)
    full.hold(Hold.PAUSED)
    effects = [message(sender.agent_id, to.agent_id) for to in [*[full] * 8, free]]
    send_once(shard, sender, effects)
    shard.settle()

    assert (sender.holds, full.mailbox.depth, taken_by(shard, free)) == (0, 8, effects[-1:])

    full.release(Hold.PAUSED)
    shard.dispatcher.resume(full)
    shard.settle()
    assert taken_by(shard, full) == effects[:-1]


def test_a_client_has_the_capacity_whatever_agents_have_sent(shard, message, send_once):
    """Effects take no room of roots: a client's messages are placed up to the capacity, and refused beyond."""
    sender, full, session = shard.agent(1), shard.agent(2, capacity=4), shard.sessions[1]
    full.hold(Hold.PAUSED)
    send_once(shard, sender, [message(sender.agent_id, full.agent_id) for _ in range(9)])
    shard.settle()
    shard.frame(session, [message(session, full.agent_id) for _ in range(5)])
    shard.settle()

    assert full.mailbox.depth == 9 + 4
    assert shard.counts()["refused"] == 1
    assert shard.peers.find(session).full == {full.agent_id}


def test_what_was_begun_goes_first(shard, message):
    """An agent handles effects before roots, and a root in every eighth turn."""
    agent, session = shard.agent(1), shard.sessions[0]
    agent.hold(Hold.PAUSED)
    roots = [message(session, agent.agent_id) for _ in range(6)]
    shard.frame(session, roots)
    shard.settle()
    effects = [message(2 << 10, agent.agent_id) for _ in range(20)]
    shard.routes.send(effects, (0, 0))
    agent.release(Hold.PAUSED)
    shard.dispatcher.resume(agent)
    shard.settle()

    assert taken_by(shard, agent) == [*effects[:14], *roots[:2], *effects[14:], *roots[2:]]


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


@pytest.mark.parametrize(("size", "most"), [(1, OF_ONE), (2_000, OF_ONE // 2)])
def test_one_receiver_has_a_share(shard, message, size, most):
    """What weighs as much as one receiver may have of the shard is kept for it; the next is back at once."""
    sender, full = shard.agent(1), shard.agent(2, capacity=4)
    full.hold(Hold.PAUSED)
    others = [message((n + 5) << 10, full.agent_id, content=bytes(size)) for n in range(most)]  # each of another sender
    shard.routes.send([*others, message(sender.agent_id, full.agent_id)], (0, 0))
    shard.settle()

    assert (full.mailbox.depth, full.mailbox.weight) == (most, OF_ONE)
    assert [str(error) for error in failures(shard, sender)] == [str(QueueFull(full.label, most, full.mailbox.hard))]
    assert shard.counts()["full_receiver"] == 1


def test_what_goes_back_to_one_agent_has_a_share(shard, message):
    """Who has begun as much as one may is refused, whoever sends it on and whoever the receiver is; others are not."""
    sender, middle, other = shard.agent(1), shard.agent(2), shard.agent(3)
    receivers = [shard.agent(n) for n in range(4, 8)]
    for receiver in receivers:
        receiver.hold(Hold.PAUSED)
    sends = {sender: [middle] * 16, middle: [receivers[n % 4] for n in range(OF_ONE // 16)], other: receivers[:1]}
    shard.turns.script = lambda who, given: [
        message(who.agent_id, to.agent_id) for to in sends[who] if not given.flags & AUTOMATIC
    ]
    session = shard.sessions[0]
    shard.frame(session, [message(session, sender.agent_id) for _ in range(2)])
    shard.settle()
    shard.frame(session, [message(session, other.agent_id)])
    shard.settle()

    assert shard.dispatcher.resting == {sender.agent_id: OF_ONE, other.agent_id: 1}
    assert [type(error) for error in failures(shard, sender)] == [QueueFull] * 16
    assert shard.counts()["full_origin"] == 16


def test_who_begins_more_than_it_ends_waits_for_itself_alone(shard, message):
    """An agent whose effects are in line has no root before they are handled; another one has, and no turn is lost."""
    asks, peer, quick = agents = shard.agent(1), shard.agent(2), shard.agent(3)
    for agent in agents:
        agent.run = PROVEN
    shard.turns.script = lambda who, _: [message(who.agent_id, peer.agent_id) for _ in range(3_000 * (who is asks))]
    session = shard.sessions[0]
    shard.frame(session, [message(session, asks.agent_id) for _ in range(8)])
    shard.frame(session, [message(session, quick.agent_id) for _ in range(8)])
    shard.settle()

    order = [who for who, _ in shard.turns.taken]
    assert len(order) == 8 * 3_002
    assert shard.counts()["refused"] == 0
    assert order.index(quick) < 200
    assert order[::-1].index(quick) > order[::-1].index(asks)


def test_a_shard_has_a_bound(two, message, monkeypatch):
    """Beyond what the shard keeps of effects they are refused, but for those that it gave another shard credit for."""
    monkeypatch.setattr("workers.queues.admission.MOST_EFFECTS", OF_ONE + 1)
    monkeypatch.setattr("workers.queues.admission.MOST_IN_ALL", OF_ONE + 3)
    receivers = [two.agent(n) for n in range(3, 7)]
    for receiver in receivers:
        receiver.hold(Hold.PAUSED)
    sent = [message((n + 9) << 10, receivers[n % 4].agent_id) for n in range(OF_ONE + 2)]
    two.routes.send(sent, (0, 0))
    two.settle()
    assert (two.dispatcher.effects, two.counts()["full_shard"]) == (OF_ONE + 1, 1)

    two.frame(OTHER, [message(REMOTE, receivers[n].agent_id) for n in range(3)])
    two.settle()
    assert (two.dispatcher.effects, two.counts()["full_shard"]) == (OF_ONE + 3, 2)


def test_answers_and_messages_to_oneself_are_effects_like_any_other(shard, message, send_once):
    """What answers, and what an agent tells itself, goes beyond the capacity too."""
    sender, full = shard.agent(1), shard.agent(2, capacity=4)
    full.hold(Hold.PAUSED)
    send_once(shard, sender, [message(sender.agent_id, full.agent_id, in_reply_to=bytes(16)) for _ in range(50)])
    shard.settle()
    shard.routes.send([message(full.agent_id, full.agent_id) for _ in range(50)], (0, 0))

    assert full.mailbox.depth == 100


def test_agents_that_send_each_other_two_for_one_never_stand_still(shard, message, monkeypatch):
    """With the smallest mailboxes and no end of messages, turns go on until each pair has its share, and then too."""
    a, b = shard.agent(1, capacity=1), shard.agent(2, capacity=1)
    # Two roots may cause a million messages each: with their failures 20,000 turns cause 80,000, in whatever order.
    monkeypatch.setattr("workers.queues.admission.OF_ONE", 1_000)
    other, left = {a: b, b: a}, [20_000]

    def script(who, _):
        left[0] -= 1
        return [message(who.agent_id, other[who].agent_id, timeout_ms=300_000) for _ in range(2 * (left[0] > 0))]

    shard.turns.script = script
    session = shard.sessions[0]
    shard.frame(session, [message(session, agent.agent_id, timeout_ms=300_000) for agent in (a, b)])
    shard.settle()

    assert (shard.counts()["over_work"], shard.counts()["expired"]) == (0, 0)
    assert left[0] <= 0
    assert (shard.dispatcher.queued, shard.dispatcher.effects, shard.dispatcher.begun) == (0, 0, {})
    assert shard.counts()["full_receiver"] > 0


def test_nothing_automatic_is_answered(shard, message):
    """A failure whose receiver is not there, is gone or is full comes to nothing, counted, and makes no other."""
    full = shard.agent(2, capacity=1)
    full.hold(Hold.PAUSED)
    shard.routes.send([message((n + 9) << 10, full.agent_id) for n in range(OF_ONE)], (0, 0))
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
    """While a shard has no worker, what is for it waits and its senders go on; the next worker gets it, in order."""
    sender = two.agent(1)
    two.say(Topology(0, two.marks.mark(0), 1, two.table, [OWN, 0], ["ready", "restarting"]))
    effects = [message(sender.agent_id, REMOTE) for _ in range(3)]
    send_once(two, sender, effects)
    two.settle()
    assert (sender.holds, two.backlogs.messages) == (0, 3)

    two.say(Topology(0, two.marks.mark(0), 2, two.table, [OWN, 9], ["ready", "ready"]))
    two.routes.send([late := message(sender.agent_id, REMOTE)], (0, 0))
    two.settle()
    assert two.emitted(9) == [*effects, late]
    assert (two.backlogs.messages, two.dispatcher.resting) == (0, {})


@pytest.mark.parametrize("receiver", [0, 1 << 10 | 1])
def test_what_waited_for_a_shard_in_vain_comes_back(make_shard, message, clock, receiver, send_once):
    """Whatever the receiver's number, also zero, effects for a shard that stays down are failures after 30 s."""
    shard = make_shard(shards=2)
    shard.table = shard.placing.table = type(shard.table)(2, (1,) * 1_024)  # its sender's failure waits there too
    shard.say(Topology(0, shard.marks.mark(0), 1, shard.table, [OWN, 0], ["ready", "failed"]))
    sender = shard.agent(1)
    send_once(shard, sender, [message(sender.agent_id, receiver)])
    shard.settle()
    clock.now_ns += 31 * SECOND_NS
    shard.tick()
    assert (shard.counts()["given_up"], shard.counts()["failures_sent"]) == (1, 1)

    clock.now_ns += 31 * SECOND_NS
    shard.tick()
    assert (shard.backlogs.messages, shard.counts()["given_up"]) == (0, 2)
    assert (shard.counts()["failures_sent"], shard.counts()["failures_dropped"]) == (1, 1)


def test_what_waits_for_a_shard_is_bounded(two, message):
    """What weighs more than may wait for another shard is refused at once, and counted."""
    sender = two.agent(1)
    two.say(Topology(0, two.marks.mark(0), 1, two.table, [OWN, 0], ["ready", "restarting"]))
    two.routes.send([message((n + 9) << 10, REMOTE) for n in range(OF_LINK)], (0, 0))
    two.routes.send([message(sender.agent_id, REMOTE)], (0, 0))
    two.settle()

    assert two.backlogs.weight(1) == OF_LINK
    assert [str(error) for error in failures(two, sender)] == [str(QueueFull("shard 1", OF_LINK, OF_LINK))]
    assert two.counts()["full_link"] == 1


def test_who_is_refused_is_told_on_another_shard_too(two, message):
    """A failure waits for its shard also when what goes back to its agent has its share already."""
    origin = 1 << 10
    two.say(Topology(0, two.marks.mark(0), 1, two.table, [OWN, 0], ["ready", "restarting"]))
    two.dispatcher.resting[origin] = OF_ONE
    two.routes.a_pass.origin = origin
    two.routes.send([message(origin, REMOTE)], (0, 0))
    assert two.backlogs.messages == 0
    two.routes.fail(message(REMOTE, 9 << 10), AgentNotFound("x"))
    two.routes.a_pass.origin = 0

    assert two.backlogs.messages == 1


def test_a_link_carries_what_it_has_credit_for(two, message):
    """Beyond the credit that another shard gave, effects wait for more of it, in order; their senders go on."""
    sender = two.agent(1)
    effects = [message(sender.agent_id, REMOTE) for _ in range(256)]
    plans = [effects[:100], effects[100:200], effects[200:]]
    two.turns.script = lambda _agent, _message: plans.pop(0)
    session = two.sessions[0]
    two.frame(session, [message(session, sender.agent_id) for _ in plans])
    two.settle()
    assert (sender.run, sender.holds, plans) == (0, 0, [])
    assert two.emitted(OTHER) == effects[:FIRST_MESSAGES]

    tell(two, 1, taken=FIRST_MESSAGES, credit_messages=200, credit_bytes=10**9)
    two.settle()
    assert two.emitted(OTHER) == effects[:200]
    tell(two, 2, taken=100, credit_messages=1_000, credit_bytes=10**9)
    two.settle()
    assert two.emitted(OTHER) == effects


def test_a_link_carries_the_bytes_that_it_has_credit_for(two, message):
    """Bytes count as messages do: what is beyond waits, and goes when there is credit for it."""
    sender = two.agent(1)
    effects = [message(sender.agent_id, REMOTE, content=bytes(400_000)) for _ in range(6)]
    two.routes.send(effects, (0, 0))
    two.settle()
    assert len(two.emitted(OTHER)) == FIRST_BYTES // 400_000

    for number, taken in enumerate((2, 4, 6), 1):
        tell(two, number, taken=taken, credit_messages=100, credit_bytes=FIRST_BYTES + taken * 400_000)
        two.settle()
    assert two.emitted(OTHER) == effects


def test_another_shard_gets_no_credit_beyond_what_is_kept(two, message, monkeypatch):
    """While effects weigh as much as a shard keeps, other shards get no further credit; then at once again."""
    monkeypatch.setattr("workers.loop.shard.MOST_EFFECTS", 2)
    agent = two.agent(1)
    agent.hold(Hold.PAUSED)
    two.frame(OTHER, [message(REMOTE, agent.agent_id) for _ in range(3)])
    two.settle()
    assert told(two, OTHER).credit_messages == FIRST_MESSAGES

    agent.release(Hold.PAUSED)
    two.dispatcher.resume(agent)
    two.settle()
    assert told(two, OTHER).credit_messages > FIRST_MESSAGES


@pytest.mark.parametrize(("bound", "most"), [("MOST_QUEUED", 3), ("MOST_QUEUED_BYTES", 30)])
def test_clients_get_no_credit_beyond_what_mailboxes_keep(shard, message, monkeypatch, bound, most):
    """With as much in all mailboxes as a shard keeps clients get credit still; beyond it no more, until less waits."""
    monkeypatch.setattr(f"workers.loop.shard.{bound}", most)
    agents, session = [shard.agent(1), shard.agent(2)], shard.sessions[0]
    for agent in agents:
        agent.hold(Hold.PAUSED)

    def send(count):
        shard.frame(session, [message(session, agents[n % 2].agent_id, content=bytes(10)) for n in range(count)])
        shard.settle()
        return told(shard, session).credit_messages

    before = send(2)
    assert before < (still := send(1))
    bytes_still = told(shard, session).credit_bytes
    assert (send(1), told(shard, session).credit_bytes) == (still, bytes_still)

    agents[0].release(Hold.PAUSED)
    shard.dispatcher.resume(agents[0])
    shard.settle()
    assert told(shard, session).credit_messages > still
    assert told(shard, session).credit_bytes > bytes_still


def test_clients_fill_a_mailbox_to_its_share_of_bytes(shard, message, monkeypatch):
    """From half of the bytes on they are told so, at all of them refused; other agents have room, and it too, later."""
    for where, name, most in (
        ("queues.admission", "MOST", 64),
        ("queues.admission", "FULL", 32),
        ("agents.mailbox", "ROOM", 16),
    ):
        monkeypatch.setattr(f"workers.{where}.{name}_ROOT_BYTES", most)
    full, other, session = shard.agent(1), shard.agent(2), shard.sessions[0]
    quarter = bytes(16)

    def send(to, content):
        shard.frame(session, [message(session, to.agent_id, content=content)])
        shard.settle()
        return set(shard.peers.find(session).full), len(told(shard, session).refusals)

    for agent in (full, other):
        agent.hold(Hold.PAUSED)
    assert [send(full, content) for content in (quarter, quarter[1:], b"x")] == [(set(), 0)] * 3
    assert [send(full, quarter) for _ in range(2)] == [({full.agent_id}, 0)] * 2
    assert send(full, b"") == ({full.agent_id}, 1)
    refusal = told(shard, session).refusals[-1]
    assert (refusal.error, refusal.fields["capacity"]) == ("QueueFull", 64)
    assert send(other, quarter) == ({full.agent_id}, 1)

    full.release(Hold.PAUSED)
    shard.dispatcher.resume(full)
    shard.settle()
    assert (full.mailbox.root_bytes, other.mailbox.root_bytes) == (0, 16)
    assert send(full, b"x") == (set(), 1)


def test_a_client_is_refused_once_mailboxes_keep_what_credit_was_given_for(shard, message, monkeypatch):
    """Whoever uses old credit is refused a frame when as many bytes wait as may at most, and served when fewer do."""
    monkeypatch.setattr("workers.queues.admission.MOST_ROOTS_BYTES", 30)
    agent, other, session = shard.agent(1), shard.agent(2), shard.sessions[0]
    agent.hold(Hold.PAUSED)
    for count in (2, 1, 1):
        shard.frame(session, [message(session, agent.agent_id, content=bytes(10)) for _ in range(count)])
        shard.settle()
    told_of = [(refusal.error, refusal.fields) for refusal in told(shard, session).refusals]
    assert told_of == [("QueueFull", {"receiver": "shard 0, in bytes", "depth": 30, "capacity": 30})]
    assert (agent.mailbox.depth, shard.counts()["refused"]) == (3, 1)

    shard.frame(session, [message(session, other.agent_id)])
    shard.settle()
    assert len(taken_by(shard, other)) == 1, "what need not wait is no more than before"

    agent.release(Hold.PAUSED)
    shard.dispatcher.resume(agent)
    shard.settle()
    shard.frame(session, [message(session, agent.agent_id)])
    shard.settle()
    assert (shard.counts()["refused"], len(taken_by(shard, agent))) == (1, 4)


def test_when_a_worker_ends_what_waited_for_its_credit_goes_to_its_successor(two, message):
    """What was not sent to a worker that ended is not lost with it."""
    effects = [message(1 << 10, REMOTE) for _ in range(FIRST_MESSAGES + 5)]
    two.routes.send(effects, (0, 0))
    two.settle()
    two.say(Topology(0, two.marks.mark(0), 1, two.table, [OWN, 9], ["ready", "ready"]))
    two.settle()

    assert two.emitted(9) == effects[FIRST_MESSAGES:]

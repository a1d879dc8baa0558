"""A client's volatile way to a shard whose worker gives credit, refuses, is full, ends and comes back in any order."""

import asyncio
from collections import Counter, defaultdict, deque

import msgspec
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from caxton.acl.envelope import Envelope
from caxton.acl.options import Lane
from caxton.client.routes.answers import Answers
from caxton.client.routes.backlog import RECEIVER_WINDOW
from caxton.client.routes.batches import Batch
from caxton.client.routes.outlets import Outlets
from caxton.client.routes.receipts import Receipt
from caxton.client.routes.shard_route import ShardRoute
from caxton.client.routes.volatile_route import VolatileRoute
from caxton.errors import AgentNotFound, NetworkError, QueueFull, ShardUnavailable, Timeout
from caxton.links.incoming import Incoming
from caxton.wire.codec import DATA
from caxton.wire.frames import FULL_FRAME_BYTES, MAX_FRAME_MESSAGES
from caxton.wire.link_state import LinkState

SESSION, MARK = 1 << 63, bytes(16)
RECEIVERS = st.sampled_from([1, 2, 3])
SIZES = st.sampled_from([0, 1, 1_000, 200_000, 2_000_000])
REFUSED = (AgentNotFound("x"), QueueFull("x", 1, 1))


def new_route():
    return ShardRoute(0, SESSION, MARK, Answers(), Counter())


def state_of(incarnation, number, told, full=()):
    return LinkState(
        source=incarnation,
        mark=MARK,
        target=SESSION,
        lane=0,
        number=number,
        full=sorted(full),
        emitted=0,
        refusals_seen=0,
        **told,
    )


class Way(RuleBasedStateMachine):
    """The worker is an `Incoming` with its credit: what it drops as over credit the client should never have sent."""

    def __init__(self, loop, make_wire):
        super().__init__()
        self.loop, self.make_wire = loop, make_wire
        self.route = new_route()
        self.made = 0
        self.batches = []
        self.incarnation = 0
        self.taken = []  # of this incarnation: [message, error or None]
        self.seen = set()  # ids that any worker took
        self.number = 0
        self.fates = defaultdict(list)
        self.full = set()
        self.start(500)

    @precondition(lambda self: self.route.outlets is None)
    @rule(window=st.integers(64, 500))
    def start(self, window):
        self.incarnation += 1
        self.incoming = Incoming(window_messages=window, window_bytes=1 << 20)
        self.taken, self.number, self.full = [], 0, set()
        self.placed = 0
        self.route.change(Outlets(self.incarnation, self.make_wire(), self.make_wire()), "ready")
        self.pump()

    @precondition(lambda self: self.route.outlets is not None)
    @rule(state=st.sampled_from(["restarting", "failed"]))
    def end(self, state):
        backlog = self.route.volatile.backlog
        waiting, under_way = backlog.waiting, list(backlog.under_way)
        self.route.change(None, state)
        assert backlog.waiting == (waiting if state == "restarting" else 0)
        for _, batch, place, _ in under_way:
            assert batch.results[place] is not None, "what was under way has ended, one way or the other"

    @precondition(lambda self: self.route.outlets is not None)
    @rule()
    def drain(self):
        self.route.become("draining")
        self.pump()

    @rule(
        messages=st.lists(st.tuples(RECEIVERS, st.integers(1, 90), SIZES), min_size=1, max_size=4),
        placed_is_all=st.booleans(),
    )
    def submit(self, messages, placed_is_all):
        receivers = [(r, size) for r, count, size in messages for _ in range(count if size < 100_000 else 1)]
        batch = Batch(len(receivers), "send", 1_000.0, self.loop)
        entries = []
        for place, (receiver, size) in enumerate(receivers):
            self.made += 1
            message = Envelope(self.made.to_bytes(16, "big"), 7, SESSION, receiver, bytes(size))
            entries.append((message, batch, place, placed_is_all))
        end = batch.end

        def ended(place, result):
            if batch.results[place] is None:
                self.fates[batch, place].append(result)
            end(place, result)

        batch.end = ended
        self.batches.append((batch, entries, placed_is_all))
        self.route.submit(entries, Lane.VOLATILE)
        self.pump()

    @precondition(lambda self: self.batches)
    @rule(which=st.integers(0, 10))
    def a_caller_gives_up(self, which):
        batch = self.batches[which % len(self.batches)][0]
        batch._look()
        batch._look()

    @precondition(lambda self: self.route.outlets is not None)
    @rule(part=st.integers(1, 3), refuse=st.sets(st.integers(0, 200), max_size=5), full=st.sets(RECEIVERS, max_size=1))
    def the_worker_tells(self, part, refuse, full):
        """It places or refuses a part of what it took, and says who is full."""
        outstanding = self.taken[self.placed :]
        some = outstanding[: (len(outstanding) + part - 1) // part]
        for at, (sequence, message) in enumerate(some):
            if at in refuse:
                self.incoming.refuse(sequence, REFUSED[at % 2])
            self.incoming.place(1, len(message.content))
        self.placed += len(some)
        self.full = full
        self.tell(full)

    def tell(self, full):
        told = self.incoming.state_fields()._asdict()
        self.number += 1
        outgoing = self.route.volatile.link.outgoing
        self.route.heard_state(state_of(self.incarnation, self.number, told, full))
        nothing = {"taken": 0, "credit_messages": 0, "credit_bytes": 0, "refusals_from": 0, "refusals": []}
        heard = state_of(SESSION, self.number, {**nothing, "closed": ""})
        heard = msgspec.structs.replace(heard, emitted=outgoing.emitted, refusals_seen=outgoing.refusals_seen)
        self.incoming.confirm(heard)
        self.pump()

    def pump(self):
        """Let what may go arrive at the worker."""
        full = self.route.volatile.link.full
        for frame in map(DATA.decode, self.route.volatile.pack()):
            size = sum(len(m.content) for m in frame.messages)
            assert len(frame.messages) <= MAX_FRAME_MESSAGES
            assert size <= FULL_FRAME_BYTES or len(frame.messages) == 1
            taken = self.incoming.take(frame.first, len(frame.messages), size)
            assert (taken.skip, taken.lost, taken.over_credit) == (0, 0, False), "credit is kept, nothing is skipped"
            for sequence, message in enumerate(frame.messages, frame.first):
                self.arrive(sequence, message, full)

    def arrive(self, sequence, message, full):
        assert self.route.state == "ready", "nothing leaves for a worker that is about to end"
        assert message.message_id not in self.seen, "nothing leaves twice"
        self.seen.add(message.message_id)
        assert message.receiver not in full, "nothing leaves for an agent that is full"
        batch, place = self.find(message.message_id)
        assert batch.results[place] is None, "what has ended does not leave"
        earlier = [m.message_id for _, m in self.taken if m.receiver == message.receiver]
        assert not earlier or earlier[-1] < message.message_id, "first in, first out, for each receiver"
        self.taken.append((sequence, message))

    def find(self, message_id):
        for batch, entries, _ in self.batches:
            first = int.from_bytes(entries[0][0].message_id, "big")
            place = int.from_bytes(message_id, "big") - first
            if 0 <= place < len(entries):
                return batch, place
        raise AssertionError("a message that nobody sent")

    @invariant()
    def windows_are_kept(self):
        if self.route.outlets is not None:
            per_receiver = Counter(message.receiver for message, *_ in self.route.volatile.backlog.under_way)
            assert all(count <= RECEIVER_WINDOW for count in per_receiver.values())
            assert Counter(self.route.volatile.backlog._unacknowledged) == per_receiver

    @invariant()
    def everything_ends_once_and_as_it_should(self):
        assert all(len(fates) == 1 for fates in self.fates.values())
        for batch, entries, placed_is_all in self.batches:
            for message, _, place, _ in entries:
                fate = batch.results[place]
                if fate is not None:
                    allowed = (Timeout, ShardUnavailable)
                    if message.message_id in self.seen:
                        allowed = (Timeout, NetworkError, AgentNotFound, QueueFull)
                    assert type(fate) in allowed or (placed_is_all and type(fate) is Receipt), fate

    def teardown(self):
        """With room for everybody, everything that is waited for leaves, and is placed."""
        if self.route.state == "draining":
            self.end("restarting")
        if self.route.outlets is None:
            self.start(500)
        for _ in range(3_000):
            if self.placed == len(self.taken) and not (self.incoming.changed or self.full):
                break  # all is placed and told: a worker with nothing to say says nothing
            self.the_worker_tells(1, set(), set())
        assert self.route.volatile.backlog.waiting == 0
        for batch, entries, placed_is_all in self.batches:
            for message, _, place, _ in entries:
                assert batch.results[place] is not None or (not placed_is_all and message.message_id in self.seen)
            batch.cancel()


@pytest.mark.hypothesis
def test_whatever_the_worker_does_every_message_ends_once(make_wire):
    """Credit, windows and order are kept, every message ends once, what never left goes to the next worker."""
    loop = asyncio.new_event_loop()
    try:
        run_state_machine_as_test(
            lambda: Way(loop, make_wire),
            settings=settings(
                max_examples=settings().max_examples // 2,
                stateful_step_count=25,
                phases=(Phase.reuse, Phase.generate, Phase.shrink),
                report_multiple_bugs=False,
            ),
        )
    finally:
        loop.close()


@pytest.fixture
def route(make_wire):
    route = VolatileRoute(0, SESSION, MARK)
    route.change(Outlets(1, make_wire(), make_wire()))
    return route


def told(taken, credit_messages, credit_bytes):
    return {
        "taken": taken,
        "credit_messages": credit_messages,
        "credit_bytes": credit_bytes,
        "refusals_from": 0,
        "refusals": [],
        "closed": "",
    }


def test_nothing_is_kept_for_callers_that_gave_up(route):
    """Messages that wait for an agent without room are dropped when others come after their callers gave up."""
    loop = asyncio.new_event_loop()
    route.link.full = frozenset({5})
    for _ in range(20):
        batch = Batch(100, "send", 60.0, loop)
        route.submit([(Envelope(bytes(16), 7, SESSION, 5, b""), batch, place, True) for place in range(100)])
        assert route.pack() == []
        batch.cancel()
    loop.close()

    assert route.backlog.waiting <= 200
    assert type(route.backlog._blocked[5]) is deque


@pytest.mark.parametrize("why", ["behind one that waits", "without credit", "without a worker"])
def test_nothing_is_kept_for_callers_that_gave_up_while_nothing_leaves(route, why):
    """However many callers give up while nothing can leave, no more of what was theirs is kept than a few thousand."""
    loop = asyncio.new_event_loop()
    patient = Batch(1, "send", 60.0, loop)
    if why == "behind one that waits":
        route.link.full = frozenset({5})
    elif why == "without credit":
        route.link.outgoing.emit(64, 0)
    else:
        route.change(None)
    route.submit([(Envelope(bytes(16), 7, SESSION, 5, b""), patient, 0, True)])
    for _ in range(100):
        batch = Batch(100, "send", 60.0, loop)
        route.submit([(Envelope(bytes(16), 7, SESSION, 5, b""), batch, place, True) for place in range(100)])
        assert route.pack() == []
        batch.cancel()
    assert route.backlog.waiting < 5_000
    assert patient.left
    patient.cancel()
    loop.close()


def test_many_messages_for_one_agent_cost_no_more_each(route):
    """When a window opens, only as many messages move as fit in it, however many wait."""
    loop = asyncio.new_event_loop()
    batch = Batch(5_000, "send", 60.0, loop)
    route.submit([(Envelope(bytes(16), 7, SESSION, 5, b""), batch, place, True) for place in range(5_000)])
    route.pack()
    number = 0
    while batch.left:
        number += 1
        emitted = route.link.outgoing.emitted
        route.heard_state(state_of(1, number, told(emitted, emitted + 8_192, 1 << 40)))
        assert len(route.backlog._first) <= RECEIVER_WINDOW
        route.pack()
    loop.close()

    assert number <= 5_000 // RECEIVER_WINDOW + 3


@pytest.mark.parametrize("lost", ["while they wait", "once they are to go first"])
def test_callers_that_gave_up_hold_nobody_back(route, lost):
    """However many callers of an agent gave up, who still waits for it is served, though nothing is under way."""
    loop = asyncio.new_event_loop()
    gone = Batch(5 * RECEIVER_WINDOW, "send", 60.0, loop)
    batch = Batch(1, "send", 60.0, loop)
    route.submit([(Envelope(bytes(16), 7, SESSION, 5, b"x"), gone, place, True) for place in range(len(gone.results))])
    sent(route)
    route.submit([(Envelope(bytes(16), 7, SESSION, 5, b"y"), batch, 0, True)])
    left = []
    for number in (1, 2):  # the worker places all that it got, and then has nothing more to say
        if lost == "while they wait":
            gone.cancel()
        emitted = route.link.outgoing.emitted
        route.heard_state(state_of(1, number, told(emitted, emitted + 8_192, 1 << 40)))
        if number > 1:
            gone.cancel()
        left += sent(route)

    assert (5, b"y") in left
    assert not route.backlog.waiting
    batch.cancel()
    loop.close()


def sent(route):
    return [(m.receiver, m.content[:1]) for frame in route.pack() for m in DATA.decode(frame).messages]


def test_order_is_kept_when_the_worker_changes(route, make_wire):
    """What waited for room in an agent is older than what waited for credit, and goes to the next worker before it."""
    loop = asyncio.new_event_loop()
    batch = Batch(66, "send", 60.0, loop)
    route.link.full = frozenset({5})
    contents = [(5, b"a"), *[(6, b"x")] * 64, (5, b"b")]
    route.submit([(Envelope(bytes(16), 7, SESSION, r, c), batch, at, True) for at, (r, c) in enumerate(contents)])
    assert sent(route) == [(6, b"x")] * 64
    route.change(Outlets(2, make_wire(), make_wire()))

    assert sent(route) == [(5, b"a"), (5, b"b")]
    batch.cancel()
    loop.close()


def test_order_is_kept_while_bytes_are_scarce(route):
    """Messages whose agent has room again and that wait for byte credit keep their order through further states."""
    loop = asyncio.new_event_loop()
    batch = Batch(4, "send", 60.0, loop)
    route.link.full = frozenset({5})
    contents = [(6, bytes(900_000)), *[(5, letter + bytes(200_000)) for letter in (b"a", b"b", b"c")]]
    route.submit([(Envelope(bytes(16), 7, SESSION, r, c), batch, at, True) for at, (r, c) in enumerate(contents)])
    assert sent(route) == [(6, b"\0")]
    for number in (1, 2, 3):
        route.heard_state(state_of(1, number, told(0, 64, 1 << 20)))
        assert sent(route) == []
    route.heard_state(state_of(1, 4, told(1, 64, 1 << 21)))

    assert sent(route) == [(5, b"a"), (5, b"b"), (5, b"c")]
    batch.cancel()
    loop.close()

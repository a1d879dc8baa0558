"""A client's durable way to a shard whose workers commit, refuse, close, die and come back in any order, and back."""

import asyncio
from collections import Counter, defaultdict

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from caxton.acl.envelope import DURABLE, Envelope
from caxton.acl.options import Lane
from caxton.client.routes.answers import Answers
from caxton.client.routes.backlog import RECEIVER_WINDOW
from caxton.client.routes.batches import Batch
from caxton.client.routes.outlets import Outlets
from caxton.client.routes.receipts import Receipt
from caxton.client.routes.shard_route import ShardRoute
from caxton.errors import AgentNotFound, NetworkError, QueueFull, ShardUnavailable, StorageError
from caxton.wire.codec import CONTROL

SESSION, MARK = 1 << 63, bytes(16)
RECEIVERS = st.sampled_from([1, 2, 3])
SIZES = st.sampled_from([0, 1, 1_000, 200_000, 2_000_000])
FIRST_FILE = 77


class Way(RuleBasedStateMachine):
    """The client, the shard with or without a worker, and what may happen to either."""

    def __init__(self, loop, make_store, make_worker):
        super().__init__()
        self.loop, self.make_store, self.make_worker = loop, make_store, make_worker
        self.answers = Answers()
        self.counts = Counter()
        self.route = ShardRoute(0, SESSION, MARK, self.answers, self.counts)
        self.store = make_store(FIRST_FILE)
        self.all_committed = []  # by every store there was
        self.worker = None
        self.made = self.incarnation = 0
        self.batches = []
        self.fates = defaultdict(list)
        self.read = []  # what the application took from the inbox
        self.seen = set()
        self.start(500)

    # ------------------------------------------------------------------------------------------------ workers
    @precondition(lambda self: self.worker is None)
    @rule(window=st.integers(64, 500))
    def start(self, window):
        self.incarnation += 1
        self.worker = self.make_worker(self.incarnation, self.store, window, self.seen)
        self.route.change(Outlets(self.incarnation, self.worker.data, self.worker.control), "ready")
        self.pump()

    @precondition(lambda self: self.worker is not None)
    @rule(state=st.sampled_from(["restarting", "failed"]))
    def die(self, state):
        """What it took and did not commit, and what was on its way to it, is forgotten."""
        self.worker = None
        under_way = list(self.route.durable.backlog.under_way)
        before = [batch.results[place] for _, batch, place, _ in under_way]
        self.route.change(None, state)
        assert [batch.results[place] for _, batch, place, _ in under_way] == before, "what is under way waits"

    @precondition(lambda self: self.worker is None)
    @rule()
    def the_file_is_lost(self):
        """Somebody put another file in place of the shard's."""
        self.all_committed += self.store.committed
        self.store = self.make_store(self.store.file + 1)

    @precondition(lambda self: self.worker is not None)
    @rule(reason=st.sampled_from(["", "the disk is full"]))
    def close(self, reason):
        self.worker.link.incoming.closed = reason

    @precondition(lambda self: self.worker is not None)
    @rule(is_full=st.booleans())
    def the_socket_is_full(self, is_full):
        self.worker.data.is_full = is_full
        self.pump()

    @precondition(lambda self: self.worker is not None)
    @rule(refuse=st.sets(st.integers(0, 200), max_size=5))
    def take_and_commit(self, refuse):
        for _, message in self.worker.take():
            assert message.flags & DURABLE
        self.worker.commit(refuse)

    @precondition(lambda self: self.worker is not None)
    @rule()
    def take_only(self):
        self.worker.take()

    @precondition(lambda self: self.worker is not None)
    @rule(refuse=st.sets(st.integers(0, 200), max_size=5), rounds=st.integers(1, 4))
    def all_goes_well(self, refuse, rounds):
        """So that there is something to go wrong next."""
        for _ in range(rounds):
            self.hear()
            self.take_and_commit(refuse)
            self.tell(set())
            self.release(0, lose=False, most=256)

    @precondition(lambda self: self.worker is not None)
    @rule(has_taken=st.booleans(), has_committed=st.booleans(), window=st.integers(64, 500))
    def die_and_come_back(self, has_taken, has_committed, window):
        """Killed before or after it took, before or after the commit, before it told."""
        if has_taken:
            self.worker.take()
        if has_committed:
            self.worker.commit(set())
        self.die("restarting")
        self.start(window)
        self.hear()

    @precondition(lambda self: self.worker is not None)
    @rule(full=st.sets(RECEIVERS, max_size=1))
    def tell(self, full):
        self.route.heard_state(CONTROL.decode(CONTROL.encode(self.worker.state(full))))
        self.pump()

    @precondition(lambda self: self.worker is not None)
    @rule()
    def hear(self):
        for hello in self.worker.hear():
            self.route.durable.heard_hello(hello)
        self.pump()

    @precondition(lambda self: self.worker is not None)
    @rule(unasked=st.integers(0, 3), lose=st.booleans(), most=st.integers(1, 256))
    def release(self, unasked, lose, most):
        """The outbox goes to the session; perhaps a frame of it is lost."""
        for _ in range(unasked):
            self.worker.emit(None)
        frames = self.worker.release(most)
        for frame in frames[1:] if lose else frames:
            self.route.durable.take(frame, len(frame.messages))
        self.route.durable.taken_all()

    # ------------------------------------------------------------------------------------------------- client
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
            token = self.made.to_bytes(16, "big")
            reply_with = None if placed_is_all else token
            message = Envelope(token, 7, SESSION, receiver, bytes(size), reply_with, flags=DURABLE)
            entries.append((message, batch, place, placed_is_all))
            if not placed_is_all:
                self.answers.waiting[token] = entries[-1]
        end = batch.end

        def ended(place, result):
            if batch.results[place] is None:
                self.fates[batch, place].append(result)
            end(place, result)

        batch.end = ended
        self.batches.append((batch, entries))
        self.route.submit(entries, Lane.DURABLE)
        self.pump()

    @precondition(lambda self: self.batches)
    @rule(which=st.integers(0, 10))
    def a_caller_gives_up(self, which):
        batch, entries = self.batches[which % len(self.batches)]
        batch._look()
        batch._look()
        self.answers.forget(entries)

    @rule()
    def tick(self):
        self.route.durable.tick()
        self.pump()

    @rule()
    def read_one(self):
        if len(self.answers.inbox):
            self.read.append(self.loop.run_until_complete(self.answers.inbox.next()).envelope)

    def pump(self):
        self.route.durable.send()

    # ------------------------------------------------------------------------------------------------- truths
    @invariant()
    def nothing_is_committed_twice(self):
        ids = [m.message_id for m in self.store.committed]
        assert len(set(ids)) == len(ids)

    @invariant()
    def order_is_kept_for_each_receiver(self):
        by_receiver = defaultdict(list)
        for message in self.store.committed:
            by_receiver[message.receiver].append(message.message_id)
        assert all(ids == sorted(ids) for ids in by_receiver.values())

    @invariant()
    def what_is_acknowledged_is_committed(self):
        committed = {m.message_id for m in [*self.all_committed, *self.store.committed]}
        for batch, entries in self.batches:
            for message, _, place, placed_is_all in entries:
                fate = batch.results[place]
                if isinstance(fate, Receipt):
                    assert placed_is_all
                    assert message.message_id in committed
                    assert (fate.raw_id, fate.lane) == (message.message_id, Lane.DURABLE)
                if isinstance(fate, AgentNotFound | QueueFull | StorageError | ShardUnavailable):
                    assert message.message_id not in committed, "an error that says so means that it had no effect"

    @invariant()
    def what_we_acknowledge_was_taken(self):
        """An unasked message is acknowledged when the application has read it, and not before."""
        acknowledged = self.store.outbox[: self.store.acknowledged]
        read = {m.message_id for m in self.read}
        assert all(m.in_reply_to is not None or m.message_id in read for m in acknowledged)

    @invariant()
    def each_ends_once(self):
        assert all(len(fates) == 1 for fates in self.fates.values())

    @invariant()
    def windows_are_kept(self):
        counts = Counter(entry[0].receiver for entry in self.route.durable.backlog.under_way)
        assert all(count <= RECEIVER_WINDOW for count in counts.values())
        assert Counter(self.route.durable.backlog._unacknowledged) == counts

    def teardown(self):
        """With a worker that has room, everything ends, and every reply comes once and in order."""
        if self.worker is None:
            self.start(500)
        self.worker.data.is_full = False
        self.worker.link.incoming.closed = ""
        for _ in range(400):
            self.tell(set())
            self.hear()
            self.tick()
            self.worker.take()
            self.worker.commit(set())
            self.release(0, lose=False, most=256)
            self.read_one()
            if self.is_quiet():
                break
        assert self.is_quiet()
        forgotten = {m.message_id for m in self.all_committed}
        for batch, entries in self.batches:
            for message, _, place, _ in entries:
                fate = batch.results[place]
                assert fate is not None or message.message_id in forgotten
                assert self.store.file > FIRST_FILE or not isinstance(fate, NetworkError)
            batch.cancel()
        unasked = [m for m in self.store.outbox if m.in_reply_to is None]
        assert [m for m in self.read if m in unasked] == unasked, "each came once and in order"

    def is_quiet(self):
        backlog = self.route.durable.backlog
        outbox = self.worker.link.outgoing
        return not (backlog.waiting or backlog.under_way or outbox.open or len(self.answers.inbox))


@pytest.mark.hypothesis
def test_whatever_the_workers_do_nothing_acknowledged_is_lost_and_nothing_happens_twice(make_store, make_worker):
    """What is acknowledged is committed, everything ends once, and every reply comes once and in order."""
    loop = asyncio.new_event_loop()
    try:
        run_state_machine_as_test(
            lambda: Way(loop, make_store, make_worker),
            settings=settings(
                max_examples=settings().max_examples // 2,
                stateful_step_count=40,
                phases=(Phase.reuse, Phase.generate, Phase.shrink),
                report_multiple_bugs=False,
            ),
        )
    finally:
        loop.close()

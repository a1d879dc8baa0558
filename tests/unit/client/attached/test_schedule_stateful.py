"""A program and its shard, between whom exchanges cross, are lost and are repeated, while handlers run and fail."""

from collections import Counter, deque
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from caxton.acl.envelope import DURABLE, Envelope
from caxton.acl.order import key_of
from caxton.client.attached.schedule import Schedule
from caxton.wire.calls import Ended
from caxton.wire.delivery import Delivery
from workers.agents.window import Window

MOST, CONCURRENCY = 3, 2
ORDERS = ("conversation", "sender", "none", "all")


class World(RuleBasedStateMachine):
    """The shard takes an exchange as `workers.operations.attached` does; what it answers comes in order, or never.

    waiting: what is in the mailbox; given: by number; done: what ended. asked: exchanges on their way, answers: theirs.
    """

    def __init__(self, order):
        super().__init__()
        self.order = order
        self.schedule = Schedule(order, CONCURRENCY)
        self.waiting, self.given, self.done, self.tries = deque(), {}, [], Counter()
        self.asked, self.answers = deque(), deque()
        self.sent = self.numbers = 0
        self.running = {}
        self.giving_back = False
        self.begun, self.ends = [], []

    # What is sent, and handled.

    @rule(senders=st.lists(st.tuples(st.integers(1, 3), st.sampled_from([None, b"c" * 16])), max_size=5))
    def messages_come(self, senders):
        for sender, conversation in senders:
            self.sent += 1
            message_id = self.sent.to_bytes(16)
            self.waiting.append(Envelope(message_id, 7, sender, 5, b"", None, None, conversation, flags=DURABLE))

    def begin(self):
        while (key := self.schedule.start()) is not None:
            self.go_on(key)

    def go_on(self, key):
        some = self.schedule.begin(key, 1)
        if some:
            self.running[key] = some[0]
            self.begun.append(some[0].delivery.message)

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 9), fails=st.sampled_from([False, False, True]))
    def a_handler_ends(self, which, fails):
        key = list(self.running)[which % len(self.running)]
        held = self.running.pop(key)
        self.schedule.end(held, Ended(0, [], "as planned" if fails else None))
        self.go_on(key)
        self.begin()

    # What the two tell each other.

    @rule()
    def the_program_asks(self):
        if self.schedule.has_news and not self.giving_back:
            self.giving_back = True
            ended, returned = self.schedule.collect()
            self.asked.append((ended, returned, self.schedule.kept(), self.schedule.seen, True))
        elif not self.giving_back and not self.asked and not self.answers:
            self.asked.append(([], [], self.schedule.kept(), self.schedule.seen, False))

    @precondition(lambda self: self.asked)
    @rule(repeated=st.sampled_from([False, False, False, True]))
    def the_shard_hears(self, repeated):
        """Of an exchange that came twice the first answer counts."""
        asked = self.asked.popleft()
        answers = [(*self.exchange(*asked[:4]), self.numbers) for _ in range(1 + repeated)]
        self.answers.append((*answers[0], asked[4]))

    def exchange(self, ended, _, kept, seen):
        failed = []
        for end in ended:
            message = self.given.pop(end.delivery, None)
            if message is None:
                continue
            self.ends.append(message.message_id)
            if end.error is None:
                self.done.append(message.message_id)
            else:
                failed.append(message)
        gone = [n for n in self.given if n not in kept and (seen is None or n <= seen)]
        back = failed + [self.given.pop(n) for n in gone]
        self.waiting = deque([*sorted(back, key=lambda m: m.message_id), *self.waiting])
        window = Window(self.order, CONCURRENCY, MOST, list(self.given.values()))
        drawn = [m for m in self.waiting if window.admits(m)][:MOST]
        self.waiting = deque(m for m in self.waiting if m not in drawn)
        answer, before = [], max(self.given, default=0)
        for message in drawn:
            self.numbers += 1
            self.given[self.numbers] = message
            self.tries[message.message_id] += 1
            answer.append(Delivery(self.numbers, self.tries[message.message_id], message))
        return answer, before

    @precondition(lambda self: self.answers)
    @rule()
    def the_program_hears(self):
        answer, before, last, gave_back = self.answers.popleft()
        if gave_back:
            self.giving_back = False
            self.schedule.confirmed()
        self.schedule.arrived(answer, last, before)
        if not answer and not gave_back:
            self.schedule.nothing_waits()
        self.begin()

    @rule(new_worker=st.booleans())
    def what_is_on_its_way_is_lost(self, new_worker):
        self.asked.clear()
        self.answers.clear()
        self.giving_back = False
        self.schedule.lose()
        if new_worker:
            self.waiting = deque([*self.given.values(), *self.waiting])
            self.given, self.numbers = {}, 0

    @rule()
    def the_lease_ends(self):
        """The shard heard nothing for long: what the program has is given again, and its ends count no more."""
        self.waiting = deque([*self.given.values(), *self.waiting])
        self.given = {}

    # What always holds.

    @invariant()
    def no_two_of_a_key_run(self):
        running = [held.delivery.message for held in self.running.values()]
        assert len(running) <= CONCURRENCY
        assert len({key_of(self.order, message) for message in running}) == len(running)

    @invariant()
    def all_are_somewhere_once(self):
        ids = [m.message_id for m in (*self.waiting, *self.given.values())] + self.done
        assert sorted(ids) == [n.to_bytes(16) for n in range(1, self.sent + 1)]

    @invariant()
    def what_begins_is_in_order(self):
        """Of a key and a sender nothing is begun before what came earlier has ended well, or was begun too."""
        first = {}
        for message in self.begun:
            first.setdefault(message.message_id, message)
        pairs = {}
        for message in first.values():
            pairs.setdefault((key_of(self.order, message), message.sender), []).append(message.message_id)
        assert all(one < other for ids in pairs.values() for one, other in pairwise(ids))

    def teardown(self):
        for _ in range(20 * (self.sent + 5)):
            if len(self.done) == self.sent:
                break
            for key in list(self.running):
                self.schedule.end(self.running.pop(key), Ended(0))
                self.go_on(key)
            self.begin()
            self.the_program_asks()
            if self.asked:
                self.the_shard_hears(False)
            if self.answers:
                self.the_program_hears()
        assert len(self.done) == self.sent, "all is handled in the end"
        assert len(self.done) == len(set(self.done)), "and has one end"


@pytest.mark.hypothesis
@pytest.mark.parametrize("order", ORDERS)
def test_each_message_ends_once_and_in_order(order):
    """Whatever is lost, repeated, crosses, fails or takes long: nothing is lost, or handled twice at once."""
    run_state_machine_as_test(
        lambda: World(order), settings=settings(max_examples=max(10, settings().max_examples // 2))
    )

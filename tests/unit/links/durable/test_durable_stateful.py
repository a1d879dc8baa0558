"""The durable lane over channels that drop, repeat and reorder, while both ends are killed at any moment."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

ROUNDS, ROUNDS_OF_A_REFUSAL = 50, 3
SIDE = st.integers(0, 1)
SETTINGS = settings(stateful_step_count=60)


class TwoEnds(RuleBasedStateMachine):
    """Both ends, what is on its way between them, and what may happen to either."""

    def __init__(self, two_ends, successor):
        super().__init__()
        self.two_ends, self.successor = two_ends, successor

    @initialize(window=st.none() | st.integers(1, 500), every=st.integers(0, 5))
    def connect(self, window, every):
        self.every = every
        self.lives = 2
        self.ends = self.two_ends(window)
        self.frames = []
        self.controls = []
        self.exchange_words(3)

    def teardown(self):
        if hasattr(self, "ends"):
            self.come_to_rest()

    # ------------------------------------------------------------------------------------------------ what happens
    @rule(side=SIDE, counts=st.lists(st.integers(1, 40), max_size=4), size=st.integers(0, 40_000) | st.just(2_000_000))
    def emit(self, side, counts, size):
        for count in counts:
            self.ends[side].emit(count, size)

    @rule(side=SIDE, counts=st.lists(st.integers(1, 20), min_size=1, max_size=4))
    def emit_and_work(self, side, counts):
        self.emit(side, counts, 100)
        self.work(side)

    @rule(side=SIDE, commits=st.booleans())
    def close_commit(self, side, commits):
        self.ends[side].close_commit()
        if commits:
            self.commit(side)

    @precondition(lambda self: any(end.commits for end in self.ends))
    @rule(side=SIDE)
    def commit(self, side):
        if self.ends[side].commits:
            self.ends[side].commit()

    @rule(side=SIDE)
    def work(self, side):
        """A pass as it should be."""
        end = self.ends[side]
        end.close_commit()
        while end.commits:
            end.commit()
        self.release(end)

    def release(self, end):
        if end.hello_due:
            self.controls.append(end.hello())
        self.frames += end.send()
        if end.link.changed or end.link.open:
            self.controls.append(end.tell())

    @rule(side=SIDE)
    def send(self, side):
        self.frames += self.ends[side].send()

    @rule(side=SIDE)
    def tell(self, side):
        self.controls.append(self.ends[side].tell())

    @rule(side=SIDE)
    def say_hello(self, side):
        self.controls.append(self.ends[side].hello())

    @rule(side=SIDE, full=st.booleans())
    def fill_the_disk(self, side, full):
        self.ends[side].link.incoming.closed = "full" if full else ""

    @precondition(lambda self: self.frames)
    @rule(order=st.permutations(range(4)), keep=st.integers(0, 4), drop=st.integers(0, 9))
    def carry_frames(self, order, keep, drop):
        """The oldest few, in any order; some stay and come again, one may be lost."""
        chosen = [self.frames[at] for at in order if at < len(self.frames)]
        for place, frame in enumerate(chosen):
            if place != drop:
                self.arrive(frame)
            if place >= keep or place == drop:
                self.frames.remove(frame)

    @precondition(lambda self: self.controls)
    @rule(at=st.integers(0, 99), again=st.booleans(), dropped=st.booleans())
    def carry_control(self, at, again, dropped):
        at %= len(self.controls)
        control = self.controls[at] if again and not dropped else self.controls.pop(at)
        if not dropped:
            self.hear(control)

    @rule()
    def carry_all_control(self):
        controls, self.controls = self.controls, []
        for control in controls:
            self.hear(control)

    @rule(rounds=st.integers(1, 3))
    def exchange_words(self, rounds):
        """Both work as they should, and control goes through, but no data."""
        for _ in range(rounds):
            self.work(0)
            self.work(1)
            self.carry_all_control()

    @rule(side=SIDE, luck=st.integers(0, 2), is_noticed=st.booleans())
    def kill(self, side, luck, is_noticed):
        if luck:
            return  # a life is long enough for something to happen in it
        dead = self.ends[side]
        self.lives += 1
        self.ends[side] = self.successor(dead, self.lives, self.ends[1 - side].number)
        if is_noticed:
            self.hear_of_the_successor(1 - side)
            self.exchange_words(2)

    @rule(side=SIDE)
    def hear_of_the_successor(self, side):
        end, number = self.ends[side], self.ends[1 - side].number
        if end.other != number:
            end.meet(number)

    @rule(luck=st.integers(0, 3), loses_the_tail=st.booleans())
    def rest(self, luck, loses_the_tail):
        if luck:
            return
        if loses_the_tail:  # then no later frame shows the gap
            self.exchange_words(2)
            self.frames.clear()
        self.come_to_rest()

    # ----------------------------------------------------------------------------------------------- what it does
    def arrive(self, frame):
        for end in self.ends:
            end.arrive(frame, self.every)

    def hear(self, control):
        for side, end in enumerate(self.ends):
            end.hear(control, self.ends[1 - side].store)

    def come_to_rest(self):
        """Let everything through, in order, until nobody has anything to say any more."""
        for end in self.ends:
            end.link.incoming.closed = ""
        for side in range(2):
            self.hear_of_the_successor(side)
        messages = sum(end.link.outgoing.emitted for end in self.ends)
        for _ in range(ROUNDS + messages * ROUNDS_OF_A_REFUSAL):
            self.let_all_through()
            if not any(end.hello_due or end.link.changed or end.link.open for end in self.ends):
                break
        else:
            raise AssertionError("the lane does not come to rest")
        for source, target in (self.ends, reversed(self.ends)):
            self.check_fates(source, target)

    def let_all_through(self):
        for side in range(2):
            self.work(side)
        frames, self.frames = self.frames, []
        for frame in frames:
            self.arrive(frame)
        controls, self.controls = self.controls, []
        for control in controls:
            self.hear(control)
        for end in self.ends:
            if end.link.incoming.stalled >= 2:  # the way of the data is empty: these grounds are good
                end.link.incoming.ask_for_missing()

    def check_fates(self, source, target):
        emitted = source.store.emitted
        assert source.store.acknowledged == emitted == source.link.outgoing.emitted == target.store.taken
        assert list(target.store.fates) == list(range(1, emitted + 1))
        assert source.store.told == target.store.refused
        assert not source.store.outbox
        assert source.link.absurd == 0
        assert not target.store.over_credit or source.store.rewinds, "an honest source went over its credit"


@pytest.mark.hypothesis
def test_whoever_is_killed_every_message_has_one_fate(two_ends, successor):
    """Every message is committed exactly once, in order, and acknowledged or refused accordingly, whoever is killed."""
    run_state_machine_as_test(lambda: TwoEnds(two_ends, successor), settings=SETTINGS)


@pytest.mark.hypothesis
def test_refusals_beyond_a_page_are_told_once_each(two_ends, successor, monkeypatch):
    """Refusals that do not fit in one state are told once each, and while too many wait nothing more is taken."""
    # Bounds so low that they are met all the time.
    monkeypatch.setattr("caxton.links.kept_refusals.MAX_REFUSALS", 2)
    monkeypatch.setattr("caxton.links.durable_incoming.MOST_KEPT", 8)
    run_state_machine_as_test(lambda: TwoEnds(two_ends, successor), settings=SETTINGS)

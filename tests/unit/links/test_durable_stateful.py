"""The durable lane over channels that drop, repeat and reorder, while both ends are killed at any moment."""

from collections import deque
from dataclasses import dataclass, field
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from caxton.errors import AgentNotFound, QueueFull, from_fields
from caxton.links.durable import DurableIncoming, DurableLink, DurableOutgoing
from caxton.links.greeting import hear, say
from caxton.wire.control import Hello, LinkState

ERRORS = (QueueFull("a", 8, 8), AgentNotFound("b"), AgentNotFound("c"))
PLACED = "placed"
MARK = bytes(16)
ROUNDS, ROUNDS_OF_A_REFUSAL = 50, 3
SIDE = st.integers(0, 1)


@dataclass(frozen=True)
class Frame:
    """What travels on the way of the data."""

    source: int
    target: int
    first: int
    count: int
    size: int
    resent: bool

    @property
    def last(self):
        return self.first + self.count - 1


@dataclass
class Gathered:
    """What one commit writes, and what is released by it."""

    taken: int
    refusals: bytes | None = None
    placed: int = 0
    placed_bytes: int = 0
    fates: dict[int, str] = field(default_factory=dict)  # sequence taken → what became of it
    told: dict[int, str] = field(default_factory=dict)  # own sequence → why it was refused
    outbox: list[tuple[int, int, int]] = field(default_factory=list)  # first, count, bytes of each
    emitted: int = 0
    acknowledged: int = 0
    heard: int = 0
    file_of_other: int = 0


@dataclass
class Store:
    """What survives. Written by commits alone."""

    file: int
    taken: int = 0
    refusals: bytes | None = None
    fates: dict[int, str] = field(default_factory=dict)
    told: dict[int, str] = field(default_factory=dict)
    outbox: deque[tuple[int, int, int]] = field(default_factory=deque)
    emitted: int = 0
    acknowledged: int = 0
    file_of_other: int = 0
    over_credit: int = 0  # frames dropped; a hello that came late may have made the source count other bytes
    rewinds: int = 0

    def write(self, commit):
        assert commit.taken >= self.taken
        assert list(commit.fates) == list(range(self.taken + 1, commit.taken + 1)), "not in order, or not all"
        assert not commit.told.keys() & self.told.keys(), "the effects of a refusal happened twice"
        self.taken, self.refusals = commit.taken, commit.refusals
        self.fates |= commit.fates
        self.told |= commit.told
        self.outbox += commit.outbox
        self.emitted, self.acknowledged = commit.emitted, commit.acknowledged
        self.file_of_other = commit.file_of_other
        while self.outbox and self.outbox[0][0] + self.outbox[0][1] - 1 <= self.acknowledged:
            self.outbox.popleft()


class End:
    """One life of one side. `other` is the incarnation that it believes to be at the other end."""

    def __init__(self, number, store, other, window):
        self.number, self.store, self.other, self.window = number, store, other, window
        credit = {} if window else {"credit_messages": None, "credit_bytes": None}
        self.link = DurableLink(
            DurableOutgoing(emitted=store.emitted, acknowledged=store.acknowledged, stored=True, **credit),
            DurableIncoming(
                taken=store.taken,
                refusals=store.refusals,
                window_messages=window,
                window_bytes=None if window is None else window * 1_000,
            ),
        )
        self.link.outgoing.target_file = store.file_of_other
        self.ever_sent = store.emitted
        self.commits: deque[Gathered] = deque()
        self.answer_due = True  # a new life says hello once by itself
        self.gathered = Gathered(store.taken)

    # ---------------------------------------------------------------------------------------------------- commits
    def emit(self, count, size):
        first = self.link.outgoing.emit(count, count * size)
        self.gathered.outbox.append((first, count, size))

    def close_commit(self):
        commit, outgoing, incoming = self.gathered, self.link.outgoing, self.link.incoming
        commit.taken, commit.refusals = incoming.taken, incoming.stored_refusals()
        commit.emitted, commit.acknowledged, commit.heard = (
            outgoing.emitted,
            outgoing.acknowledged,
            outgoing.refusals_heard,
        )
        commit.file_of_other = outgoing.target_file
        self.commits.append(commit)
        self.gathered = Gathered(incoming.taken)

    def commit(self):
        commit = self.commits.popleft()
        self.store.write(commit)
        self.link.incoming.place(commit.placed, commit.placed_bytes)
        self.link.outgoing.keep(commit.heard)

    # ---------------------------------------------------------------------------------------------------- the way out
    def send(self):
        """Everything that is committed and may go."""
        outgoing, frames = self.link.outgoing, []
        for first, count, size in self.store.outbox:
            while (frame := self.next_of(first, first + count - 1, size)) is not None:
                frames.append(frame)
                outgoing.went(frame.last, frame.size)
                self.ever_sent = max(self.ever_sent, frame.last)
        return frames

    def next_of(self, first, last, size):
        """The frame to send next of those that were stored as one: a source with credit cuts it to what it may send."""
        outgoing = self.link.outgoing
        if self.window is not None:
            first = max(first, outgoing.sent + 1)
            last = min(last, outgoing.sent + outgoing.room())
            while last > first and not outgoing.fits((last - first + 1) * size):
                last -= 1
        count = last - first + 1
        if last <= outgoing.sent or first > outgoing.sent + 1 or not outgoing.fits(count * size):
            return None
        return Frame(self.number, self.other, first, count, count * size, last <= self.ever_sent)

    def tell(self):
        return self.link.state(self.number, MARK, self.other, [])

    def hello(self):
        self.answer_due = False
        link = self.link
        peers = (self.number, MARK, self.other)
        return say(peers, self.store.file, link.outgoing.target_file, link.outgoing, link.incoming)

    @property
    def hello_due(self):
        return self.answer_due or self.link.hello_due

    # ----------------------------------------------------------------------------------------------------- the way in
    def meet(self, other):
        self.other = other
        self.answer_due = True
        self.link.meet()

    def arrive(self, frame, every):
        if frame.target != self.number or frame.source != self.other:
            return
        incoming, commit = self.link.incoming, self.gathered
        expected = incoming.taken + 1
        taken = incoming.take(frame.first, frame.count, frame.size)
        assert taken.lost == 0
        assert taken.skip >= 0
        self.store.over_credit += taken.over_credit
        sequences = range(frame.first + taken.skip, frame.last + 1)
        if not sequences:
            return
        assert sequences[0] == expected, "taken twice, or a gap was skipped"
        for sequence in sequences:
            commit.fates[sequence] = PLACED
            if every and sequence % every == 0:
                why = ERRORS[sequence // every % len(ERRORS)]
                commit.fates[sequence] = str(why)
        refused = [s for s in sequences if commit.fates[s] != PLACED]
        for sequence in reversed(refused) if every % 2 else refused:
            assert incoming.refuse(sequence, ERRORS[sequence // every % len(ERRORS)])
        commit.placed += len(sequences)
        commit.placed_bytes += frame.size

    def hear(self, control, other_store):
        if control.target != self.number or control.source < self.other:
            return
        if isinstance(control, Hello):
            self.hear_hello(control)
        elif control.source == self.other:
            self.hear_state(control, other_store)

    def hear_hello(self, hello: Hello):
        outgoing = self.link.outgoing
        if hello.source > self.other:
            self.meet(hello.source)
        heard = hear(hello, self.store.file, outgoing.target_file)
        assert not heard.new_space
        outgoing.target_file = hello.file
        if heard.greets:
            self.store.rewinds += outgoing.greeted and hello.taken < outgoing.sent
            outgoing.greet(hello.taken, hello.taken_bytes)
        self.answer_due = self.answer_due or heard.answer

    def hear_state(self, state: LinkState, other_store):
        before = self.link.outgoing.acknowledged
        settled = self.link.on_state(state)
        if settled is None:
            return
        assert before <= settled.acknowledged <= other_store.taken, "acknowledged what is not committed"
        for refusal in settled.refusals:
            text = str(from_fields(refusal.error, refusal.fields))
            for sequence in range(refusal.sequence, refusal.sequence + refusal.count):
                assert before < sequence <= settled.acknowledged
                assert other_store.fates[sequence] == text, "told otherwise than it was committed"
                assert sequence not in self.gathered.told, "refused twice"
                self.gathered.told[sequence] = text
        told = self.told
        for sequence in range(before + 1, settled.acknowledged + 1):
            fate = other_store.fates[sequence]
            assert fate == told.get(sequence, PLACED), f"{sequence}: {fate}, and it passed for {told.get(sequence)}"

    @property
    def told(self):
        """All that this life knows of refusals, committed or not."""
        known = dict(self.store.told)
        for commit in [*self.commits, self.gathered]:
            known |= commit.told
        return known


class TwoEnds(RuleBasedStateMachine):
    """The machine of the properties below; `page` and `most` are the bounds on refusals it runs with."""

    page, most = 256, 4_096

    def __init__(self):
        super().__init__()
        self.patches = [
            patch("caxton.links.kept_refusals.MAX_REFUSALS", self.page),
            patch("caxton.links.durable_incoming.MOST_KEPT", self.most),
        ]
        for each in self.patches:
            each.start()

    @initialize(window=st.none() | st.integers(1, 500), every=st.integers(0, 5))
    def connect(self, window, every):
        self.every = every
        self.lives = 2
        stores = [Store(101), Store((1 << 63) + 102)]
        self.ends = [End(1, stores[0], 2, window), End(2, stores[1], 1, window)]
        self.frames: list[Frame] = []
        self.controls: list[Hello | LinkState] = []
        self.exchange_words(3)

    def teardown(self):
        try:
            if hasattr(self, "ends"):
                self.come_to_rest()
        finally:
            for each in self.patches:
                each.stop()

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
        self.ends[side] = End(self.lives, dead.store, self.ends[1 - side].number, dead.window)
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
                end.link.incoming.give_up()

    def check_fates(self, source, target):
        emitted = source.store.emitted
        assert source.store.acknowledged == emitted == source.link.outgoing.emitted == target.store.taken
        assert list(target.store.fates) == list(range(1, emitted + 1))
        assert source.store.told == {s: fate for s, fate in target.store.fates.items() if fate != PLACED}
        assert not source.store.outbox
        assert source.link.absurd == 0
        assert not target.store.over_credit or source.store.rewinds, "an honest source went over its credit"


class TwoEndsWithShortPages(TwoEnds):
    """The same, with bounds so low that they are met all the time."""

    page, most = 2, 8


# No deadline for one run: to come to rest takes as many rounds as there are refusals.
SETTINGS = settings(max_examples=100, stateful_step_count=60, deadline=None)


class TestTwoEnds(TwoEnds.TestCase):
    """Every message is committed exactly once, in order, and acknowledged or refused accordingly, whoever is killed."""

    settings = SETTINGS


class TestTwoEndsWithShortPages(TwoEndsWithShortPages.TestCase):
    """Refusals that do not fit in one state are told once each, and while too many wait nothing more is taken."""

    settings = SETTINGS

"""Two peers and their link over channels that drop, repeat and reorder, while either side restarts."""

from collections import deque
from dataclasses import dataclass, field
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from caxton.errors import AgentNotFound, CaxtonError, QueueFull, from_fields
from caxton.links.credit import FIRST_BYTES, FIRST_MESSAGES
from caxton.links.incoming import Incoming
from caxton.links.ledger import QUEUED, BookView, Totals, close_books
from caxton.links.link import Link
from caxton.links.outgoing import Outgoing
from caxton.links.refusals import LOST, UNTOLD
from caxton.wire.link_state import LinkState

ERRORS = (QueueFull("a", 8, 8), AgentNotFound("b"), AgentNotFound("c"))
PLACED = "placed"
MARK = bytes(16)
ROUNDS = 400


@dataclass(eq=False)
class Frame:
    source: int
    target: int
    first: int
    count: int
    size: int


@dataclass
class End:
    """One side: its link, and what a reader of its diary would know."""

    number: int
    limited: bool
    window: int
    link: Link = field(init=False)
    sizes: dict[int, int] = field(default_factory=dict)  # sequence emitted → bytes of its frame, on its last message
    waiting: deque[tuple[int, int]] = field(default_factory=deque)  # (sequence, bytes) taken and not placed
    fates: dict[int, str | CaxtonError] = field(default_factory=dict)  # sequence taken → what became of it here
    reported: int = 0  # messages its incoming side reported as lost
    told: dict[int, str] = field(default_factory=dict)  # sequence emitted → the refusal it heard, by its text
    settled: int = 0
    credit: tuple[int, int] = (FIRST_MESSAGES, FIRST_BYTES)

    def __post_init__(self) -> None:
        self.meet()

    def meet(self) -> None:
        """A new link with a peer not met before."""
        credit = {} if self.limited else {"credit_messages": None, "credit_bytes": None}
        window = self.window if self.limited else None
        self.link = Link(
            Outgoing(**credit),
            Incoming(window_messages=window, window_bytes=None if window is None else window * 1_000),
        )
        self.sizes, self.waiting, self.fates, self.told = {}, deque(), {}, {}
        self.reported = self.settled = 0
        self.credit = (FIRST_MESSAGES, FIRST_BYTES)

    def book(self, peer: int) -> BookView:
        totals = Totals(self.link.outgoing.emitted, self.link.incoming.taken)
        return BookView(self.number, {QUEUED: len(self.waiting)}, {peer: totals})


class TwoPeers(RuleBasedStateMachine):
    """The machine of the properties below; `page`, `stop` and `most` are the bounds on refusals it runs with."""

    page, stop, most = 256, 4_096, 16_384

    def __init__(self):
        super().__init__()
        self.patches = [
            patch("caxton.links.refusals.MAX_REFUSALS", self.page),
            patch("caxton.links.incoming.CREDIT_STOPS", self.stop),
            patch("caxton.links.refusals.MOST_WAITING", self.most),
        ]
        for each in self.patches:
            each.start()
        self.lives = 2

    @initialize(limited=st.booleans(), window=st.integers(1, 500))
    def connect(self, limited, window):
        self.ends = [End(1, limited, window), End(2, limited, window)]
        self.frames: list[Frame] = []
        self.states: list[LinkState] = []

    def teardown(self):
        try:
            if hasattr(self, "ends"):
                self.come_to_rest()
        finally:
            for each in self.patches:
                each.stop()

    # ------------------------------------------------------------------------------------------------ what happens
    @rule(side=st.integers(0, 1), count=st.integers(1, 256), size=st.integers(0, 400_000) | st.just(5_000_000))
    def emit_one(self, side, count, size):
        self.emit(side, count, size)

    @rule(side=st.integers(0, 1), counts=st.lists(st.integers(1, 20), min_size=2, max_size=8))
    def emit_several(self, side, counts):
        for count in counts:
            self.emit(side, count, 100 * count)

    def emit(self, side, count, size):
        end, peer = self.ends[side], self.ends[1 - side]
        count = min(count, end.link.outgoing.room())
        if count < 1 or not end.link.outgoing.fits(size):
            return
        first = end.link.outgoing.emit(count, size)
        end.sizes[first + count - 1] = size
        self.frames.append(Frame(end.number, peer.number, first, count, size))

    @rule(side=st.integers(0, 1))
    def say_how_far(self, side):
        end, peer = self.ends[side], self.ends[1 - side]
        if end.link.outgoing.open:
            self.frames.append(Frame(end.number, peer.number, end.link.outgoing.emitted + 1, 0, 0))

    @precondition(lambda self: self.frames)
    @rule(at=st.integers(0, 99), again=st.booleans())
    def carry_frame(self, at, again):
        at %= min(len(self.frames), 3)  # the oldest, or one that overtakes it
        frame = self.frames[at] if again else self.frames.pop(at)
        self.arrive(frame)

    @precondition(lambda self: self.frames)
    @rule(at=st.integers(0, 99))
    def drop_frame(self, at):
        del self.frames[at % len(self.frames)]

    @rule(side=st.integers(0, 1))
    def tell(self, side):
        end, peer = self.ends[side], self.ends[1 - side]
        state = end.link.state(end.number, MARK, peer.number, [])
        assert state.credit_messages >= end.credit[0], "message credit shrank"
        assert state.credit_bytes >= end.credit[1], "byte credit shrank"
        end.credit = (state.credit_messages, state.credit_bytes)
        self.states.append(state)

    @precondition(lambda self: len(self.frames) > 1)
    @rule(order=st.permutations(range(4)), keep=st.integers(0, 4))
    def carry_several_frames(self, order, keep):
        chosen = [self.frames[at] for at in order if at < len(self.frames)]
        for place, frame in enumerate(chosen):
            self.arrive(frame)
            if place >= keep:
                self.frames.remove(frame)

    @precondition(lambda self: self.states)
    @rule(at=st.integers(0, 99), again=st.booleans())
    def carry_state(self, at, again):
        at %= len(self.states)
        self.hear(self.states[at] if again else self.states.pop(at))

    @precondition(lambda self: self.states)
    @rule(at=st.integers(0, 99))
    def drop_state(self, at):
        del self.states[at % len(self.states)]

    @rule(side=st.integers(0, 1), count=st.integers(1, 300), error=st.integers(0, 2), every=st.integers(0, 5))
    def place(self, side, count, error, every):
        self.place_some(self.ends[side], count, error, every)

    @rule(side=st.integers(0, 1), luck=st.integers(0, 5))
    def restart(self, side, luck):
        if luck:
            return  # a life is long enough for something to happen in it
        dead, peer = self.ends[side], self.ends[1 - side]
        loss = close_books(dead.book(peer.number), [peer.book(dead.number)])
        never_taken = peer.link.outgoing.emitted - len(dead.fates) - len(dead.waiting)
        assert loss.inbound == never_taken - dead.reported
        assert loss.queued == len(dead.waiting)
        never_taken = dead.link.outgoing.emitted - len(peer.fates) - len(peer.waiting)
        assert loss.outbound == never_taken - peer.reported
        self.lives += 1
        self.ends[side] = End(self.lives, dead.limited, dead.window)
        peer.meet()

    # ----------------------------------------------------------------------------------------------- what it does
    def arrive(self, frame):
        found = [end for end in self.ends if end.number == frame.target]
        if not found or self.ends[1 - self.ends.index(found[0])].number != frame.source:
            return  # for or from a life that is over
        end = found[0]
        before = end.link.incoming.taken
        taken = end.link.incoming.take(frame.first, frame.count, frame.size)
        assert not taken.over_credit, "an honest source went over its credit"
        end.reported += taken.lost
        sequences = range(frame.first + taken.skip, frame.first + frame.count)
        for sequence in sequences:
            assert sequence > before, "taken twice, or out of order"
            last = sequence == frame.first + frame.count - 1
            end.waiting.append((sequence, frame.size if last else 0))

    def hear(self, state):
        found = [end for end in self.ends if end.number == state.target]
        if not found or self.ends[1 - self.ends.index(found[0])].number != state.source:
            return
        end = found[0]
        settled = end.link.on_state(state)
        if settled is None:
            return
        assert settled.acknowledged >= end.settled, "an acknowledgement was taken back"
        for refusal in settled.refusals:
            text = str(from_fields(refusal.error, refusal.fields))
            for sequence in range(refusal.sequence, refusal.sequence + refusal.count):
                assert sequence not in end.told or str(UNTOLD) in (text, end.told[sequence]), "refused twice"
                assert sequence > end.settled, "refused after it was acknowledged"
                end.told[sequence] = text
        end.settled = settled.acknowledged

    def place_some(self, end, count, error, every):
        count = min(count, len(end.waiting))
        size = 0
        for place in range(count):
            sequence, more = end.waiting.popleft()
            size += more
            end.fates[sequence] = PLACED
            if every and place % every == 0:
                why = ERRORS[(error + place // every) % len(ERRORS)] if every % 2 else ERRORS[error]
                end.fates[sequence] = why
                assert end.link.incoming.refuse(sequence, why)
        end.link.incoming.place(count, size)

    def come_to_rest(self):
        """Let everything through, in order, until nobody has anything to say any more."""
        for _ in range(ROUNDS):
            self.let_all_through()
            if not any(end.link.changed or end.link.open for end in self.ends):
                break
        else:
            raise AssertionError("the link does not come to rest")
        for source, target in (self.ends, reversed(self.ends)):
            self.check_fates(source, target)

    def let_all_through(self):
        for frame in self.frames:
            self.arrive(frame)
        self.frames.clear()
        for side, end in enumerate(self.ends):
            self.place_some(end, len(end.waiting), 0, 0)
            if end.link.changed or end.link.open:
                self.tell(side)
        for state in self.states:
            self.hear(state)
        self.states.clear()
        for side in (0, 1):
            self.say_how_far(side)

    def check_fates(self, source, target):
        emitted = source.link.outgoing.emitted
        assert source.settled == emitted == source.link.outgoing.acknowledged
        lost = 0
        for sequence in range(1, emitted + 1):
            truth = target.fates.get(sequence, LOST)
            lost += truth is LOST
            heard = source.told.get(sequence, PLACED)
            assert heard in (str(truth), str(UNTOLD)), f"{sequence}: {truth!s}, and its source heard {heard}"
        assert lost == target.reported
        assert source.link.absurd == 0

    # -------------------------------------------------------------------------------------------------- invariants
    @rule(luck=st.integers(0, 3))
    def rest(self, luck):
        if not luck:
            self.come_to_rest()

    @invariant()
    def nobody_goes_beyond_the_credit_he_was_given(self):
        if not hasattr(self, "ends") or not self.ends[0].limited:
            return
        for source, target in (self.ends, reversed(self.ends)):
            assert source.link.outgoing.emitted <= target.credit[0]

    @invariant()
    def what_is_acknowledged_was_placed_or_lost_or_its_refusal_is_known(self):
        if not hasattr(self, "ends"):
            return
        for source, target in (self.ends, reversed(self.ends)):
            unplaced = {sequence for sequence, _ in target.waiting}
            for sequence in range(1, source.settled + 1):
                assert sequence not in unplaced
                truth = target.fates.get(sequence, LOST)
                assert truth == PLACED or sequence in source.told


class TwoPeersWithShortPages(TwoPeers):
    """The same, with bounds so low that they are met all the time."""

    page, stop, most = 2, 4, 8


SETTINGS = settings(stateful_step_count=60)


class TestTwoPeers(TwoPeers.TestCase):
    """Every message is taken at most once, in sequence, and settled exactly once: placed, refused or lost."""

    settings = SETTINGS


class TestTwoPeersWithShortPages(TwoPeersWithShortPages.TestCase):
    """Refusals that do not fit in one state are never missed, and nothing refused passes for placed."""

    settings = SETTINGS

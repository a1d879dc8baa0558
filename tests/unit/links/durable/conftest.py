"""One life of one side of a durable link, and what survives it: the lane without a socket, a file or a clock."""

from collections import deque
from dataclasses import dataclass, field

import pytest

from caxton.errors import AgentNotFound, QueueFull, from_fields
from caxton.links.durable import DurableIncoming, DurableLink, DurableOutgoing
from caxton.links.greeting import hear, say
from caxton.wire.control import Hello
from caxton.wire.link_state import LinkState

ERRORS = (QueueFull("a", 8, 8), AgentNotFound("b"), AgentNotFound("c"))
PLACED = "placed"
MARK = bytes(16)


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

    @property
    def refused(self):
        return {sequence: fate for sequence, fate in self.fates.items() if fate != PLACED}

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


@pytest.fixture
def two_ends():
    """A function that makes the two sides of a link, each in its first life; `window`: messages, None without end."""

    def make(window):
        stores = [Store(101), Store((1 << 63) + 102)]
        return [End(1, stores[0], 2, window), End(2, stores[1], 1, window)]

    return make


@pytest.fixture
def successor():
    """A function that makes the next life of a side that is killed, by its number and whom it believes to be there."""
    return lambda dead, number, other: End(number, dead.store, other, dead.window)

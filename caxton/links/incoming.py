"""The target's side of a link and lane: what was taken, what was refused, and how far the source may go."""

from collections import deque
from typing import NamedTuple

from caxton.errors import CaxtonError
from caxton.links.credit import FIRST_BYTES, FIRST_MESSAGES, UNLIMITED, grown
from caxton.links.refusals import CREDIT_STOPS, LOST, Refusals
from caxton.wire.link_state import LinkState, Refusal


class Taken(NamedTuple):
    """What to do with a frame.

    skip: how many of its leading messages were taken before; all of them for a frame to drop. lost: how many messages
    before it never came; the source is told (NetworkError), the caller counts them. over_credit: the frame went beyond
    what its source was allowed; nothing of it was taken, the caller counts it. gap: on the durable lane, nothing of the
    frame was taken now; its source sends it again.
    """

    skip: int
    lost: int
    over_credit: bool
    gap: bool = False


class StateFields(NamedTuple):
    """The fields of a LinkState that speak of what is received."""

    taken: int
    credit_messages: int
    credit_bytes: int
    refusals_from: int
    refusals: list[Refusal]
    closed: str = ""


_WHOLE = Taken(0, 0, over_credit=False)


class Incoming:
    """Takes messages in sequence, each at most once, and gives credit back as they are placed.

    taken: the last sequence taken. window_messages, window_bytes: how far the source may run ahead of what was placed;
    None for as far as it likes (a worker, from workers). They may be changed at any time: credit that was given stays.
    changed: there is something to tell since the last `state_fields`. absurd: claims of the source that cannot be.
    stalled: how many states in a row found the source waiting for messages that have not come.
    """

    __slots__ = (
        "_asked",
        "_bytes",
        "_claimed",
        "_gaps",
        "_placed_bytes",
        "_refusals",
        "_told",
        "_told_bytes",
        "_told_messages",
        "_unplaced",
        "absurd",
        "changed",
        "stalled",
        "taken",
        "window_bytes",
        "window_messages",
    )

    def __init__(self, *, window_messages: int | None, window_bytes: int | None) -> None:
        self.taken = 0
        self.window_messages = window_messages
        self.window_bytes = window_bytes
        self.changed = False
        self.absurd = 0
        self.stalled = 0
        self._refusals = Refusals()
        self._bytes = 0
        self._placed_bytes = 0
        self._unplaced = 0  # messages taken and not yet placed
        self._gaps: deque[list[int]] = deque()  # [unplaced messages before a loss, lost messages]
        self._claimed = 0  # the last sequence that the source says it emitted
        self._asked = False  # the source waits for a word of ours, perhaps one that was lost
        self._told = 0
        self._told_messages = UNLIMITED if window_messages is None else FIRST_MESSAGES
        self._told_bytes = UNLIMITED if window_bytes is None else FIRST_BYTES

    @property
    def open(self) -> bool:
        """True while the source has to hear something: refusals, an acknowledgement, an answer to its own state."""
        return bool(self._refusals) or self._asked or self._claimed > self._told

    @property
    def missing(self) -> int:
        """How many messages the source says it emitted and that have not come (yet)."""
        return max(0, self._claimed - self.taken)

    def take(self, first: int, count: int, size: int) -> Taken:
        """Take a frame: `count` messages from sequence `first` on, `size` payload bytes as the source counts them.

        One without messages is the source's word that everything before `first` went, by the way of the data: what has
        not come before that word is lost.
        """
        last = first + count - 1
        expected = self.taken + 1
        if last < expected:
            return Taken(count, 0, over_credit=False)
        beyond_bytes = self._bytes + size > self._told_bytes and first > self._told + 1
        if beyond_bytes or last > self._told_messages:
            return Taken(count, 0, over_credit=True)
        lost = self._lose(first - expected) if first > expected else 0
        skip = max(0, expected - first)
        self.changed = True
        self.taken = last
        self._bytes += size
        self._unplaced += count - skip
        return _WHOLE if first == expected else Taken(skip, lost, over_credit=False)

    def refuse(self, sequence: int, error: CaxtonError) -> bool:
        """Let the source know why a message was not placed. It counts as placed: `place` gives its credit back.

        False when the sequence was acknowledged before, so that only a `failure` can still tell of its end. Raises
        ValueError for a sequence that was never taken.
        """
        if sequence > self.taken:
            raise ValueError(f"sequence {sequence} was not taken; the last one is {self.taken}")
        if sequence <= self._told:
            return False
        self._refusals.add(sequence, 1, error)
        self.changed = True
        return True

    def place(self, count: int, size: int) -> None:
        """Give credit back for messages that were run, queued, stored or refused, in the order they were taken.

        The sizes given here add up to those of `take`. Raises ValueError when more is placed than was taken.
        """
        if count > self._unplaced:
            raise ValueError(f"{count} messages placed, and {self._unplaced} were waiting for it")
        self._unplaced -= count
        self._placed_bytes += size
        self.changed = True
        if self._gaps:
            self._close_gaps(count)

    def state_fields(self) -> StateFields:
        """Return what the source is to be told now. Acknowledges nothing whose refusal does not fit in."""
        refusals, unfit = self._refusals.page()
        placed = self.taken - self._unplaced - sum(lost for _, lost in self._gaps)
        self._told = max(self._told, placed if unfit is None else min(placed, unfit - 1))
        if len(self._refusals) <= CREDIT_STOPS:
            self._told_messages = grown(self._told_messages, placed, self.window_messages, FIRST_MESSAGES)
            self._told_bytes = grown(self._told_bytes, self._placed_bytes, self.window_bytes, FIRST_BYTES)
        self.changed = False
        self._asked = False
        return StateFields(self._told, self._told_messages, self._told_bytes, self._refusals.confirmed, refusals)

    def confirm(self, state: LinkState) -> None:
        """Take in what the source has seen, and what it says it emitted (0 when it waits for nothing)."""
        before = self._refusals.confirmed
        if not self._refusals.confirm(state.refusals_seen) or state.emitted > self._told_messages:
            self.absurd += 1
            return
        if self._refusals and self._refusals.confirmed > before:
            self.changed = True  # the next page of refusals can go
        self._asked = self._asked or state.emitted > 0
        waits_as_before = state.emitted > self.taken and state.emitted == self._claimed
        self.stalled = self.stalled + 1 if waits_as_before else 0
        self._claimed = max(self._claimed, state.emitted)

    def _lose(self, count: int) -> int:
        """Report `count` messages after the last one taken as lost."""
        self._refusals.add(self.taken + 1, count, LOST)
        if self._unplaced:
            self._gaps.append([self._unplaced - sum(before for before, _ in self._gaps), count])
        self.changed = True
        return count

    def _close_gaps(self, placed: int) -> None:
        """A loss counts as settled once every message before it is placed."""
        while self._gaps and placed >= self._gaps[0][0]:
            placed -= self._gaps.popleft()[0]
        if self._gaps:
            self._gaps[0][0] -= placed

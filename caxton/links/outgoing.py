"""The source's side of a link and lane: what was emitted, how far it may go, and what became of it."""

from collections import deque
from typing import NamedTuple

from caxton.links.credit import FIRST_BYTES, FIRST_MESSAGES, UNLIMITED
from caxton.links.refusals import is_loss
from caxton.wire.link_state import LinkState, Refusal


class Settled(NamedTuple):
    """News from the target: every sequence up to `acknowledged` was placed, unless it was refused, now or before."""

    acknowledged: int
    refusals: list[Refusal]


class Outgoing:
    """Numbers messages from 1 and keeps within the target's credit.

    emitted: the last sequence given out. acknowledged: every sequence up to it is settled. refusals_seen: how many of
    the target's refusals have come in. absurd: states that claimed what cannot be; they changed nothing.
    Credit None holds back nothing: the way of workers to workers.
    """

    __slots__ = (
        "_credit_bytes",
        "_credit_messages",
        "_frames",
        "_number",
        "_spent_bytes",
        "absurd",
        "acknowledged",
        "emitted",
        "refusals_seen",
    )

    def __init__(self, *, credit_messages: int | None = FIRST_MESSAGES, credit_bytes: int | None = FIRST_BYTES) -> None:
        self.emitted = 0
        self.acknowledged = 0
        self.refusals_seen = 0
        self.absurd = 0
        self._credit_messages = UNLIMITED if credit_messages is None else credit_messages
        self._credit_bytes = UNLIMITED if credit_bytes is None else credit_bytes
        self._spent_bytes = 0  # what the target has counted or will count: frames that it reported as lost are out
        self._frames: deque[tuple[int, int]] = deque()  # (last sequence, size) of what is outstanding under byte credit
        self._number = 0  # of the newest state

    @property
    def open(self) -> bool:
        """True while something is outstanding."""
        return self.emitted > self.acknowledged

    @property
    def starved(self) -> bool:
        """True while all credit is used up: the target has to give more before anything goes."""
        return self._credit_messages <= self.emitted

    @property
    def claimed(self) -> int:
        """The last sequence that the target should have by now, unless it was lost on the way."""
        return self.emitted

    @property
    def outstanding(self) -> int:
        """How many messages are neither acknowledged nor refused for all that is known; lost if the target ends."""
        return self.emitted - self.acknowledged

    def room(self) -> int:
        """How many messages may go now; `credit.UNLIMITED` when nothing holds them back."""
        if self._credit_messages == UNLIMITED:
            return UNLIMITED
        return max(0, self._credit_messages - self.emitted)

    def fits(self, size: int) -> bool:
        """True when a frame of `size` payload bytes may go now: within the byte credit, or nothing is outstanding."""
        return self._spent_bytes + size <= self._credit_bytes or self.emitted == self.acknowledged

    def emit(self, count: int, size: int) -> int:
        """Number the messages of a frame and return the first sequence.

        `size` is their payload in bytes, measured as the target measures it. The caller has asked `room` and `fits`:
        a frame beyond the credit is dropped by the target.
        """
        first = self.emitted + 1
        self.emitted += count
        if self._credit_bytes != UNLIMITED:
            self._spent_bytes += size
            self._frames.append((self.emitted, size))
        return first

    def settle(self, state: LinkState) -> Settled | None:
        """Take in what the target says. None for a state that is not newer than the last, or absurd (counted)."""
        if state.number <= self._number:
            return None
        new = state.refusals[max(0, self.refusals_seen - state.refusals_from) :]
        if not self._is_possible(state, new):
            self.absurd += 1
            return None
        self._number = state.number
        self.refusals_seen += len(new)
        self.acknowledged = state.taken
        self._credit_messages = max(self._credit_messages, state.credit_messages)
        self._credit_bytes = max(self._credit_bytes, state.credit_bytes)
        self._forget_frames(new)
        return Settled(state.taken, new)

    def _is_possible(self, state: LinkState, new: list[Refusal]) -> bool:
        """Nothing is taken back, nothing settled that was not emitted, no refusal skipped, none after its settling."""
        return (
            self.acknowledged <= state.taken <= self.emitted
            and state.refusals_from <= self.refusals_seen
            and all(self.acknowledged < r.sequence and r.sequence + r.count - 1 <= self.emitted for r in new)
        )

    def _forget_frames(self, refusals: list[Refusal]) -> None:
        """Give back the bytes of frames that never came, which the target cannot count, and forget settled ones."""
        frames = self._frames
        if not frames:
            return
        for lost in filter(is_loss, refusals):
            end = lost.sequence + lost.count
            self._spent_bytes -= sum(size for last, size in frames if lost.sequence <= last < end)
        while frames and frames[0][0] <= self.acknowledged:
            frames.popleft()

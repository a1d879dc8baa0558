"""The target's side of the durable lane: taken in sequence without a gap, told when committed, over many lives."""

from caxton.errors import CaxtonError
from caxton.links.credit import FIRST_BYTES, FIRST_MESSAGES, UNLIMITED, grown
from caxton.links.incoming import Incoming, StateFields, Taken
from caxton.links.kept_refusals import KeptRefusals
from caxton.wire.link_state import LinkState

# While more than this many refusals wait to be seen, nothing is taken: each of them goes with every commit.
MOST_KEPT = 4_096


class DurableIncoming(Incoming):
    """Takes what one file sends, every message once, whichever incarnations send and receive it.

    taken: the last sequence that was taken, committed or not. A frame with a gap before it is left, never skipped: the
    source sends it again after the hello that is due. `place` follows the commit that has the effects of the messages
    and `stored_refusals`; only what is placed is acknowledged, and only refusals of what is placed are told.
    hello_due: a hello to the source should say what was taken last; `hello_said` ends it.
    """

    __slots__ = ("_base", "_closed", "_first_messages", "_hello_said_at", "_kept", "_left_some", "_sealed", "hello_due")

    def __init__(
        self,
        *,
        taken: int = 0,
        refusals: bytes | None = None,
        window_messages: int | None,
        window_bytes: int | None,
        first_messages: int = FIRST_MESSAGES,
    ) -> None:
        """Go on after `taken` with the refusals that were stored with it; raises InvalidMessageFormat for those.

        first_messages: the first credit of a link, as the source knows it.
        """
        super().__init__(window_messages=window_messages, window_bytes=window_bytes)
        self._kept = self._refusals = KeptRefusals(refusals)
        self.taken = self._base = self._sealed = taken
        unseen = self._kept.lowest
        self._told = taken if unseen is None else unseen - 1
        if window_messages is not None:
            self._told_messages = taken + first_messages
        self._first_messages = first_messages
        self.changed = taken > 0
        self.hello_due = False
        self._closed = ""
        self._left_some = False  # frames were left that a hello must ask for when they can be taken
        self._hello_said_at = -1  # what `taken` was in the last hello: one hello is enough for all frames in flight

    @property
    def closed(self) -> str:
        """Why nothing is taken now, or "". The source is told; what it sent meanwhile is asked for at the end."""
        return self._closed

    @closed.setter
    def closed(self, reason: str) -> None:
        if reason != self._closed:
            self._closed = reason
            self.changed = True
            self._ask_for_what_was_left()

    @property
    def counted_bytes(self) -> int:
        """The payload bytes counted in this incarnation of the target, as a hello tells them."""
        return self._bytes

    @property
    def refusals_waiting(self) -> int:
        """How many refusals the source has not confirmed."""
        return len(self._kept)

    @property
    def placed(self) -> int:
        """Every sequence up to it is placed: committed, on a worker."""
        return self.taken - self._unplaced

    def meet(self) -> None:
        """Another incarnation of the source is there. It begins with the first credit beyond what was taken."""
        self._claimed = 0
        self._asked = False
        self.stalled = 0
        self.changed = True
        self.hello_due = False
        self._hello_said_at = -1
        self._told_messages = max(self._told_messages, self.taken + self._first_messages)
        self._told_bytes = max(self._told_bytes, self._bytes + FIRST_BYTES)

    def take(self, first: int, count: int, size: int) -> Taken:
        """Take a frame: `count` messages from sequence `first` on, `size` payload bytes as the source counts them."""
        last, expected = first + count - 1, self.taken + 1
        if last < expected:
            return Taken(count, 0, over_credit=False)
        if self._withholds():
            self._left_some = True
            return Taken(count, 0, over_credit=False, gap=True)
        if first > expected:
            self._ask_once()
            return Taken(count, 0, over_credit=False, gap=True)
        acknowledged = max(self._told, self._base)  # by us or, for all we know, by an earlier life
        beyond_bytes = self._bytes + size > self._told_bytes and first > acknowledged + 1
        if beyond_bytes or last > self._told_messages:
            self._ask_once()  # a source that counts otherwise counts as we do after a hello
            return Taken(count, 0, over_credit=True)
        skip = expected - first
        self.changed = True
        self.taken = last
        self._bytes += size
        self._unplaced += count - skip
        return Taken(skip, 0, over_credit=False)

    def refuse(self, sequence: int, error: CaxtonError) -> bool:
        """Let the source know why a message was not placed. It counts as placed: `place` gives its credit back.

        False when a commit was closed that says otherwise of it, or it was placed: only a failure can tell of its end.
        Raises ValueError for a sequence that was never taken.
        """
        if sequence > self.taken:
            raise ValueError(f"sequence {sequence} was not taken; the last one is {self.taken}")
        if sequence <= max(self._sealed, self.placed):
            return False
        self._kept.add(sequence, 1, error)
        self.changed = True
        return True

    def place_to(self, sequence: int) -> None:
        """As `place`, for everything up to a sequence, where no bytes are counted. Raises ValueError beyond `taken`."""
        if sequence > self.placed:
            self.place(sequence - self.placed, 0)

    def stored_refusals(self) -> bytes | None:
        """Return what stands beside `taken` in the commit that is being closed; None when nothing was ever refused.

        From here on no message up to `taken` can be refused.
        """
        self._sealed = self.taken
        self._kept.keep(self.taken)
        return self._kept.encoded()

    def ask_for_missing(self) -> None:
        """Ask again for what is `missing`; nothing is lost on this lane.

        For a caller who has grounds: the way of the data was found empty while the source kept waiting.
        """
        if self.missing and not self._withholds():
            self.stalled = 0
            self.hello_due = True

    def ask(self) -> None:
        """Let a hello be due: the caller had left frames without giving them to `take`, and has room again."""
        self.hello_due = True

    def hello_said(self) -> None:
        """A hello went to the source, with what was taken up to now."""
        self.hello_due = False
        self._hello_said_at = self.taken

    def state_fields(self) -> StateFields:
        """Return what the source is to be told now. Acknowledges nothing whose refusal does not fit in."""
        placed = self.placed
        refusals, unfit = self._kept.page_to(placed)
        self._told = max(self._told, placed if unfit is None else min(placed, unfit - 1))
        if len(self._kept) <= MOST_KEPT:
            self._give_credit(placed)
        self.changed = False
        self._asked = False
        confirmed = self._kept.confirmed
        return StateFields(self._told, self._told_messages, self._told_bytes, confirmed, refusals, self._closed)

    def confirm(self, state: LinkState) -> None:
        """Take in what the source has seen, and the last sequence it sent here (0 when it waits for nothing)."""
        super().confirm(state)
        self._ask_for_what_was_left()

    def _give_credit(self, placed: int) -> None:
        """Open the windows by what was placed in this life: a successor's sources begin slowly too."""
        base = self._base
        if self.window_messages is None:
            self._told_messages = UNLIMITED
        else:
            told = grown(self._told_messages - base, placed - base, self.window_messages, self._first_messages)
            self._told_messages = base + told
        self._told_bytes = grown(self._told_bytes, self._placed_bytes, self.window_bytes, FIRST_BYTES)

    def _withholds(self) -> bool:
        return bool(self._closed) or len(self._kept) > MOST_KEPT

    def _ask_once(self) -> None:
        """Let a hello be due, unless one has said this already: if it was lost, the source is found waiting."""
        if self._hello_said_at != self.taken:
            self.hello_due = True

    def _ask_for_what_was_left(self) -> None:
        if self._left_some and not self._withholds():
            self._left_some = False
            self.hello_due = True

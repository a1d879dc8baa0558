"""The source's side of the durable lane: numbered once, sent to one incarnation of the target after the other."""

from caxton.links.credit import FIRST_BYTES, FIRST_MESSAGES, UNLIMITED
from caxton.links.outgoing import Outgoing, Settled
from caxton.wire.link_state import LinkState, Refusal


class DurableOutgoing(Outgoing):
    """Numbers messages for one file, and knows how far the present incarnation of its owner was sent them.

    emitted: the last sequence that was numbered. greeted: the present incarnation has said what it took; before that
    nothing goes to it, and its states are not taken in. overheard: it has told one all the same, so it waits for us to
    say hello. sent: the last sequence that went to it or is acknowledged; the
    caller sends what follows, with `went` for each frame, every sequence always with the same content. target_file: the
    store that the sequences belong to, 0 while it is unknown. closed: why the target takes nothing new, or "".

    `stored`: the source keeps its numbers, and what follows from a refusal, in a file. It gives `keep` the count
    `refusals_heard` of the moment when the file has it; `refusals_seen`, which the target is told, then follows.
    Otherwise a refusal has been seen as soon as it came.
    """

    __slots__ = (
        "_bytes_unlimited",
        "_first_messages",
        "_restored",
        "_stored",
        "_strange",
        "_unlimited",
        "closed",
        "greeted",
        "overheard",
        "refusals_heard",
        "sent",
        "target_file",
    )

    def __init__(
        self,
        *,
        emitted: int = 0,
        acknowledged: int = 0,
        credit_messages: int | None = FIRST_MESSAGES,
        credit_bytes: int | None = FIRST_BYTES,
        first_messages: int = FIRST_MESSAGES,
        stored: bool = False,
    ) -> None:
        super().__init__(credit_messages=credit_messages, credit_bytes=credit_bytes)
        self.emitted = emitted
        self.acknowledged = self.sent = self._restored = acknowledged
        self.target_file = 0
        self.greeted = self.overheard = False
        self.closed = ""
        self.refusals_heard = 0
        self._first_messages = first_messages
        self._stored = stored
        self._strange = True  # no state has come in this life, so nobody here knows how many refusals were seen before
        self._unlimited = credit_messages is None
        self._bytes_unlimited = credit_bytes is None

    @property
    def starved(self) -> bool:
        """True while the present incarnation of the target has to give more credit before anything goes."""
        return self.greeted and self._credit_messages <= self.sent

    @property
    def claimed(self) -> int:
        """The last sequence that the present incarnation of the target should have; 0 before it has greeted us."""
        return self.sent if self.greeted else 0

    def meet(self) -> None:
        """Another incarnation of the target is there, or none: it must greet before anything goes."""
        self.greeted = self.overheard = False
        self.closed = ""
        self.sent = self.acknowledged
        self._number = 0

    def greet(self, taken: int, taken_bytes: int) -> bool:
        """Take in a hello of the present incarnation: it took our sequences up to `taken`, and counted `taken_bytes`.

        What follows `taken` is to be sent, again perhaps. False, and no effect, for an old hello that was overtaken
        by an acknowledgement, and (counted as absurd) for one that takes an acknowledgement back, or took what we never
        numbered: then one of the two files is not what it was.
        """
        if not self.acknowledged <= taken <= self.emitted:
            self.absurd += not self.greeted or taken > self.emitted
            return False
        if not self.greeted:
            self.greeted = True
            self._credit_messages = UNLIMITED if self._unlimited else taken + self._first_messages
            self._credit_bytes = UNLIMITED if self._bytes_unlimited else taken_bytes + FIRST_BYTES
        self.sent = taken
        self._spent_bytes = taken_bytes
        return True

    def room(self) -> int:
        """How many messages may go after `sent`; `credit.UNLIMITED` when nothing holds them back, 0 until greeted."""
        if not self.greeted:
            return 0
        return UNLIMITED if self._credit_messages == UNLIMITED else max(0, self._credit_messages - self.sent)

    def fits(self, size: int) -> bool:
        """True when a frame of `size` payload bytes may go: within the byte credit, or nothing is outstanding."""
        return self.greeted and (self._spent_bytes + size <= self._credit_bytes or self.sent == self.acknowledged)

    def emit(self, count: int, size: int) -> int:
        """Number the messages of a frame and return the first sequence. It may go when all before it went: `went`.

        At any time: a worker numbers and stores what it may send only later.
        """
        first = self.emitted + 1
        self.emitted += count
        if not self._bytes_unlimited:
            self._frames.append((self.emitted, size))
        return first

    def went(self, last: int, size: int) -> None:
        """Note that the frame after `sent` went, its last sequence and payload bytes, for the first time or again.

        Raises ValueError before the target has greeted us, and for a frame that is not the next.
        """
        if not self.greeted or not self.sent < last <= self.emitted:
            raise ValueError(f"frame up to {last} went after {self.sent} of {self.emitted}, greeted: {self.greeted}")
        self.sent = last
        self._spent_bytes += size

    def keep(self, heard: int) -> None:
        """What follows from the first `heard` refusals is committed: the target may forget them."""
        self.refusals_seen = max(self.refusals_seen, min(heard, self.refusals_heard))

    def settle(self, state: LinkState) -> Settled | None:
        """Take in what the target says. None before it has greeted us, for a state that is not newer, or absurd.

        A successor of the target may repeat refusals that were settled in an earlier life; they are not among these.
        """
        self.overheard = self.overheard or not self.greeted
        if not self.greeted:
            self.closed = state.closed  # what may not go need not wait for the greeting to hear why
        if not self.greeted or state.number <= self._number:
            return None
        if self._strange:
            self.refusals_heard = self.refusals_seen = state.refusals_from
        told = state.refusals[max(0, self.refusals_heard - state.refusals_from) :]
        new = [refusal for refusal in told if refusal.sequence + refusal.count - 1 > self._restored]
        if state.refusals_from > self.refusals_heard or not self._can_be(state.taken, new):
            self.absurd += 1
            return None
        self._strange = False
        self._number = state.number
        self.closed = state.closed
        self.refusals_heard += len(told)
        if not self._stored:
            self.refusals_seen = self.refusals_heard
        self._credit_messages = max(self._credit_messages, state.credit_messages)
        self._credit_bytes = max(self._credit_bytes, state.credit_bytes)
        self._acknowledge(max(self.acknowledged, state.taken))
        return Settled(self.acknowledged, new)

    def _can_be(self, taken: int, new: list[Refusal]) -> bool:
        """Nothing is settled that was not numbered; refusals are in order, not yet settled, and settled with this."""
        before = self.acknowledged
        for refusal in new:
            if refusal.sequence <= before:
                return False
            before = refusal.sequence + refusal.count - 1
        return taken <= self.emitted and (not new or before <= taken)

    def _acknowledge(self, last: int) -> None:
        """Settle everything up to a sequence. What a late hello had let seem unsent need not go again."""
        frames = self._frames
        if last > self.sent:
            self._spent_bytes += sum(size for end, size in frames if self.sent < end <= last)
            self.sent = last
        self.acknowledged = last
        while frames and frames[0][0] <= last:
            frames.popleft()

"""A conversation as it begins: the first messages that two say to each other, and nothing else to know of it yet.

Most conversations are over after a few messages, and a `Record` takes longer to make than those take to deliver. So all
that a record would say is worked out of the messages when somebody wants to know, or when there is more to it. Where
the two go by a protocol, their line stands here too (`caxton/conversations/line_of_two.py`).
"""

import msgspec
from msgspec import structs

from caxton.acl.envelope import DURABLE, Cause, Envelope
from caxton.conversations.lines import LINE_BYTES, Lines
from caxton.conversations.record import FIRST_PLACES, NO_LIMITS, REMEMBERED_BYTES, Record
from caxton.conversations.state import State
from caxton.conversations.summary import Remembered, remembered
from caxton.protocols import BY_NUMBER, Position, standing

# Messages that there may be before it is a record.
MOST_EXCHANGED = 2 * FIRST_PLACES
# What it takes in memory besides what it remembers, in bytes: an estimate.
EXCHANGE_BYTES = 500
GOES_ON = -1


class Opened(msgspec.Struct, frozen=True, gc=False):
    """When and for how long: one value for all that begin at a moment. due_ms: on the clock of who holds them."""

    wall_ms: int
    due_ms: int
    timeout_s: int
    history: int


class Exchange(msgspec.Struct, gc=False, eq=False):
    """What two say to each other, of one lane and with nothing rare about it. It is counted by the shard that has it.

    flags: those of each message. last_ms: of the last one, by the wall clock. base, saved: the row that the file's
    knowledge of it begins with, 0 for none, and how many messages that has. weighed: what whoever holds it takes it to
    weigh. ended_ms: when it ended, on the clock of whoever holds it; GOES_ON before that. It has expired then, unless
    it `is_finished`: its line had ended.

    position: where the line of the other party with the client that opened it stands, None where they go by no
    protocol; without its cause. cause: of what was said last on that line. over_ms: when the line ended. look_at_ms:
    when somebody is to look for what has lapsed, 0 for nobody. is_changed: the line has moved since the file was told.
    """

    conversation_id: bytes
    initiator: int
    other: int
    opened: Opened
    flags: int
    last_ms: int
    recent: list[Remembered]
    weighed: int = EXCHANGE_BYTES + FIRST_PLACES * REMEMBERED_BYTES
    base: int = 0
    saved: int = 0
    ended_ms: int = GOES_ON
    is_finished: bool = False
    position: Position | None = None
    cause: Cause | None = None
    over_ms: int = 0
    look_at_ms: int = 0
    is_changed: bool = False

    def note(self, message: Envelope, now_ms: int) -> bool:
        """Take in one message more. False, and nothing is done, where it is not as plain as the others, or too many."""
        sender, receiver, recent = message.sender, message.receiver, self.recent
        if (
            (
                (sender != self.initiator or receiver != self.other)
                and (sender != self.other or receiver != self.initiator)
            )
            or message.rare is not None
            or message.flags != self.flags
            or len(recent) >= MOST_EXCHANGED
        ):
            return False
        recent.append(remembered(message))
        self.last_ms = now_ms
        return True

    def has_place(self, message: Envelope) -> bool:
        """Whether a message that is not plain has a place where two go by a protocol, as far as that is not asked."""
        sender, receiver, rare = message.sender, message.receiver, message.rare
        return (
            self.position is not None
            and (
                (sender == self.other and receiver == self.initiator)
                or (sender == self.initiator and receiver == self.other)
            )
            and (rare is None or rare.conversation is None)
            and message.flags == self.flags
            and len(self.recent) < MOST_EXCHANGED
        )

    def add(self, message: Envelope, now_ms: int) -> None:
        """Take in one message more, which has a place."""
        self.recent.append(remembered(message))
        self.last_ms = now_ms

    def move(self, position: Position, cause: Cause | None, now_ms: int) -> bool:
        """Its line stands somewhere else now. Returns whether it has ended with that."""
        before = self.position
        ends = not position.deadline_ms and before is not None and before.deadline_ms > 0
        self.position, self.cause, self.is_changed = position, cause, True
        if ends:
            self.over_ms = now_ms
        return ends

    @property
    def key(self) -> bytes:
        """What whoever holds it finds it by: no other has its id."""
        return self.conversation_id

    @property
    def opened_ms(self) -> int:
        """When it was opened, by the wall clock."""
        return self.opened.wall_ms

    @property
    def due_ms(self) -> int:
        """When it expires, on the clock of whoever holds it."""
        return self.opened.due_ms

    @property
    def timeout_s(self) -> int:
        """For how long it may go on."""
        return self.opened.timeout_s

    @property
    def messages(self) -> int:
        """How many there were."""
        return len(self.recent)

    @property
    def begun_here(self) -> bool:
        """It begins where it is."""
        return True

    @property
    def parties(self) -> dict[int, bool]:
        """Who takes part, and whether each has spoken."""
        return {self.other: self.is_answered(len(self.recent)), self.initiator: True}

    @property
    def weight(self) -> int:
        """What it takes in memory, about, in bytes."""
        places = FIRST_PLACES if len(self.recent) <= FIRST_PLACES else MOST_EXCHANGED
        line = 0 if self.position is None else LINE_BYTES
        return EXCHANGE_BYTES + places * REMEMBERED_BYTES + line

    @property
    def state(self) -> State:
        """How it stands."""
        if self.position is not None and self.is_finished:
            return State.FAILED if standing(self.position).kind == "failed" else State.COMPLETED
        if self.ended_ms != GOES_ON:
            return State.EXPIRED
        return State.IN_PROGRESS if self.is_answered(len(self.recent)) else State.INITIATED

    @property
    def detail(self) -> str:
        """The outcome of its line, where that was its own."""
        return standing(self.position).state if self.position is not None and self.is_finished else ""

    @property
    def protocol(self) -> str | None:
        """What the two go by."""
        return None if self.position is None else BY_NUMBER[self.position.machine].name

    @property
    def is_open(self) -> bool:
        """Whether it has a line that has not ended."""
        return self.position is not None and self.position.deadline_ms > 0

    @property
    def lines(self) -> Lines | None:
        """Its line, as a record has it."""
        if self.position is None:
            return None
        lines, line = Lines(), (self.other, self.initiator)
        lines.move(line, structs.replace(self.position, cause=self.cause), None, self.over_ms)
        lines.look_at_ms = self.look_at_ms
        return lines

    def turns(self, since: int = 0, until: int = MOST_EXCHANGED) -> int:
        """Return how many of some messages, by their places, were given to the other party and looked at."""
        if self.position is None:
            return 0
        return sum(one.sender == self.initiator for one in self.recent[since:until])

    def expire(self) -> None:
        """It lasts no longer: whoever lets it end says when, and by that it has expired, unless its line has ended."""
        self.is_finished = self.position is not None and not self.is_open

    def is_answered(self, by: int) -> bool:
        """Whether the other party has spoken among the first messages, so many of them."""
        initiator = self.initiator
        return any(one.sender != initiator for one in self.recent[:by])

    def size(self, since: int = 0, until: int = MOST_EXCHANGED) -> int:
        """Return the bytes of the contents of some messages, by their places."""
        return sum(size_of(one) for one in self.recent[since:until])

    def record(self) -> Record:
        """Return all that there is to know of it."""
        opened, saved = self.opened, self.saved
        record = Record(
            self.conversation_id, self.initiator, opened.wall_ms, opened.timeout_s, NO_LIMITS, opened.history
        )
        record.due_ms, record.last_ms, record.begun_here = opened.due_ms, self.last_ms, True
        record.parties = self.parties
        record.recent = list(self.recent)
        record.messages, record.size = len(self.recent), self.size()
        record.places = FIRST_PLACES if len(self.recent) <= FIRST_PLACES else MOST_EXCHANGED
        record.state, record.detail, record.turns = self.state, self.detail, self.turns()
        record.protocol, record.lines = self.protocol, self.lines
        record.watched = record.state.is_end or record.lines is not None
        record.base, record.ended_ms = self.base, self.ended_ms
        if self.flags & DURABLE:
            record.saved_messages, record.saved_size = saved, self.size(0, saved)
            record.saved_turns = self.turns(0, saved)
            record.unsaved = self.recent[saved:]
            is_answered = self.is_answered(saved) != self.is_answered(len(self.recent))
            record.changed = record.state.is_end or self.is_changed or is_answered
        return record


Kept = Exchange | Record


def size_of(one: Remembered) -> int:
    """Return the bytes of a message's content."""
    return len(one.content) if type(one) is Envelope else one.size  # type: ignore[union-attr] # one or the other

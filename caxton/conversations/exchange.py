"""A conversation as it begins: the first messages that two say to each other, and nothing else to know of it yet.

Most conversations are over after a few messages, and a `Record` takes longer to make than those take to deliver. So all
that a record would say is worked out of the messages when somebody wants to know, or when there is more to it.
"""

import msgspec

from caxton.acl.envelope import DURABLE, Envelope
from caxton.conversations.record import FIRST_PLACES, NO_LIMITS, REMEMBERED_BYTES, Record
from caxton.conversations.state import State
from caxton.conversations.summary import Remembered, remembered
from caxton.ids import SESSION_BIT

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
    weigh. ended_ms: when it expired, on the clock of whoever holds it; GOES_ON otherwise.
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

    def is_answer(self, message: Envelope) -> bool:
        """Whether a message is a plain one to the client that opened it."""
        is_back = message.receiver == self.initiator >= SESSION_BIT and message.sender == self.other
        return is_back and message.rare is None

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
        return EXCHANGE_BYTES + places * REMEMBERED_BYTES

    @property
    def state(self) -> State:
        """How it stands."""
        if self.ended_ms != GOES_ON:
            return State.EXPIRED
        return State.IN_PROGRESS if self.is_answered(len(self.recent)) else State.INITIATED

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
        record.state = self.state
        record.watched = record.state.is_end
        record.base, record.ended_ms = self.base, self.ended_ms
        if self.flags & DURABLE:
            record.saved_messages, record.saved_size = saved, self.size(0, saved)
            record.unsaved = self.recent[saved:]
            record.changed = record.watched or self.is_answered(saved) != self.is_answered(len(self.recent))
        return record


Kept = Exchange | Record


def size_of(one: Remembered) -> int:
    """Return the bytes of a message's content."""
    return len(one.content) if type(one) is Envelope else one.size  # type: ignore[union-attr] # one or the other

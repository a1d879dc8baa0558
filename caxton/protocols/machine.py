"""What a protocol is: roles, states and the messages that lead from one to another. Tables; the checker walks them."""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

from caxton.acl.performative import Performative

# How long a proposal, a bid, or the answer to a cancel may take, in ms, where what asks for it has no reply_by; and how
# long any other answer may, and a reply_by at most. A conversation's own limit on its time is mostly shorter.
BID_MS, CANCEL_MS, MAX_ANSWER_MS = 30_000, 30_000, 86_400_000
# How often a conversation may go round, where it does: new calls, counter-proposals, prices.
MAX_ROUNDS = 100


class Role(IntEnum):
    """Who opened the line, and who is at its other end."""

    INITIATOR = 0
    PARTICIPANT = 1

    @property
    def other(self) -> "Role":
        """The role at the other end."""
        return Role.PARTICIPANT if self is Role.INITIATOR else Role.INITIATOR

    def __str__(self) -> str:
        return self.name.lower()


class Answers(IntEnum):
    """What a message may name as in_reply_to. It need not: who sends it is then taken to mean what is named here."""

    NOTHING = 0
    OPENING = 1  # the message that opened the line
    ASKED = 2  # the latest one that asks for an answer, if the other party said it
    ANYTHING = 3  # what was said to somebody else


class Rule(IntEnum):
    """What the initiator has to look at beyond the line: its lines to the others."""

    ALL_ANSWERED = 1  # nobody has an answer still to give in time
    ONE_A_ROUND = 2  # nobody else was chosen in this round
    ONE = 3  # nobody else was ever chosen
    RECRUITED = 4  # somebody was asked to find others, who speak for themselves


Kind: TypeAlias = Literal["completed", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class State:
    """Where a line can stand.

    awaits: whose word the line waits for. answer_ms: for how long, where no reply_by says so. lapses_to: what is so
    after that time. collects: the initiator waits for an answer that counts for `ALL_ANSWERED`. keeps_deadline: the
    deadline of the state before stays. kind: of an end, how it ended; its name is its outcome. meaning: a sentence.
    """

    name: str
    meaning: str
    awaits: Role | None = None
    lapses_to: str = "unanswered"
    answer_ms: int = MAX_ANSWER_MS
    collects: bool = False
    keeps_deadline: bool = False
    kind: Kind | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """In these states this role may say one of these acts, and the line is in state `to` then.

    at: "start" for the message that opens the line. asks: what is said is to be answered, by its reply_by. next_round:
    one more round, of `Machine.max_rounds`. crossing: only legal when it is received: both spoke at once.
    recruits: others may speak to the initiator from now on whom it never spoke to.
    """

    at: tuple[str, ...]
    by: Role
    acts: tuple[Performative, ...]
    to: str
    answers: Answers = Answers.NOTHING
    asks: bool = False
    next_round: bool = False
    rule: Rule | None = None
    crossing: bool = False
    recruits: bool = False


class Move(NamedTuple):
    """A row as the checker takes it, in plain values: a message passes here by the hundred thousand a second.

    place: of the state that it leads to. lasts_ms: how long that one lasts, None for an end. renames: what is said is
    from now on what an answer names; asks: it has a deadline for its answer.
    """

    place: int
    by: int
    lasts_ms: int | None
    keeps_deadline: bool
    answers: Answers
    renames: bool
    asks: bool
    next_round: int
    rule: Rule | None
    crossing: bool
    row: Row


def key_of(place: int, speaker: int, performative: int) -> int:
    """Return what a row is found by: a state, -1 before the start, who speaks in it, and what."""
    return (place + 1) << 6 | speaker << 5 | performative


START = "start"
# Ends that every machine has, and their places: what stands lower in a machine's list of states is told before it.
UNIVERSAL = (
    State("not-understood", "one of the two did not understand the other", kind="failed"),
    State("undelivered", "a message did not reach the other party", kind="failed"),
    State("unanswered", "the deadline has passed and no answer had come", kind="failed"),
    State("cancelled", "the initiator cancelled it, and was not told otherwise in time", kind="cancelled"),
)
NOT_UNDERSTOOD, UNDELIVERED, UNANSWERED, CANCELLED = range(4)


@dataclass(frozen=True)
class Machine:
    """One protocol, by the name that messages call it. number: its own for ever, a changed machine gets another.

    States are in the order of the lattice: of two views of a line, the later one is what is so.
    """

    number: int
    name: str
    specification: str
    title: str
    initiator: str
    participant: str
    own_states: tuple[State, ...]
    rows: tuple[Row, ...]
    max_rounds: int = MAX_ROUNDS

    @cached_property
    def states(self) -> tuple[State, ...]:
        """All states, with those that every machine has. A position names one by its place here."""
        return UNIVERSAL + self.own_states

    @cached_property
    def place_of(self) -> dict[str, int]:
        """The place of each state. `start`, where nothing was said yet, has none and is -1."""
        return {START: -1} | {state.name: place for place, state in enumerate(self.states)}

    @cached_property
    def moves(self) -> dict[int, Move]:
        """What each row comes to, by `key_of`. There is one row for each key."""
        return {
            key_of(self.place_of[at], row.by, act): self._move(row)
            for row in self.rows
            for at in row.at
            for act in row.acts
        }

    @cached_property
    def ways_to(self) -> dict[int, set[tuple[int, int]]]:
        """Of each state: who says what to get there."""
        found: dict[int, set[tuple[int, int]]] = {}
        for row in self.rows:
            found.setdefault(self.place_of[row.to], set()).update((int(row.by), int(act)) for act in row.acts)
        return found

    @cached_property
    def is_joint(self) -> bool:
        """Whether the initiator's lines to different participants depend on each other."""
        return any(row.rule is not None for row in self.rows)

    def _move(self, row: Row) -> Move:
        place = self.place_of[row.to]
        state, from_start = self.states[place], START in row.at
        return Move(
            place,
            row.by,
            None if state.kind is not None else state.answer_ms,
            state.keeps_deadline,
            row.answers,
            row.asks and not from_start,
            row.asks,
            int(row.next_round),
            row.rule,
            row.crossing,
            row,
        )

    def expected(self, place: int) -> dict[Role, list[Performative]]:
        """What each role may say in a state, in the order of the table, but for what is legal everywhere."""
        found: dict[Role, list[Performative]] = {}
        at = START if place < 0 else self.states[place].name
        for row in self.rows:
            if at in row.at and not row.crossing:
                acts = found.setdefault(row.by, [])
                acts += [act for act in row.acts if act not in acts]
        return found

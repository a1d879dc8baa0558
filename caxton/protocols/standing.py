"""How a line, or a whole conversation, stands, told from one view or joined from those of several shards."""

from collections.abc import Iterable
from typing import NamedTuple

from caxton.protocols.known import BY_NUMBER
from caxton.protocols.machine import Kind
from caxton.protocols.position import Position


class Standing(NamedTuple):
    """Where a line stands, as values that compare: of two views of one line the greater one is what is so.

    is_over: nothing more is expected. rounds: from 1. place: of the state in its machine, which has them in order.
    """

    is_over: bool
    rounds: int
    place: int
    machine: int

    @property
    def is_known(self) -> bool:
        """False for what a later version says of a machine that is not here."""
        return self.machine in BY_NUMBER and 0 <= self.place < len(BY_NUMBER[self.machine].states)

    @property
    def state(self) -> str:
        """The state's name; of an end, its outcome."""
        return BY_NUMBER[self.machine].states[self.place].name

    @property
    def kind(self) -> Kind | None:
        """How it ended: completed, failed or cancelled; None while it goes on."""
        return BY_NUMBER[self.machine].states[self.place].kind


def standing(position: Position) -> Standing:
    """Return how a line stands by one view of it."""
    return Standing(not position.deadline_ms, position.rounds, position.state, position.machine)


def of_line(views: Iterable[Standing]) -> Standing:
    """Join views of one line: who has seen the end, or the later state, is right. Raises ValueError for none."""
    return max(views)


def of_conversation(lines: Iterable[Standing]) -> Standing:
    """Join the lines of one conversation: it goes on while one does, and its outcome is the greatest of theirs.

    Associative, commutative and idempotent, so shards may join what they have in any order. Raises ValueError for none.
    """
    return max(lines, key=lambda line: (not line.is_over, line.place, line.rounds, line.machine))

"""How a dead letter is named in text: its shard and its number there, `0-17`."""

import re
from typing import NamedTuple, Self

from caxton.errors import DeadLetterNotFound, ValidationError
from caxton.placement.slot_table import MAX_WORKERS
from caxton.printable import shown
from caxton.wire.calls import DeadLetter

_TEXT = re.compile(r"(\d{1,4})-(\d{1,18})", re.ASCII)


class LetterNumber(NamedTuple):
    """Names one dead letter of the runtime, for good: numbers are not used again."""

    shard: int
    number: int

    @classmethod
    def of(cls, letter: DeadLetter | Self | str) -> Self:
        """Return the number of a letter, or of its text, or itself; raises ValidationError."""
        return cls.parse(letter.id if isinstance(letter, DeadLetter) else str(letter))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` writes; raises ValidationError."""
        found = _TEXT.fullmatch(str(text))
        if found is None or int(found[1]) >= MAX_WORKERS:
            raise ValidationError("dead letter", f"{shown(text)} is not the number of one, such as 0-17")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.shard}-{self.number}"


def not_there(*names: LetterNumber | str) -> DeadLetterNotFound:
    """Return the error that says that no dead letters have these names."""
    return DeadLetterNotFound(
        "dead letter", f"there is none with the number {', '.join(map(str, names))}; see `caxton deadletter list`"
    )

"""The rates of an open loop, as they are given on the command line: whole numbers of messages a second."""

from dataclasses import dataclass
from typing import Self

MOST_PER_S = 1_000_000


@dataclass(frozen=True)
class Rates:
    """per_s: one rate or more, in the order in which they are measured."""

    per_s: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `50000,100000`. Raises ValueError, which says what is wrong and what would do."""
        return cls(tuple(_rate(part.strip()) for part in text.split(",")))

    def __str__(self) -> str:
        return ",".join(str(rate) for rate in self.per_s)


def _rate(text: str) -> int:
    should_be = f"give whole messages a second from 1 to {MOST_PER_S}, separated by commas: 50000,100000"
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text!r} is no rate; {should_be}")
    rate = int(text) if len(text) <= len(str(MOST_PER_S)) else MOST_PER_S + 1
    if not 1 <= rate <= MOST_PER_S:
        raise ValueError(f"{text} is out of range; {should_be}")
    return rate

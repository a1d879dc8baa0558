"""When a limit is near: from 80 % of it on, until there is less than 70 %. Numbers in, a verdict out."""

from collections.abc import Iterable
from typing import Annotated, NamedTuple

import msgspec

# Of any limit: where a warning begins, and below which it ends, so that it does not come and go.
NEAR, OVER_BELOW = 0.8, 0.7


class Level(NamedTuple):
    """How much there is of something bounded. most: 0 where nothing bounds it now. whose: "" if it is everybody's."""

    limit: str
    have: int
    most: int
    whose: str = ""


class NearLimit(msgspec.Struct, array_like=True, frozen=True):
    """A limit that is near or reached, since when (ms since 1970), and whose it is, as far as that is known."""

    limit: str
    have: Annotated[int, msgspec.Meta(ge=0)]
    most: Annotated[int, msgspec.Meta(gt=0)]
    whose: str
    since_ms: int

    @property
    def text(self) -> str:
        """What a person reads of it."""
        of = f" of {self.whose}" if self.whose else ""
        return f"{self.limit}{of}: {self.have} of {self.most} ({100 * self.have // self.most} %)"


class Nearing:
    """The limits that are near. Owned by whoever looks, about once a second."""

    def __init__(self) -> None:
        self._since_ms: dict[tuple[str, str], int] = {}

    def look(self, levels: Iterable[Level], now_ms: int) -> tuple[list[NearLimit], list[NearLimit]]:
        """Take in how full everything is; returns what is near, the fullest first, and what is new of it."""
        known = self._since_ms
        found = [
            NearLimit(*level, known.get((level.limit, level.whose), now_ms))
            for level in levels
            if _is_near(level, known=(level.limit, level.whose) in known)
        ]
        found.sort(key=lambda near: near.have / near.most, reverse=True)
        self._since_ms = {(near.limit, near.whose): near.since_ms for near in found}
        return found, [near for near in found if (near.limit, near.whose) not in known]


def _is_near(level: Level, *, known: bool) -> bool:
    return level.most > 0 and level.have >= level.most * (OVER_BELOW if known else NEAR)

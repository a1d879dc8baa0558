"""Rows of several files as one list, in one order of time, a page at a time: each is read as far as it is needed."""

import re
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from msgspec.structs import replace

from caxton.errors import ValidationError
from caxton.printable import shown
from caxton.wire.audit import AuditPage, AuditRow, ReadAudit

Ask = Callable[[ReadAudit], Awaitable[AuditPage]]
# Calls for one page: of each, a file looks at 2,000 rows. A page that takes more is told as far as it is.
_MOST_CALLS = 100
_CURSOR = re.compile(r"([fb])((?:-[0-9]{1,18})+)", re.ASCII)


class AuditRows(msgspec.Struct, frozen=True):
    """Rows of the audit. next: where the next page begins, None when there is none.

    There may be fewer rows than were asked for, or none, and more behind them.
    """

    rows: list[AuditRow]
    next: str | None


class AuditPages:
    """Reads files side by side. asked: which rows of each, and in which direction. cursor: from where on."""

    def __init__(self, files: Sequence[Ask], asked: ReadAudit, cursor: str = "") -> None:
        begin = _places(cursor, len(files), backwards=asked.backwards)
        self._backwards = asked.backwards
        self._files = [_File(ask, replace(asked, after=place)) for ask, place in zip(files, begin, strict=True)]

    async def page(self, limit: int) -> AuditRows:
        """Return the next rows, at most so many. Raises what asking does."""
        rows: list[AuditRow] = []
        calls = _MOST_CALLS
        while len(rows) < limit:
            for file in self._files:
                while file.is_wanting and calls:
                    await file.read()
                    calls -= 1
            there = [file for file in self._files if file.rows]
            if not there or any(file.is_wanting for file in self._files):
                break
            rows.append(self._next(there).take())
        over = all(file.is_over for file in self._files)
        return AuditRows(rows, None if over else self._cursor())

    def _next(self, there: list["_File"]) -> "_File":
        """Return whose row comes next: of the same time, the first file's."""
        return max(there, key=_at) if self._backwards else min(there, key=_at)

    def _cursor(self) -> str:
        places = "".join(f"-{file.place}" for file in self._files)
        return f"{'b' if self._backwards else 'f'}{places}"


class _File:
    """One file, as far as it was read. rows: those that nobody has taken, with their places."""

    def __init__(self, ask: Ask, asked: ReadAudit) -> None:
        self._ask = ask
        self._asked = asked
        self._more = True
        self._place = asked.after
        self.rows: deque[tuple[int, AuditRow]] = deque()

    @property
    def is_wanting(self) -> bool:
        """Whether it has to be read before it is known which row comes next."""
        return not self.rows and self._more

    @property
    def is_over(self) -> bool:
        """Whether nothing more is in it."""
        return not self.rows and not self._more

    @property
    def place(self) -> int:
        """Where to go on: behind the row that was taken last or, backwards, before it."""
        if self.is_over and self._asked.backwards:
            return 1  # before the first row; 0 would be the end
        if self.rows and not self._place and self._asked.backwards:
            return self.rows[0][0] + 1
        return self._place

    async def read(self) -> None:
        page = await self._ask(self._asked)
        self.rows.extend(zip(page.places, page.rows, strict=True))
        self._more = page.more
        self._asked = replace(self._asked, after=page.after)
        if not self.rows:
            self._place = page.after

    def take(self) -> AuditRow:
        place, row = self.rows.popleft()
        self._place = place if self.rows else self._asked.after
        return row


def _at(file: _File) -> int:
    return file.rows[0][1].at


def _places(cursor: str, files: int, *, backwards: bool) -> list[int]:
    if not cursor:
        return [0] * files
    found = _CURSOR.fullmatch(cursor)
    places = [] if found is None else [int(place) for place in found[2].split("-")[1:]]
    if found is None or (found[1] == "b") != backwards:
        raise ValidationError("after", f"{shown(cursor)} is no cursor of such a list")
    if len(places) != files:
        raise ValidationError("after", f"{shown(cursor)} is a cursor of a runtime with another number of shards")
    return places

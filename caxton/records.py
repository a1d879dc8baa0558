"""What a process logs, kept for who exports it: the last records, each with a number."""

import logging
from itertools import islice
from sys import getsizeof
from typing import NamedTuple

from caxton.lines import OF_A_MESSAGE
from caxton.printable import one_line, printable
from caxton.ring import Ring
from caxton.wire.records import MAX_RECORD_TEXT, MAX_TRACEBACK, Record

# Of a process, and what one weighs beside its texts.
MOST_RECORDS, MOST_RECORD_BYTES, OF_RECORD = 5_000, 4 << 20, 400
_NS_PER_S = 1_000_000_000
_formatter = logging.Formatter()


class Page(NamedTuple):
    """Records behind a number. last: of the last of them. missed: those before them that are not kept."""

    records: list[Record]
    last: int
    missed: int
    more: bool


class Records(logging.Handler):
    """Keeps the last 5,000 records, and 4 MiB of them, from any thread: the oldest make room."""

    def __init__(self) -> None:
        super().__init__()
        self._ring: Ring[Record] = Ring(MOST_RECORDS, MOST_RECORD_BYTES)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        try:
            told = _told(record)
        except Exception:  # noqa: BLE001 (arguments that do not fit the message are a bug, and not one to end for)
            self.handleError(record)
            return
        self._ring.add(told, OF_RECORD + getsizeof(told.text) + getsizeof(told.traceback))

    def behind(self, after: int, most: int) -> Page:
        """Return what came after the number `after`, oldest first, at most so many."""
        self.acquire()
        try:
            after = min(after, self._ring.last)
            first = self._ring.last - len(self._ring)
            found = [kept.item for kept in islice(self._ring.behind(after), most)]
        finally:
            self.release()
        begins = max(after, first)
        return Page(found, begins + len(found), begins - after, begins + len(found) < self._ring.last)


def kept_from_now(but: tuple[str, ...] = ()) -> Records:
    """Return what this process logs from now on; `but` by loggers whose names begin with one of these."""
    records = Records()
    records.addFilter(lambda record: not record.name.startswith(but))
    logging.getLogger().addHandler(records)
    return records


def _told(record: logging.LogRecord) -> Record:
    traced = "" if record.exc_info is None else _formatter.formatException(record.exc_info)
    lines = [printable(line) for line in traced[-MAX_TRACEBACK:].splitlines()]
    about = {name: str(getattr(record, name, "") or "") for name in OF_A_MESSAGE}
    return Record(
        int(record.created * _NS_PER_S),
        record.levelno,
        record.name,
        one_line(record.getMessage(), MAX_RECORD_TEXT),
        **about,
        traceback="\n".join(lines),
    )

"""The files of writers and recorders: records of one size, appended and fsynced, by which everything is judged.

A process that is killed may leave half a record at the end; a reader passes it over.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from faultlab.serial import Serial

_SENT = struct.Struct("<IQBBxxQQ")
_RECORDED = struct.Struct("<IQ16sIQ")


class Outcome(IntEnum):
    """How a send ended. REFUSED: an error says that it had no effect. UNKNOWN: it may have had one."""

    ACKNOWLEDGED = 1
    REFUSED = 2
    UNKNOWN = 3


class Sent(NamedTuple):
    """One message of a writer. sent_ns, ended_ns: on the monotonic clock, before the call and after its return."""

    serial: Serial
    outcome: Outcome
    shard: int
    sent_ns: int
    ended_ns: int


class Recorded(NamedTuple):
    """One delivery to a recorder, noted before its handler returned."""

    serial: Serial
    message_id: bytes
    delivery_count: int
    at_ns: int


class Journal:
    """A file that only grows. Whoever appends may tell others of it afterwards: it is on the disk."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def append_sent(self, records: Sequence[Sent]) -> None:
        """Append what became of messages, and fsync."""
        self._append(b"".join(_SENT.pack(*r.serial, r.outcome, r.shard, r.sent_ns, r.ended_ns) for r in records))

    def append_recorded(self, records: Sequence[Recorded]) -> None:
        """Append deliveries, and fsync."""
        self._append(b"".join(_RECORDED.pack(*r.serial, r.message_id, r.delivery_count, r.at_ns) for r in records))

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _append(self, encoded: bytes) -> None:
        while encoded:
            encoded = encoded[os.write(self._file, encoded) :]
        os.fdatasync(self._file)


class Reading:
    """Reads a journal while it grows: each call returns what came since the last one."""

    def __init__(self, path: Path, layout: struct.Struct) -> None:
        self._path = path
        self._layout = layout
        self._offset = 0

    def more(self) -> Iterator[tuple[int | bytes, ...]]:
        """Return the whole records that came since the last call."""
        if not self._path.exists():
            return iter(())
        with self._path.open("rb") as file:
            file.seek(self._offset)
            found = file.read()
        whole = found[: len(found) - len(found) % self._layout.size]
        self._offset += len(whole)
        return self._layout.iter_unpack(whole)


class SentReading(Reading):
    """Reads a writer's journal."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _SENT)

    def new(self) -> list[Sent]:
        """Return what came since the last call."""
        return [Sent(Serial(w, n), Outcome(o), *rest) for w, n, o, *rest in self.more()]  # type: ignore[arg-type]


class RecordedReading(Reading):
    """Reads a recorder's journal."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _RECORDED)

    def new(self) -> list[Recorded]:
        """Return what came since the last call."""
        return [Recorded(Serial(w, n), *rest) for w, n, *rest in self.more()]  # type: ignore[arg-type]

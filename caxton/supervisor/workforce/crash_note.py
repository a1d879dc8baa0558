"""What a worker was doing, from its mapped file: the supervisor reads it, alive or dead; only the worker writes it."""

import os
import struct
from dataclasses import astuple, dataclass
from pathlib import Path

from caxton.store.regular_file import opened

_LAYOUT = struct.Struct("<7Q")
# A note of before said nothing of rows that are being written.
_OLD_SIZE = 32


@dataclass(frozen=True)
class CrashNote:
    """The turn that a worker is in, or was in when it died. `agent` 0: none. turn_start_ns: on CLOCK_MONOTONIC.

    stored_as, former_source, former_sequence: for its successor alone, which decides who is charged with a death.
    """

    root_source: int
    root_sequence: int
    agent: int
    turn_start_ns: int
    stored_as: int = 0
    former_source: int = 0
    former_sequence: int = 0

    @classmethod
    def read(cls, path: Path) -> "CrashNote | None":
        """Return the note in a file; None when there is none, or only part of one."""
        try:
            with opened(path) as descriptor:
                raw = os.read(descriptor, _LAYOUT.size)
        except OSError:
            return None
        return cls(*_LAYOUT.unpack(raw.ljust(_LAYOUT.size, b"\0"))) if len(raw) in {_OLD_SIZE, _LAYOUT.size} else None

    @property
    def in_turn(self) -> bool:
        """True when an agent is named: the process is, or was, inside its turn."""
        return self.agent != 0

    def turn_began_within(self, now_ns: int, span_ns: int) -> bool:
        """True when it is in a turn that is younger than `span_ns`."""
        return self.in_turn and now_ns - self.turn_start_ns < span_ns

    def encode(self) -> bytes:
        """Return its 56 bytes, as the successor is given them."""
        return _LAYOUT.pack(*astuple(self))

"""What this worker is doing, in a mapped file that outlives it: so that its successor knows what it died of."""

import mmap
import os
import struct
from pathlib import Path

_LAYOUT = struct.Struct("<7Q")
SOURCE, SEQUENCE, AGENT, STARTED, STORED_AS, FORMER_SOURCE, FORMER_SEQUENCE = range(7)
NOTHING = (0,) * 7
# A note of before said nothing of rows that are being written.
_OLD_SIZE = 32


class CrashNote:
    """Seven numbers: the root that entered the pass (source, sequence), the agent, and the turn's start (monotonic ns).

    And, for a root in a row that may not be in the file yet, its sequence there, and the root that it was before.
    `cells` is what the turn writes, one store each; agent 0 means that no turn is under way.
    """

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.ftruncate(descriptor, _LAYOUT.size)
            self._map = mmap.mmap(descriptor, _LAYOUT.size)
        finally:
            os.close(descriptor)
        self.cells = memoryview(self._map).cast("Q")

    def close(self) -> None:
        """Unmap the file. Closing twice is fine."""
        if not self._map.closed:
            self.cells.release()
            self._map.close()


def read_note(note: bytes | None) -> tuple[int, ...]:
    """Return the seven numbers of a dead worker's note; zeros when there is none."""
    if note is None or len(note) not in {_OLD_SIZE, _LAYOUT.size}:
        return NOTHING
    return _LAYOUT.unpack(note.ljust(_LAYOUT.size, b"\0"))

"""What this worker is doing, in a mapped file that outlives it: so that its successor knows what it died of."""

import mmap
import os
import struct
from pathlib import Path

_LAYOUT = struct.Struct("<4Q")
SOURCE, SEQUENCE, AGENT, STARTED = range(4)


class CrashNote:
    """Four numbers: the root that entered the pass (source, sequence), the agent, and the turn's start (monotonic ns).

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


def read_note(note: bytes | None) -> tuple[int, int, int, int]:
    """Return the four numbers of a dead worker's note; zeros when there is none."""
    if note is None or len(note) != _LAYOUT.size:
        return (0, 0, 0, 0)
    source, sequence, agent, started = _LAYOUT.unpack(note)
    return source, sequence, agent, started

"""One durable message on this shard, from the moment it has to wait until it is finished.

A message that is handled in the pass it arrived in has no delivery, and no row in the file.
"""

from caxton.acl.envelope import Envelope
from caxton.store import waiting
from workers.agents.disk_line import DiskLine
from workers.worker_pass import NEVER

DURABLE_ROOT = waiting.DURABLE_ROOT
ROW_SPAN = waiting.ROW_SPAN


class StoredRow:
    """A row of unfinished messages: which of them are done, one bit each. left: how many are not."""

    __slots__ = ("_done", "_size", "left", "number")

    def __init__(self, number: int, size: int, done: int = 0, marks: bytes = b"") -> None:
        self.number = number
        self._size = size
        self.left = size - done
        self._done = bytearray(marks.ljust((size + 7) // 8, b"\0"))

    def finish(self, index: int) -> None:
        """Mark one as done. It is marked once."""
        self._done[index >> 3] |= 1 << (index & 7)
        self.left -= 1

    def marks(self) -> tuple[bytes, int] | None:
        """Return the marks and how many are set, or None when all are."""
        return (bytes(self._done), self._size - self.left) if self.left else None


class Delivery:
    """Where a message is stored, and how often it was tried.

    source, sequence: its root, as a crash note names it. origin: the agent that the root was for, 0 when it is the root
    itself. attempts: turns that failed, retry_reasons: why each did. deliveries: turns that began, or may have begun in
    an earlier life. row, index: where it stands in the file, once it does; number: of its own row in the queue, 0 while
    it has none. disk: where it waits from then on without a place in memory. came_ms: when it was
    taken, on the served time; due_ms: when its timeout ends, on its agent's clock. Both -1 until its agent takes it in.
    since_ns: as came_ms, on the monotonic clock of this process, to be shown.
    """

    __slots__ = (
        "attempts",
        "came_ms",
        "deliveries",
        "disk",
        "due_ms",
        "expires_ns",
        "from_place",
        "from_row",
        "index",
        "message",
        "number",
        "origin",
        "retry_reasons",
        "row",
        "sequence",
        "since_ns",
        "source",
    )

    def __init__(self, message: Envelope, source: int, sequence: int, origin: int = 0) -> None:
        self.message = message
        self.source = source
        self.sequence = sequence
        self.expires_ns = NEVER
        self.origin = origin
        self.came_ms = self.due_ms = -1
        self.since_ns = 0
        self.attempts = 0
        self.deliveries = 0
        self.retry_reasons: tuple[str, ...] = ()
        self.disk: DiskLine | None = None
        self.row: StoredRow | None = None
        self.index = 0
        self.number = 0
        # Where it stood before it had a row of its own: what keeps its place among the others when all is read again.
        self.from_row = self.from_place = 0

    @property
    def stored(self) -> bool:
        """True when the file has it, or will have it with the commit that is being gathered."""
        return self.row is not None or self.number > 0

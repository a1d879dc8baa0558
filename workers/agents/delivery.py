"""One durable message on this shard, from the moment it has to wait until it is finished.

A message that is handled in the pass it arrived in has no delivery, and no row in the file.
"""

from caxton.acl.envelope import Envelope

# What marks a root as one of the durable lane, so that no message of the volatile lane is charged in its place.
DURABLE_ROOT = 1 << 63
# Roots of stored messages count on from their row's number: more than there are messages in a row.
ROW_SPAN = 256


class StoredRow:
    """A row of unfinished messages: which of them are done, one bit each."""

    __slots__ = ("done", "left", "number")

    def __init__(self, number: int, size: int, done: int = 0, marks: bytes = b"") -> None:
        self.number = number
        self.left = size - done
        self.done = bytearray(marks.ljust((size + 7) // 8, b"\0"))

    def finish(self, index: int) -> tuple[bytes, int] | None:
        """Mark one as done. Returns the marks and how many are set, or None when all are."""
        self.done[index >> 3] |= 1 << (index & 7)
        self.left -= 1
        return (bytes(self.done), sum(byte.bit_count() for byte in self.done)) if self.left else None


class Delivery:
    """Where a message is stored, and how often it was tried.

    source, sequence: its root, as a crash note names it. origin: the agent that the root was for, 0 when it is the root
    itself. attempts: turns that failed. deliveries: turns that began, or
    may have begun in an earlier life. row, index: where it stands in the file, once it does; number: of its own row in
    the queue, 0 while it has none.
    """

    __slots__ = (
        "attempts",
        "deliveries",
        "expires_ns",
        "from_place",
        "from_row",
        "index",
        "message",
        "number",
        "origin",
        "row",
        "sequence",
        "source",
    )

    def __init__(self, message: Envelope, source: int, sequence: int, expires_ns: int, origin: int = 0) -> None:
        self.message = message
        self.source = source
        self.sequence = sequence
        self.expires_ns = expires_ns
        self.origin = origin
        self.attempts = 0
        self.deliveries = 0
        self.row: StoredRow | None = None
        self.index = 0
        self.number = 0
        # Where it stood before it had a row of its own: what keeps its place among the others when all is read again.
        self.from_row = self.from_place = 0

    @property
    def stored(self) -> bool:
        """True when the file has it, or will have it with the commit that is being gathered."""
        return self.row is not None or self.number > 0

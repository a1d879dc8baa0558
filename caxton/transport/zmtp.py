"""ZeroMQ's wire protocol as the side that listens speaks it here (ZMTP 3.0, NULL): bytes in, frames out. Pure.

A message has one part. ZeroMQ itself keeps the parts of a message until the last one has come, and counts none of them.
"""

from collections.abc import Callable
from enum import IntEnum

from caxton.errors import InvalidMessageFormat

# What may come without a word on who says it. A larger frame is not begun before its head was looked at.
SMALL_FRAME = 64 << 10
# How much of a frame is its head: enough for its source and its mark.
HEAD_BYTES = 64
_GREETING_BYTES, _SIGNATURE_BYTES = 64, 10
_LONG, _COMMAND = 2, 4
_SHORT_HEADER, _LONG_HEADER = 2, 9
_LARGEST_SHORT = 255
_MECHANISM = b"NULL".ljust(20, b"\0")
_READY = b"\x05READY"

# Whether a frame may come, by its head and its size.
Admit = Callable[[bytes, int], bool]


class _Stage(IntEnum):
    GREETING = 0
    HANDSHAKE = 1
    FRAMES = 2


def opening(kind: bytes) -> bytes:
    """Return all that a listener of a kind of socket (PULL, ROUTER) says before frames: greeting and READY."""
    greeting = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + _MECHANISM
    ready = _READY + b"\x0bSocket-Type" + len(kind).to_bytes(4, "big") + kind
    return greeting.ljust(_GREETING_BYTES, b"\0") + bytes([_COMMAND, len(ready)]) + ready


def header(size: int) -> bytes:
    """Return what stands before a frame of so many bytes."""
    return bytes([0, size]) if size <= _LARGEST_SHORT else bytes([_LONG]) + size.to_bytes(8, "big")


class Incoming:
    """What one connection said and nobody has taken yet.

    largest: bytes of a frame at most. admit: whether a large frame that begins so may come at all, and whether the
    first frame of a connection is anybody's. vouched: `admit` said so once. wanted: the size of a large frame that has
    begun, 0 while there is none. All that does not belong here raises InvalidMessageFormat, and nothing comes after it.
    """

    __slots__ = ("_admit", "_held", "_largest", "_stage", "vouched", "wanted")

    def __init__(self, largest: int, admit: Admit) -> None:
        self._largest = largest
        self._admit = admit
        self._held = bytearray()
        self._stage = _Stage.GREETING
        self.vouched = False
        self.wanted = 0

    def __len__(self) -> int:
        return len(self._held)

    def frames(self, chunk: bytes | memoryview, most: int) -> list[bytes]:
        """Add what was said now, and return up to `most` whole frames; what is left stays here."""
        held = self._held
        held += chunk
        if self._stage is not _Stage.FRAMES and not self._is_open():
            return []
        frames: list[bytes] = []
        at, there, begun, self.wanted = 0, len(held), self.wanted, 0
        with memoryview(held) as view:
            while there - at >= _SHORT_HEADER and len(frames) < most:
                start, size = self._frame_at(held, at)
                if start > there or (end := start + size) > there:
                    if size > SMALL_FRAME and there - start >= HEAD_BYTES:
                        if frames or not begun:
                            self._look_at(bytes(view[start : start + HEAD_BYTES]), size)
                        self.wanted = size
                    break
                frames.append(bytes(view[start:end]))
                at = end
        if at:
            del held[:at]
        if frames and not self.vouched:
            self.vouched = self._admit(frames[0][:HEAD_BYTES], len(frames[0]))
        return frames

    def _frame_at(self, held: bytearray, at: int) -> tuple[int, int]:
        """Return where the frame whose header stands at `at` begins, beyond what is there perhaps, and its size."""
        flags = held[at]
        if flags == 0:
            return at + _SHORT_HEADER, held[at + 1]
        if flags != _LONG:
            raise _wrong("a message of several parts" if flags & 1 else f"no frame (flags {flags})")
        if len(held) - at < _LONG_HEADER:
            return at + _LONG_HEADER, 0
        size = int.from_bytes(held[at + 1 : at + _LONG_HEADER], "big")
        if size > self._largest:
            raise _wrong(f"a frame of {size} bytes, beyond {self._largest}")
        return at + _LONG_HEADER, size

    def _look_at(self, head: bytes, size: int) -> None:
        if not self._admit(head, size):
            raise _wrong("a large frame of nobody who is known")
        self.vouched = True

    def _is_open(self) -> bool:
        """Take greeting and handshake; True when frames follow."""
        held = self._held
        if self._stage is _Stage.GREETING:
            if held and (held[:1] != b"\xff" or (len(held) >= _SIGNATURE_BYTES and not held[9] & 1)):
                raise _wrong("no ZeroMQ")
            if len(held) < _GREETING_BYTES:
                return False
            if held[10] < 3 or held[12:32] != _MECHANISM:  # noqa: PLR2004 (the version, and where it stands)
                raise _wrong("another version of ZeroMQ, or another mechanism")
            del held[:_GREETING_BYTES]
            self._stage = _Stage.HANDSHAKE
        if len(held) < _SHORT_HEADER:
            return False
        if held[0] != _COMMAND:
            raise _wrong("no handshake")
        end = _SHORT_HEADER + held[1]
        if len(held) < end:
            return False
        if not held.startswith(_READY, _SHORT_HEADER):
            raise _wrong("no handshake")
        del held[:end]
        self._stage = _Stage.FRAMES
        return True


def _wrong(what: str) -> InvalidMessageFormat:
    return InvalidMessageFormat("connection", what)

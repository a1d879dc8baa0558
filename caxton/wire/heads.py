"""Who says a frame, and what kind it is, read from its first bytes: before anybody takes the rest, or decodes it.

Every frame begins with its version and its source; how large a number is, its own first byte says.
"""

from typing import NamedTuple

from caxton.wire.frames import VERSION
from caxton.wire.link_state import MARK_BYTES

_SMALL_INT, _ARRAY, _ARRAY_MASK = 0x7F, 0x90, 0xF0
_UINTS = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
_BIN = b"\xc4" + bytes([MARK_BYTES])


class Head(NamedTuple):
    """tag: the kind of a control frame, 0 for a data frame. source and mark as the frame has them, unproven."""

    tag: int
    source: int
    mark: bytes


def data_head(frame: bytes) -> Head | None:
    """Return the head of a data frame; None when it does not begin like one."""
    at = _array(frame, len(VERSION))
    return None if not at or not frame.startswith(VERSION) else _signed(frame, at, 0)


def control_head(frame: bytes) -> Head | None:
    """Return the head of a control frame; None when it does not begin like one."""
    at = _array(frame, len(VERSION))
    if not at or not frame.startswith(VERSION):
        return None
    tag, at = _uint(frame, at)
    return _signed(frame, at, tag) if at else None


def call_tag(frame: bytes) -> int:
    """Return the kind of a call to the supervisor, by the tag of its request; 0 when it does not begin like one."""
    at = _array(frame, len(VERSION))
    if not at or not frame.startswith(VERSION):
        return 0
    _, at = _uint(frame, at)
    at = at and _array(frame, at)
    return _uint(frame, at)[0] if at else 0


def _signed(frame: bytes, at: int, tag: int) -> Head | None:
    source, at = _uint(frame, at)
    mark = frame[at + len(_BIN) : at + len(_BIN) + MARK_BYTES]
    if not at or len(mark) < MARK_BYTES or not frame.startswith(_BIN, at):
        return None
    return Head(tag, source, mark)


def _array(frame: bytes, at: int) -> int:
    """Return where the first element of a short array stands, 0 when there is none."""
    return at + 1 if len(frame) > at and frame[at] & _ARRAY_MASK == _ARRAY else 0


def _uint(frame: bytes, at: int) -> tuple[int, int]:
    """Return a number and where the next value stands, 0 when there is no number."""
    first = frame[at] if len(frame) > at else 0xC0
    if first <= _SMALL_INT:
        return first, at + 1
    size = _UINTS.get(first, 0)
    end = at + 1 + size
    return (int.from_bytes(frame[at + 1 : end], "big"), end) if size and len(frame) >= end else (0, 0)

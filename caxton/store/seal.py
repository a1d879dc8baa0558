"""Seals: every row carries a version byte and a CRC-32 of what is in it, so that a flipped bit is noticed.

SQLite checks the structure of its pages, not their content. A CRC-32 misses no change within 32 bits of each other; it
is no protection against somebody who means harm.
"""

import struct
from zlib import crc32

VERSION = 1
_HEAD = struct.Struct("<BI")
# Made once: no row has more numbers, and few texts are longer.
_PACKERS = tuple(struct.Struct(f"<{numbers}q").pack for numbers in range(17))
_SHORT = 512
_LENGTHS = tuple(length.to_bytes(8, "little") for length in range(_SHORT))
_ABSENT, _PRESENT = b"\0", b"\1"


class BrokenSeal(ValueError):
    """A row that is not what was written; the text says what is wrong with it."""


def seal(payload: bytes, *numbers: int) -> bytes:
    """Return `payload` behind its version and its check, which covers the row's signed 64-bit `numbers` too."""
    return _HEAD.pack(VERSION, _check(payload, numbers)) + payload


def unseal(sealed: object, *numbers: object) -> bytes:
    """Return the payload; raises BrokenSeal when it, or one of the numbers, is not what was sealed."""
    if not isinstance(sealed, bytes) or len(sealed) < _HEAD.size:
        raise BrokenSeal("a row without its seal")
    version, check = _HEAD.unpack_from(sealed)
    if version != VERSION:
        raise BrokenSeal(f"a row of version {version}; this one reads {VERSION}")
    payload = sealed[_HEAD.size :]
    try:
        found = _check(payload, numbers)
    except struct.error:
        raise BrokenSeal("a row with other than numbers where there were numbers") from None
    if check != found:
        raise BrokenSeal("a row that differs from what was written")
    return payload


def seal_optional(payload: bytes | None, *numbers: int) -> bytes:
    """Seal a payload that may be absent."""
    return seal(_ABSENT if payload is None else _PRESENT + payload, *numbers)


def unseal_optional(sealed: object, *numbers: object) -> bytes | None:
    """Return what `seal_optional` was given; raises BrokenSeal."""
    payload = unseal(sealed, *numbers)
    return payload[1:] if payload[:1] == _PRESENT else None


def number_of(*texts: bytes) -> int:
    """Return a number that stands for texts among the numbers of a seal: another text, another number."""
    check = 0
    for text in texts:
        length = len(text)
        check = crc32(text, crc32(_LENGTHS[length] if length < _SHORT else length.to_bytes(8, "little"), check))
    return check


def _check(payload: bytes, numbers: tuple[object, ...]) -> int:
    return crc32(payload, crc32(_PACKERS[len(numbers)](*numbers)))

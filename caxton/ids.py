"""Ids: who an agent, a session, a message and a conversation are. Immutable, checked when they are made.

An agent's id is a 63-bit number, a session's has the top bit set, all ones is broadcast (design: one u64 on the wire,
16 hex digits in text). Messages and conversations have UUIDs, version 7 when made here: they sort by time.
"""

import secrets
import uuid
from collections.abc import Callable
from hashlib import blake2b
from itertools import count, repeat
from struct import Struct
from typing import Self

from caxton.printable import shown

SESSION_BIT = 1 << 63
BROADCAST = (1 << 64) - 1
UUID_BYTES = 16
_HEX_DIGITS = 16
_TWO_HALVES = Struct(">QQ").pack


class AgentId(int):
    """Who a message is from or for: a non-zero 64-bit number, written as 16 hex digits.

    Raises ValueError when it is no whole number, or zero, negative or beyond 64 bits.
    """

    __slots__ = ()

    def __new__(cls, value: int) -> Self:
        """Check the number; raises ValueError."""
        if (type(value) is not int and not _is_whole(value)) or not 0 < value <= BROADCAST:
            raise ValueError(f"an agent id is a number from 1 to 2**64-1, not {shown(value)}")
        return int.__new__(cls, value)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the 16 hex digits that `str` writes; raises ValueError on any other text, and on zero."""
        if not _is_hex(text):
            raise ValueError(f"an agent id is written as 16 hex digits, not {shown(text)}")
        return cls(int(text, 16))

    @property
    def is_session(self) -> bool:
        """True for a connected client, which is reached directly and not through a slot."""
        return int(self) >= SESSION_BIT and int(self) != BROADCAST

    def __str__(self) -> str:
        return f"{int(self):016x}"

    def __repr__(self) -> str:
        return f"AgentId({self})"


def _is_hex(text: object) -> bool:
    return isinstance(text, str) and len(text) == _HEX_DIGITS and set(text) <= set("0123456789abcdefABCDEF")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


class AgentNames:
    """Turns agents' names into ids with a keyed hash, so that whoever picks a name does not pick its shard."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def id_of(self, name: str) -> int:
        """Return the 63-bit id of `name`, never zero: the same for everybody who holds the key."""
        digest = blake2b(name.encode(), digest_size=8, key=self._key).digest()
        return (int.from_bytes(digest, "big") >> 1) or 1


class _Uuid:
    """Sixteen bytes, written as a canonical UUID. Raises ValueError for anything else."""

    __slots__ = ("_bytes",)
    _bytes: bytes

    def __init__(self, raw: bytes) -> None:
        if not isinstance(raw, bytes | bytearray | memoryview):
            raise ValueError(f"a {type(self).__name__} has 16 bytes, and is no {type(raw).__name__}")  # noqa: TRY004 (one error for all)
        if len(raw) != UUID_BYTES:
            raise ValueError(f"a {type(self).__name__} has 16 bytes, not {len(raw)}")
        object.__setattr__(self, "_bytes", bytes(raw))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a UUID's text; raises ValueError on any other."""
        if not isinstance(text, str):
            raise ValueError(f"a {cls.__name__} is written as a UUID, not {shown(text)}")  # noqa: TRY004 (one error for all)
        return cls(uuid.UUID(text).bytes)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a {type(self).__name__} does not change")

    def __reduce__(self) -> tuple[type[Self], tuple[bytes]]:
        return type(self), (self._bytes,)  # a copy is made, and checked, like any other

    def __bytes__(self) -> bytes:
        return self._bytes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Uuid) and type(other) is type(self) and other._bytes == self._bytes

    def __hash__(self) -> int:
        return hash(bytes(self))

    def __str__(self) -> str:
        return str(uuid.UUID(bytes=bytes(self)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"


class MessageId(_Uuid):
    """Names one message; also what reply_with and in_reply_to carry."""

    __slots__ = ()


class ConversationId(_Uuid):
    """Names one conversation."""

    __slots__ = ()


class NodeId(_Uuid):
    """Names one machine of a cluster."""

    __slots__ = ()


class UuidSource:
    """Makes version-7 UUIDs as 16 raw bytes from a prefix and a counter: an order of magnitude below `uuid4`.

    The first half holds the milliseconds and 12 random bits; the second half is a random 62-bit start that counts up,
    so ids of one source never repeat, and two sources meet with the odds of two random 74-bit numbers.

    next: returns the next id; another function after every `renew`, so look it up again then.
    """

    __slots__ = ("_count", "_now_ms", "_version", "next")

    def __init__(self, now_ms: int) -> None:
        self._version = 0x7000 | secrets.randbits(12)
        self._count = count((0b10 << 62) | secrets.randbits(61))
        self._now_ms = -1
        self.next: Callable[[], bytes]
        self.renew(now_ms)

    def renew(self, now_ms: int) -> None:
        """Let the ids that follow carry this time (milliseconds since 1970). Call it per batch, not per id."""
        if now_ms != self._now_ms:
            self._now_ms = now_ms
            prefix = ((now_ms & 0xFFFF_FFFF_FFFF) << 16) | self._version
            # All of it in C: 0.1 us an id, where a method that adds and joins takes 0.2.
            self.next = map(_TWO_HALVES, repeat(prefix), self._count).__next__

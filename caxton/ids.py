"""Ids: who an agent, a session, a message and a conversation are. Immutable, checked when they are made.

An agent's id is a 63-bit number, a session's has the top bit set, all ones is broadcast (design: one u64 on the wire,
16 hex digits in text). Messages and conversations have UUIDs, version 7 when made here: they sort by time.
"""

import os
import secrets
import uuid
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import accumulate, chain, count, repeat
from struct import Struct
from typing import Self
from unicodedata import normalize

from caxton.errors import ParseError
from caxton.printable import shown

SESSION_BIT = 1 << 63
BROADCAST = (1 << 64) - 1
UUID_BYTES = 16
_HEX_DIGITS = 16
# Of an id of a conversation that a session made: what tells so, at its end, and what is drawn for the rest.
_SIGN_BYTES, _DRAWN_BYTES = 4, 6
_TWO_HALVES = Struct(">QQ").pack
_STEPS = Struct("<1024I")
_ODD = bytes(byte | 1 for byte in range(256))
# Draws of steps after which numbers begin anew: all steps together stay below the 61 bits that are left above a start.
_MOST_DRAWN = 1 << 18


class AgentId(int):
    """Who a message is from or for: a non-zero 64-bit number, written as 16 hex digits.

    Raises ParseError when it is no whole number, or zero, negative or beyond 64 bits.
    """

    __slots__ = ()

    def __new__(cls, value: int) -> Self:
        """Check the number; raises ParseError."""
        if (type(value) is not int and not _is_whole(value)) or not 0 < value <= BROADCAST:
            kind = "zero_id" if _is_whole(value) and not value else "invalid_format"
            raise ParseError("agent id", f"an agent id is a number from 1 to 2**64-1, not {shown(value)}", kind)
        return int.__new__(cls, value)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the 16 hex digits that `str` writes; raises ParseError on any other text, and on zero."""
        if not _is_hex(text):
            raise ParseError("agent id", f"an agent id is written as 16 hex digits, not {shown(text)}")
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
        """Return the 63-bit id of `name`, never zero: the same for everybody who holds the key.

        Of a name that is written in several ways it is that of its composed form (NFC), in which names are kept.
        """
        if not name.isascii():
            name = normalize("NFC", name)
        digest = blake2b(name.encode(), digest_size=8, key=self._key).digest()
        return (int.from_bytes(digest, "big") >> 1) or 1


class _Uuid:
    """Sixteen bytes, written as a canonical UUID. Raises ParseError for anything else."""

    __slots__ = ("_bytes",)
    _bytes: bytes

    def __init__(self, raw: bytes) -> None:
        if not isinstance(raw, bytes | bytearray | memoryview):
            raise _no_uuid(type(self), f"has 16 bytes, and is no {type(raw).__name__}")
        if len(raw) != UUID_BYTES:
            raise _no_uuid(type(self), f"has 16 bytes, not {len(raw)}")
        object.__setattr__(self, "_bytes", bytes(raw))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a UUID's text; raises ParseError on any other."""
        try:
            return cls(uuid.UUID(text).bytes)
        except (ValueError, TypeError, AttributeError):  # what is no text has no `replace`
            raise _no_uuid(cls, f"is written as a UUID, not {shown(text)}") from None

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
        return uuid_text(self._bytes)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"


def uuid_text(raw: bytes) -> str:
    """Return 16 bytes as a UUID is written, in a fifth of the time that `uuid.UUID` takes."""
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _no_uuid(kind: type[_Uuid], problem: str) -> ParseError:
    return ParseError(kind.__name__, f"a {kind.__name__} {problem}", "invalid_uuid")


class MessageId(_Uuid):
    """Names one message; also what reply_with and in_reply_to carry."""

    __slots__ = ()


class ConversationId(_Uuid):
    """Names one conversation. One that a client makes also tells, to who knows the session, that it is that one's."""

    __slots__ = ()

    @classmethod
    def of_session(cls, session: int, now_ms: int) -> Self:
        """Return a new id, of version 7, that `is_of` that session; now_ms: since 1970."""
        drawn = int.from_bytes(secrets.token_bytes(_DRAWN_BYTES), "big")
        version, variant = 0x7000 | (drawn >> 32 & 0xFFF), 0x8000_0000 | (drawn & 0x3FFF_FFFF)
        start = (now_ms & 0xFFFF_FFFF_FFFF) << 48 | version << 32 | variant
        raw = start.to_bytes(UUID_BYTES - _SIGN_BYTES, "big")
        return cls(raw + _sign(raw, session))


def is_of(conversation_id: bytes, session: int) -> bool:
    """Whether a session made this id of a conversation. No agent ever did: who names an agent may choose its id.

    The runtime gives sessions their numbers, at random; that one of them is mistaken for another takes 2**32 of them.
    """
    made_of = len(conversation_id) - _SIGN_BYTES
    return session >= SESSION_BIT and conversation_id[made_of:] == _sign(conversation_id[:made_of], session)


def _sign(start: bytes, session: int) -> bytes:
    return blake2b(start + session.to_bytes(8, "big"), digest_size=_SIGN_BYTES, person=b"conversation").digest()


class NodeId(_Uuid):
    """Names one machine of a cluster."""

    __slots__ = ()


class UuidSource:
    """Makes version-7 UUIDs as 16 raw bytes from a prefix and a counter: an order of magnitude below `uuid4`.

    The first half holds the milliseconds and 12 random bits; the second half begins at a random number of 61 bits and
    counts up: ids sort in the order they were made, those of one source never repeat, and two sources meet with the
    odds of two random 73-bit numbers. Who has seen one can tell the next: where that must not be, take a
    SecretUuidSource.

    next: returns the next id; another function after every `renew`, so look it up again then.
    """

    __slots__ = ("_now_ms", "_numbers", "_version", "next")

    def __init__(self, now_ms: int) -> None:
        self._version = 0x7000 | secrets.randbits(12)
        self._numbers = self._begin()
        self._now_ms = -1
        self.next: Callable[[], bytes]
        self.renew(now_ms)

    def renew(self, now_ms: int) -> None:
        """Let the ids that follow carry this time (milliseconds since 1970). Call it per batch, not per id."""
        if now_ms != self._now_ms:
            self._now_ms = now_ms
            prefix = ((now_ms & 0xFFFF_FFFF_FFFF) << 16) | self._version
            # All of it in C: 0.1 us an id, where a method that adds and joins takes 0.2.
            self.next = map(_TWO_HALVES, repeat(prefix), self._numbers).__next__

    def _begin(self) -> Iterator[int]:
        return count((0b10 << 62) | secrets.randbits(61))


class SecretUuidSource(UuidSource):
    """Makes ids as a UuidSource does, which grow by random steps of 32 bits: who has seen some cannot tell the next.

    For a client's requests, whose answers are known by their ids alone, because whoever is asked may hand a question
    on. What a worker sends needs none: its receivers are told by whom it was sent, and take no one's word for an id.
    """

    __slots__ = ("_drawn",)

    def renew(self, now_ms: int) -> None:
        """Let the ids that follow carry this time; also begins at another random number before they grow too large."""
        if self._drawn >= _MOST_DRAWN and now_ms != self._now_ms:
            self._numbers = self._begin()
        super().renew(now_ms)

    def _begin(self) -> Iterator[int]:
        self._drawn = 0
        steps = chain.from_iterable(iter(self._draw, None))
        return accumulate(steps, initial=(0b10 << 62) | secrets.randbits(61))

    def _draw(self) -> tuple[int, ...]:
        self._drawn += 1
        return _random_steps()


def _random_steps() -> tuple[int, ...]:
    """Return random numbers of 32 bits, odd ones, so that none is 0."""
    drawn = bytearray(os.urandom(_STEPS.size))
    drawn[::4] = drawn[::4].translate(_ODD)
    return _STEPS.unpack(drawn)

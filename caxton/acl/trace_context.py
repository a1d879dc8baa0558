"""W3C trace context, as it travels in a message: which trace it belongs to, and which span it follows from.

The specification is https://www.w3.org/TR/trace-context/, version 00 of `traceparent`. Only what somebody sampled
travels further than the message that has it.
"""

import re
from hashlib import blake2b
from typing import NamedTuple

TRACE_BYTES = 16
_SAMPLED = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f][13579bdf]")
# As others may write it: a later version may have more behind it. ff is none.
_RECEIVED = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_VERSION = "00"
_TRACE, _PARENT = slice(3, 35), slice(36, 52)
# A bit of a trace's first half, so that this is never 0.
_SOMEBODY = 1 << 64
_HALF, _MASK = 64, (1 << 64) - 1
# An odd number without a pattern: 2 ** 128 over the golden ratio. What is multiplied by it is mixed well.
_MIX = 0x9E3779B97F4A7C15F39CC0605CEDC835


class Traced(NamedTuple):
    """What a sampled context says. trace: 32 hex digits. parent: the span that it follows from, 0 for none."""

    trace: str
    parent: int


def is_sampled(context: str) -> bool:
    """Whether a text is a trace context that somebody sampled."""
    return _SAMPLED.fullmatch(context) is not None


def received(header: str) -> str | None:
    """Return what a `traceparent` of anybody says, as this version writes it; None for one that is to be ignored."""
    found = _RECEIVED.fullmatch(header.strip(" \t"))
    if found is None or (found[1] == _VERSION and found[5] is not None):
        return None
    sampled = int(found[4], 16) & 1
    return f"{_VERSION}-{found[2]}-{found[3]}-{sampled:02x}"


def read(context: str) -> Traced:
    """Return what a sampled context says."""
    trace, parent = context[_TRACE], context[_PARENT]
    return Traced(trace, 0 if trace.startswith(parent) else int(parent, 16))


def begun(trace: int) -> str:
    """Return the context of what follows from no span: its parent is the first half of its trace, which is nobody's."""
    text = f"{trace | _SOMEBODY:032x}"
    return f"00-{text}-{text[:16]}-01"


def behind(context: str, span: int) -> str:
    """Return the context of what follows from a span of the same trace."""
    return f"{context[:36]}{span:016x}-01"


def span_of(raw: bytes, tries: int = 0, whose: int = 0) -> int:
    """Return the id of the span that a message's way to an agent is, or of the turn of its n-th try there.

    Whoever knows the message knows it. whose: the agent's number; a message may go to several, one after the other.
    """
    number = (int.from_bytes(raw, "big") + tries + (whose << _HALF)) * _MIX
    return (number >> _HALF ^ number) & _MASK or 1


def trace_of(conversation: bytes) -> int:
    """Return the trace of a conversation that begins with no span: every client that speaks in it knows it."""
    return int.from_bytes(blake2b(conversation, digest_size=TRACE_BYTES, person=b"caxton trace").digest(), "big")


def draws(trace: int, ratio: float) -> bool:
    """Whether a trace is one of those that are sampled, of which so many are."""
    return (trace & _MASK) < ratio * (1 << _HALF)

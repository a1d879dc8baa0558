"""How a message that was taken and not finished stands in the file."""

import msgspec

from caxton.acl.envelope import Envelope
from caxton.store.seal import BrokenSeal

# What marks a root as one of the durable lane, so that no message of the volatile lane is charged in its place.
DURABLE_ROOT = 1 << 63
# Roots of stored messages count on from their row's number: more than there are messages in a row.
ROW_SPAN = 256


def root_of(number: int, place: int = 0) -> int:
    """Return the sequence by which a stored message is charged with deaths: its row's number, and its place in it."""
    return number * ROW_SPAN + place | DURABLE_ROOT


class Waiting(msgspec.Struct, array_like=True, gc=False):
    """One message that waits. expires_ns, expires_ms: not used any more, 0.

    attempts: turns that failed. deliveries: turns that began, or may have begun. retry_reasons: why each attempt failed
    (`caxton.delivery.retry_reason`). came_ms: when it was taken, on the served time. due_ms: when its timeout ends,
    on its agent's clock, which stands still while that agent is absent. Both -1 where neither was known yet.
    """

    message: Envelope
    expires_ns: int
    expires_ms: int
    attempts: int
    deliveries: int
    retry_reasons: tuple[str, ...] = ()
    came_ms: int = -1
    due_ms: int = -1


# One message, as it stands among others.
Encoded = msgspec.Raw
encode_waiting = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Waiting]).decode
_split = msgspec.msgpack.Decoder(list[Encoded]).decode
_decode_one = msgspec.msgpack.Decoder(Waiting).decode


def decode_waiting(messages: bytes) -> list[Waiting]:
    """Return the messages of a row, as `encode_waiting` made it of a list of them; raises BrokenSeal."""
    try:
        return _decode(messages)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenSeal(f"messages that cannot be read: {error}") from None


def split_waiting(messages: bytes) -> list[Encoded]:
    """Return the messages of a row without reading them: few of them may be asked for. Raises BrokenSeal."""
    try:
        return _split(messages)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BrokenSeal(f"messages that cannot be told apart: {error}") from None


def decode_one(message: Encoded) -> Waiting:
    """Return one message of `split_waiting`; raises BrokenSeal."""
    try:
        return _decode_one(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenSeal(f"a message that cannot be read: {error}") from None


def is_done(marks: bytes, place: int) -> bool:
    """Whether the message at this place of its row is marked as done."""
    at = place >> 3
    return at < len(marks) and bool(marks[at] >> (place & 7) & 1)


def count_done(marks: bytes) -> int:
    """How many messages are marked."""
    return int.from_bytes(marks, "little").bit_count()

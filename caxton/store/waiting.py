"""How a message that was taken and not finished stands in the file."""

import msgspec

from caxton.acl.envelope import Envelope
from caxton.store.seal import BrokenSeal


class Waiting(msgspec.Struct, array_like=True, gc=False):
    """One message that waits. expires_ns: on the monotonic clock of the boot it was written in; expires_ms: since 1970.

    attempts: turns that failed. deliveries: turns that began, or may have begun.
    """

    message: Envelope
    expires_ns: int
    expires_ms: int
    attempts: int
    deliveries: int


encode_waiting = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Waiting]).decode


def decode_waiting(messages: bytes) -> list[Waiting]:
    """Return the messages of a row, as `encode_waiting` made it of a list of them; raises BrokenSeal."""
    try:
        return _decode(messages)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenSeal(f"messages that cannot be read: {error}") from None


def is_done(marks: bytes, place: int) -> bool:
    """Whether the message at this place of its row is marked as done."""
    at = place >> 3
    return at < len(marks) and bool(marks[at] >> (place & 7) & 1)


def count_done(marks: bytes) -> int:
    """How many messages are marked."""
    return int.from_bytes(marks, "little").bit_count()

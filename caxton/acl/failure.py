"""The content of a failure message that the runtime made: an error of `caxton.errors`, and its text for people."""

from typing import Any

import msgspec

from caxton.errors import CaxtonError, InvalidMessageFormat, from_fields, to_fields

# What the runtime's word says as its protocol that a conversation has come to a limit.
END_PROTOCOL = "caxton:conversation"


class FailureReport(msgspec.Struct, frozen=True):
    """A msgpack map, so that agents can read it too."""

    error: str
    fields: dict[str, Any]
    message: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(FailureReport).decode


def report(error: CaxtonError) -> bytes:
    """Return the content that tells of `error`."""
    return _encode(FailureReport(type(error).__name__, to_fields(error), str(error)))


def read_report(content: bytes) -> CaxtonError:
    """Return the error that a failure's content tells of; raises InvalidMessageFormat."""
    try:
        found = _decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidMessageFormat("failure", str(error)) from None
    return from_fields(found.error, found.fields)

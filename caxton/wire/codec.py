"""Bytes to typed values and back, for every socket. What does not decode raises InvalidMessageFormat, and nothing else.

Every frame starts with a version byte. Decoding is always typed, so depth, kinds and ranges are checked on the way.
"""

from typing import Any, Generic, TypeVar

import msgspec

from caxton.errors import InvalidMessageFormat, ValidationError
from caxton.wire.control import MAX_CONTROL_BYTES, Control
from caxton.wire.frames import MAX_FRAME_BYTES, VERSION, DataFrame, PackedFrame
from caxton.wire.supervision import SupervisorAnswer, SupervisorCall

T = TypeVar("T")


class Codec(Generic[T]):
    """Encodes and decodes one type of frame."""

    def __init__(self, kind: Any, name: str, largest: int = MAX_FRAME_BYTES) -> None:
        self._name = name
        self._largest = largest
        self._encode_into = msgspec.msgpack.Encoder().encode_into
        self._decode = msgspec.msgpack.Decoder(kind).decode

    def encode(self, value: T) -> bytearray:
        """Return the frame, version byte first."""
        frame = bytearray(VERSION)
        self._encode_into(value, frame, 1)
        return frame

    def decode(self, frame: bytes | bytearray | memoryview) -> T:
        """Return the value; raises InvalidMessageFormat saying what is wrong with the bytes."""
        if len(frame) > self._largest:
            raise InvalidMessageFormat(self._name, f"{len(frame)} bytes, beyond {self._largest}")
        if frame[:1] != VERSION:
            raise InvalidMessageFormat(self._name, f"version {bytes(frame[:1])!r}; this one reads {VERSION!r}")
        try:
            return self._decode(memoryview(frame)[1:])  # type: ignore[no-any-return] # the decoder is typed by `kind`
        except (msgspec.DecodeError, RecursionError, ValueError, ValidationError) as error:
            raise InvalidMessageFormat(self._name, str(error) or type(error).__name__) from None


DATA: Codec[DataFrame] = Codec(DataFrame, "data frame")
PACKED: Codec[PackedFrame] = Codec(PackedFrame, "packed data frame")
CONTROL: Codec[Control] = Codec(Control, "control frame", largest=MAX_CONTROL_BYTES)
SUPERVISOR_CALL: Codec[SupervisorCall] = Codec(SupervisorCall, "supervisor call", largest=16 << 20)
SUPERVISOR_ANSWER: Codec[SupervisorAnswer] = Codec(SupervisorAnswer, "supervisor answer", largest=16 << 20)

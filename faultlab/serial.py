"""The id that a writer gives each message: it ends the content, so whoever is given the message can note it."""

import struct
from typing import NamedTuple

SERIAL_BYTES = 16
_LAYOUT = struct.Struct(">4sIQ")
_MAGIC = b"cxfl"


class Serial(NamedTuple):
    """A writer's number, and the message's among that writer's; never used twice in one laboratory."""

    writer: int
    number: int

    def encode(self) -> bytes:
        """Return the 16 bytes that travel."""
        return _LAYOUT.pack(_MAGIC, self.writer, self.number)

    @classmethod
    def ending(cls, content: bytes) -> "Serial | None":
        """Return the serial that a content ends with, None when it has none."""
        if len(content) < SERIAL_BYTES:
            return None
        magic, writer, number = _LAYOUT.unpack(content[-SERIAL_BYTES:])
        return cls(writer, number) if magic == _MAGIC else None


def relayed(through: str, content: bytes) -> bytes:
    """Return content for a relay (`faultlab/guests/relay.wat`) that passes it on to the agent `through`."""
    name = through.encode()
    return bytes([len(name)]) + name + content

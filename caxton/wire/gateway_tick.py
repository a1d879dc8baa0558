"""What the gateway tells on its standard output, each second: that its loop goes round, and which limits are near."""

from typing import Annotated

import msgspec

from caxton.delivery.levels import NearLimit

# Limits that are told because they are near, the fullest first.
MOST_NEAR = 16
# Bytes of a tick with its end: what a pipe takes at once or not at all.
MOST_BYTES = 4_096
END = b"\n"


class Tick(msgspec.Struct, frozen=True):
    """near: the gateway's limits that are near or reached, the fullest first."""

    near: Annotated[list[NearLimit], msgspec.Meta(max_length=MOST_NEAR)] = []

    def encode(self) -> bytes:
        """Return it as it is written: a line."""
        return msgspec.json.encode(self) + END

    @classmethod
    def decode(cls, line: bytes) -> "Tick | None":
        """Return what a line without its end says, None where it is no tick."""
        try:
            return msgspec.json.decode(line, type=cls)
        except msgspec.DecodeError:
            return None

"""A Python agent's state: a value of the program's own type here, msgpack in the runtime."""

from typing import Any

import msgspec

from caxton.errors import ValidationError
from caxton.printable import shown


class KeptState:
    """Reads and writes values of one type."""

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self._decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(kind)

    def of(self, state: bytes) -> Any:
        """Return what the bytes mean; a new one of none. Raises ValidationError for those of another type."""
        if not state:
            return self._kind()
        try:
            return self._decoder.decode(state)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValidationError("state", f"it is no {self._kind.__name__}: {error}") from None

    def written(self, value: Any) -> bytes:
        """Return the bytes of a value. Raises ValidationError for one of another type, or that cannot be written."""
        try:
            state = msgspec.msgpack.encode(value)
            self._decoder.decode(state)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValidationError("state", f"{shown(value)} cannot be kept as {self._kind.__name__}: {error}") from None
        return state

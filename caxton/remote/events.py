"""Server-sent events, read as they come. Pure."""

from collections.abc import Iterator

from caxton.errors import MessageTooLarge

# An event is a message at most, whose content may have 10,000,000 bytes; JSON makes them twice as many at most, where
# all are quotes.
MAX_EVENT_BYTES = 32 << 20
_END = b"\n\n"


class EventReader:
    """Takes bytes and gives events, each with its name and its data. Comments are passed over."""

    def __init__(self, most_bytes: int = MAX_EVENT_BYTES) -> None:
        self._most_bytes = most_bytes
        self._rest = bytearray()

    def take(self, raw: bytes) -> Iterator[tuple[str, bytes]]:
        """Yield the events that are whole now; raises MessageTooLarge for one that does not end."""
        begin = max(0, len(self._rest) - 1)
        self._rest += raw
        while (end := self._rest.find(_END, begin)) >= 0:
            block, self._rest = bytes(self._rest[:end]), self._rest[end + len(_END) :]
            begin = 0
            if (event := _read(block)) is not None:
                yield event
        if len(self._rest) > self._most_bytes:
            raise MessageTooLarge.of(len(self._rest), self._most_bytes, "event")


def _read(block: bytes) -> tuple[str, bytes] | None:
    name, data = "message", []
    for line in block.split(b"\n"):
        field, _, value = line.rstrip(b"\r").partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            name = value.decode(errors="replace")
        elif field == b"data":
            data.append(value)
    return (name, b"\n".join(data)) if data else None

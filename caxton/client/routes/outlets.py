"""The two ways out to one incarnation of a worker: data and control."""

from typing import Protocol


class Way(Protocol):
    """What an `Outlet` of caxton.transport does."""

    def send(self, frame: bytes | bytearray) -> bool:
        """Hand a frame over; False when there is no room."""

    def close(self, linger_ms: int = 0) -> None:
        """Disconnect."""


class Outlets:
    """Owned by the shard's route; `close` twice is fine."""

    def __init__(self, incarnation: int, data: Way, control: Way) -> None:
        self.incarnation = incarnation
        self.data = data
        self.control = control

    def close(self, linger_ms: int = 0) -> None:
        """Disconnect, giving what was handed over so many milliseconds to leave."""
        self.control.close(linger_ms)
        self.data.close(linger_ms)

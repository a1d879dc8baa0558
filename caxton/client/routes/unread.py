"""The durable messages of one store that the application has not taken yet: they hold the acknowledgement back."""

from collections import deque

from caxton.links.durable import DurableIncoming


class Unread:
    """Keeps the sequences of messages that wait in the inbox, in the order they came.

    incoming: what was taken from that store; all before the oldest unread message counts as placed.
    """

    __slots__ = ("_sequences", "incoming")

    def __init__(self, incoming: DurableIncoming) -> None:
        self.incoming = incoming
        self._sequences: deque[int] = deque()

    def keep(self, sequence: int) -> None:
        """Note that a message waits in the inbox."""
        self._sequences.append(sequence)

    def read(self) -> None:
        """Note that the application took the oldest of them."""
        self._sequences.popleft()
        self.place()

    def place(self) -> None:
        """Acknowledge all before the oldest that waits."""
        self.incoming.place_to(self._sequences[0] - 1 if self._sequences else self.incoming.taken)

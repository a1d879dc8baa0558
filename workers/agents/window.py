"""Which messages a program may be given beside those that it has."""

from collections.abc import Collection

from caxton.acl.envelope import Envelope
from caxton.acl.order import Key, Order, key_beside

# Contents that one program may have of one agent; one message more than that is given to a program that has none.
MOST_HELD_BYTES = 16 << 20


class Window:
    """Made anew for each drawing, from what the program has.

    Messages that are to be handled one after the other share a key. `concurrency` keys may be with the program, and
    `ahead` messages beside the first of each of these: behind others of their key, or first of one that comes next, so
    that a program whose handlers are quick does not wait for an exchange. What is passed over keeps its place, and so
    does all of its key.
    """

    def __init__(self, order: Order, concurrency: int, ahead: int, held: Collection[Envelope]) -> None:
        self._order = order
        self._ids = {message.message_id for message in held}
        self._held = {key_beside(order, message, self._ids) for message in held}
        self._passed: set[Key] = set()
        first = min(concurrency, len(self._held))
        self._keys = concurrency - first
        self._ahead = ahead - (len(held) - first)
        self.bytes = MOST_HELD_BYTES - sum(len(message.content) for message in held)

    @property
    def is_shut(self) -> bool:
        """True when nothing may be given."""
        return self.bytes <= 0 or (self._keys <= 0 and self._ahead <= 0)

    @property
    def is_free(self) -> bool:
        """True when a key that the program does not have is handled at once."""
        return self._keys > 0

    def admits(self, message: Envelope) -> bool:
        """Return whether the program may be given this message too; then it counts as given."""
        key = key_beside(self._order, message, self._ids)
        if key not in self._passed:
            if key not in self._held and self._keys > 0:
                self._keys -= 1
                self._held.add(key)
                return True
            if self._ahead > 0:
                self._ahead -= 1
                self._held.add(key)
                return True
            self._passed.add(key)
        return False

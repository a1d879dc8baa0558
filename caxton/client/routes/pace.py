"""How fast a client takes what it drops: whoever sends it must not have all the time of who has other clients too."""

# Of what is dropped, a second; a message weighs 1, and 1 more for each KiB of its contents. So much goes at once.
MOST_DROPPED_A_SECOND, DROPPED_AT_ONCE = 50_000, 1_000
LONGEST_REST_S = 0.1
_WEIGHT_SHIFT = 10


class Pace:
    """Told of what is dropped; says how long to rest from taking more, by any clock that goes on."""

    def __init__(self) -> None:
        self._dropped = 0
        self._due_s = 0.0

    def drop(self, size: int) -> None:
        """Note a message with contents of so many bytes."""
        self._dropped += 1 + (size >> _WEIGHT_SHIFT)

    def rest_s(self, now_s: float) -> float:
        """Return for how long nothing more is to be taken, 0 mostly."""
        due_s = max(self._due_s, now_s) + self._dropped / MOST_DROPPED_A_SECOND
        at_once_s = DROPPED_AT_ONCE / MOST_DROPPED_A_SECOND
        self._due_s, self._dropped = min(due_s, now_s + at_once_s + LONGEST_REST_S), 0
        return max(0.0, self._due_s - now_s - at_once_s)

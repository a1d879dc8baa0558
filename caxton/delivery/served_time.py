"""For how long a shard has been served: the clock that everything stored goes by, because it never steps."""

NS_PER_MS = 1_000_000
# A worker that runs looks five times a second. Beyond this it did not serve: it was stopped, or its machine was.
MOST_STEP_NS = 5_000 * NS_PER_MS


class ServedTime:
    """Owned by a shard's journal. now_ms: for how long the shard's workers have served it, over all their lives.

    It stands still while no worker serves, whether the machine sleeps or is off, and nobody can set it: what is given
    some time by it has at least that much. Monotonic times come in; what has passed goes into the file with each
    commit, so that a successor goes on from the last one.
    """

    __slots__ = ("_looked_ns", "_rest_ns", "_stored_ms", "now_ms")

    def __init__(self) -> None:
        self.now_ms = self._stored_ms = self._rest_ns = 0
        self._looked_ns: int | None = None

    def restore(self, stored_ms: int) -> None:
        """Go on from what the file says."""
        self.now_ms = self._stored_ms = stored_ms
        self._rest_ns = 0

    @property
    def not_stored_ms(self) -> int:
        """What has passed since the last `to_store`."""
        return self.now_ms - self._stored_ms

    def since_ns(self, came_ms: int) -> int:
        """Return a moment of this clock as one of the monotonic clock, as if it had never stood still."""
        return (self._looked_ns or 0) - (self.now_ms - came_ms) * NS_PER_MS

    def go_on(self, monotonic_ns: int) -> None:
        """The worker serves at this moment of its monotonic clock."""
        if self._looked_ns is not None:
            passed_ns = self._rest_ns + max(0, min(monotonic_ns - self._looked_ns, MOST_STEP_NS))
            self.now_ms += passed_ns // NS_PER_MS
            self._rest_ns = passed_ns % NS_PER_MS
        self._looked_ns = monotonic_ns

    def to_store(self) -> int:
        """Return how many milliseconds the file is to add: what has passed since the last time that this was asked."""
        more_ms = self.not_stored_ms
        self._stored_ms += more_ms
        return more_ms

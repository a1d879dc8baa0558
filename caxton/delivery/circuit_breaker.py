"""A circuit breaker: after failures in a row a destination is left alone for a while, then probed with one message."""

from enum import StrEnum

NS_PER_S = 1_000_000_000
# The longest timeout also ends the backoff.
DEFAULT_THRESHOLD = 10
DEFAULT_TIMEOUT_S, MAX_TIMEOUT_S = 60.0, 300.0


class BreakerState(StrEnum):
    """Closed lets everything through, open nothing, half-open one probe at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Of one destination. threshold: failures in a row that open it. timeout_s: how long it stays open at first.

    Times are monotonic nanoseconds and come in with each call. A probe that fails opens it again for twice as long, up
    to 300 s; up to a quarter is added as jitter, so that many breakers do not probe at once. A probe of which nothing
    is heard for that long is taken for lost, and another one goes.
    """

    __slots__ = (
        "_failures",
        "_opened_times",
        "_probe_until_ns",
        "_retry_at_ns",
        "_threshold",
        "_timeout_s",
        "_wait_ns",
    )

    def __init__(self, threshold: int = DEFAULT_THRESHOLD, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self._threshold = threshold
        self._timeout_s = timeout_s
        self._failures = 0
        self._opened_times = 0
        self._retry_at_ns = 0
        self._wait_ns = 0
        self._probe_until_ns: int | None = None  # a probe is under way; None while there is none

    def record_success(self) -> None:
        """A message got through: closed, as if nothing had been."""
        self._failures = self._opened_times = 0
        self._probe_until_ns = None

    def record_failure(self, now_ns: int, dice: float) -> None:
        """A message failed: one more in a row, or the probe. `dice` is from 0 up to 1.

        Failures while it is open are of messages that went before: they do not keep it open for longer.
        """
        is_late = self.is_open(now_ns)
        self._failures += 1
        if self._failures >= self._threshold and not is_late:
            wait_s = min(MAX_TIMEOUT_S, self._timeout_s * 2.0 ** min(self._opened_times, 16))
            self._wait_ns = int(wait_s * (1 + dice / 4) * NS_PER_S)
            self._retry_at_ns = now_ns + self._wait_ns
            self._opened_times += 1
            self._probe_until_ns = None

    def state(self, now_ns: int) -> BreakerState:
        """Return where it stands."""
        if self._failures < self._threshold:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now_ns < self._retry_at_ns else BreakerState.HALF_OPEN

    @property
    def has_opened(self) -> bool:
        """Whether it has opened since the last success."""
        return self._opened_times > 0

    def is_open(self, now_ns: int) -> bool:
        """True while nothing gets through."""
        return self.state(now_ns) is BreakerState.OPEN

    def admits(self, now_ns: int) -> bool:
        """True when a message may go now; half-open, that is the probe, and only one until it has ended."""
        state = self.state(now_ns)
        if state is not BreakerState.HALF_OPEN:
            return state is BreakerState.CLOSED
        if self._probe_until_ns is not None and now_ns < self._probe_until_ns:
            return False
        self._probe_until_ns = now_ns + self._wait_ns
        return True

    def retry_in_s(self, now_ns: int) -> float:
        """Return in how many seconds the next probe may go; 0 when it may now."""
        return max(0, self._retry_at_ns - now_ns) / NS_PER_S if self._failures >= self._threshold else 0.0

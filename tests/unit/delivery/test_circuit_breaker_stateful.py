"""A breaker in front of a destination that fails and recovers as it likes, with calls that may never end."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from caxton.delivery.circuit_breaker import BreakerState, CircuitBreaker

S = 1_000_000_000
DICE = st.floats(0, 1, exclude_max=True)


class Destination(RuleBasedStateMachine):
    """What a reader of the diary knows: failures in a row, what is under way, when which probe went."""

    @initialize(threshold=st.integers(1, 6), timeout_s=st.floats(5, 300))
    def begin(self, threshold, timeout_s):
        self.breaker = CircuitBreaker(threshold, timeout_s)
        self.threshold, self.timeout_s = threshold, timeout_s
        self.now_ns = 0
        self.under_way = 0
        self.in_a_row = 0
        self.probe_at = None  # when a probe went that has not ended

    @rule(seconds=st.floats(0.001, 400))
    def wait(self, seconds):
        self.now_ns += int(seconds * S)

    @rule()
    def wait_until_it_may_be_tried(self):
        self.now_ns += int(self.breaker.retry_in_s(self.now_ns) * S) + 1

    @rule(ends=st.booleans())
    def call(self, ends):
        before = self.breaker.state(self.now_ns)
        admitted = self.breaker.admits(self.now_ns)
        assert admitted == (before is BreakerState.CLOSED) or before is BreakerState.HALF_OPEN
        if before is BreakerState.HALF_OPEN and admitted:
            least = 0.999 * self.timeout_s * S
            assert self.probe_at is None or self.now_ns - self.probe_at >= least, "two probes at a time"
            self.probe_at = self.now_ns
        if admitted and ends:
            self.under_way += 1

    @precondition(lambda self: self.under_way)
    @rule()
    def succeed(self):
        self.under_way -= 1
        self.in_a_row, self.probe_at = 0, None
        self.breaker.record_success()
        assert self.breaker.state(self.now_ns) is BreakerState.CLOSED
        assert self.breaker.retry_in_s(self.now_ns) == 0

    @precondition(lambda self: self.under_way)
    @rule(dice=DICE)
    def fail(self, dice):
        self.under_way -= 1
        self.in_a_row += 1
        before, retry_in_s = self.breaker.state(self.now_ns), self.breaker.retry_in_s(self.now_ns)
        self.breaker.record_failure(self.now_ns, dice)
        if before is BreakerState.OPEN:
            assert self.breaker.retry_in_s(self.now_ns) == retry_in_s
            return
        self.probe_at = None
        if before is BreakerState.HALF_OPEN or self.in_a_row >= self.threshold:
            assert self.breaker.state(self.now_ns) is BreakerState.OPEN
            wait_s = self.breaker.retry_in_s(self.now_ns)
            assert 0.999 * self.timeout_s <= wait_s <= 1.25 * 300
        else:
            assert self.breaker.state(self.now_ns) is BreakerState.CLOSED

    @invariant()
    def it_is_closed_exactly_while_fewer_have_failed_in_a_row_than_it_takes(self):
        if hasattr(self, "breaker"):
            is_closed = self.breaker.state(self.now_ns) is BreakerState.CLOSED
            assert is_closed == (self.in_a_row < self.threshold)

    @invariant()
    def it_never_shuts_for_good(self):
        if hasattr(self, "breaker"):
            assert self.breaker.retry_in_s(self.now_ns) <= 1.25 * 300


class TestDestination(Destination.TestCase):
    """A destination that fails is left alone, probed by one at a time, and never given up for good."""

    settings = settings(stateful_step_count=60)

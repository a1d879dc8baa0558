"""How often a durable message is tried, and how long it waits in between: exponential backoff with jitter."""

from dataclasses import dataclass

from caxton.acl.options import DEFAULT_RETRIES, MAX_RETRIES
from caxton.errors import ConfigurationError

# A message is tried once, and again `max_retries` times.
MOST_ATTEMPTS = 1 + MAX_RETRIES
MIN_DELAY_MS, DEFAULT_DELAY_MS, MAX_DELAY_MS = 100, 1_000, 300_000
MIN_FACTOR, DEFAULT_FACTOR, MAX_FACTOR = 1.1, 2.0, 5.0


@dataclass(frozen=True)
class RetryPolicy:
    """The wait before the n-th retry is drawn from the upper half of `delay_ms` * `factor` ** (n - 1), capped.

    Half of it is jitter, so that messages which failed together are not tried together again. usual_retries:
    what 3 stands for, which is what the options of a message have where nobody says. Raises ConfigurationError for
    numbers outside their bounds.
    """

    first_delay_ms: int = DEFAULT_DELAY_MS
    factor: float = DEFAULT_FACTOR
    usual_retries: int = DEFAULT_RETRIES

    def __post_init__(self) -> None:
        if not MIN_DELAY_MS <= self.first_delay_ms <= MAX_DELAY_MS:
            raise ConfigurationError(
                "--retry-delay-ms", f"{self.first_delay_ms} ms", f"choose from {MIN_DELAY_MS} to {MAX_DELAY_MS}"
            )
        if not MIN_FACTOR <= self.factor <= MAX_FACTOR:
            raise ConfigurationError("--retry-factor", f"{self.factor:g}", f"choose from {MIN_FACTOR} to {MAX_FACTOR}")

    def attempts_of(self, max_retries: int) -> int:
        """Return how often a message is tried in all."""
        retries = self.usual_retries if max_retries == DEFAULT_RETRIES else max_retries
        return 1 + max(0, min(retries, MAX_RETRIES))

    def delay_ms(self, attempts: int, dice: float) -> int:
        """Return how long to wait after so many failed attempts; `dice` is from 0 up to 1."""
        whole_ms = min(float(MAX_DELAY_MS), self.first_delay_ms * self.factor ** min(attempts - 1, MOST_ATTEMPTS))
        return max(MIN_DELAY_MS // 2, int(whole_ms * (1 + dice) / 2))

"""How the durable lane keeps trying, and what it keeps of what came to nothing. One set for the whole runtime."""

import msgspec

from caxton.delivery.circuit_breaker import DEFAULT_THRESHOLD, DEFAULT_TIMEOUT_S, MAX_TIMEOUT_S
from caxton.delivery.retry import (
    DEFAULT_DELAY_MS,
    DEFAULT_FACTOR,
    MAX_DELAY_MS,
    MAX_FACTOR,
    MIN_DELAY_MS,
    MIN_FACTOR,
)
from caxton.errors import ConfigurationError

# By field: the least and the most that is allowed.
BOUNDS: dict[str, tuple[float, float]] = {
    "dead_letter_capacity": (10_000, 10_000_000),
    "retry_delay_ms": (MIN_DELAY_MS, MAX_DELAY_MS),
    "retry_factor": (MIN_FACTOR, MAX_FACTOR),
    "breaker_threshold": (1, 100),
    "breaker_timeout_s": (5.0, MAX_TIMEOUT_S),
}


class DeliverySettings(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """How hard a message is tried.

    dead_letter_capacity: dead letters that the runtime keeps; each shard has its even share. dead_letter_eviction: at
    capacity the oldest goes, and is counted; otherwise durable sends are refused then. retry_delay_ms, retry_factor:
    the wait before the first retry, and by how much each further one is longer. breaker_threshold, breaker_timeout_s:
    failures in a row after which a destination is left alone, and for how long. Raises ConfigurationError for a number
    outside its bounds.
    """

    dead_letter_capacity: int = 100_000
    dead_letter_eviction: bool = False
    retry_delay_ms: int = DEFAULT_DELAY_MS
    retry_factor: float = DEFAULT_FACTOR
    breaker_threshold: int = DEFAULT_THRESHOLD
    breaker_timeout_s: float = DEFAULT_TIMEOUT_S

    def __post_init__(self) -> None:
        for field, (least, most) in BOUNDS.items():
            value = getattr(self, field)
            if not least <= value <= most:
                option = f"--{field.replace('_', '-')}"
                raise ConfigurationError(option, f"{value} is out of bounds", f"choose from {least} to {most}")

    def capacity_of(self, shard: int, shards: int) -> int:
        """Return how many dead letters one of `shards` shards keeps: all of them together keep the capacity."""
        share, left = divmod(self.dead_letter_capacity, shards)
        return share + (shard < left)


DEFAULT_DELIVERY = DeliverySettings()

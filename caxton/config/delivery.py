"""How the durable lane keeps trying, and what it keeps of what came to nothing. One set for the whole runtime."""

import re

import msgspec

from caxton.acl.options import DEFAULT_RETRIES, MAX_RETRIES, MIN_RETRIES
from caxton.agents.limits import BOUNDS as OF_AGENTS
from caxton.agents.limits import DEFAULT_CAPACITY
from caxton.delivery.circuit_breaker import DEFAULT_THRESHOLD, DEFAULT_TIMEOUT_S, MAX_TIMEOUT_S
from caxton.delivery.retry import (
    DEFAULT_DELAY_MS,
    DEFAULT_FACTOR,
    MAX_DELAY_MS,
    MAX_FACTOR,
    MIN_DELAY_MS,
    MIN_FACTOR,
)
from caxton.delivery.windows import LEAST_WINDOW, MOST_WINDOW
from caxton.errors import ConfigurationError
from caxton.printable import shown

# How long durable messages wait for who cannot have them: a minute to ten years, and a week unless told otherwise.
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DEFAULT_RETENTION = "7d"
MIN_RETENTION_MS, DEFAULT_RETENTION_MS, MAX_RETENTION_MS = 60_000, 7 * _UNITS_MS["d"], 3_650 * _UNITS_MS["d"]

_RETENTION = re.compile("[0-9]{1,9}[smhd]")

# By field: the least and the most that is allowed.
BOUNDS: dict[str, tuple[float, float]] = {
    "inbound_queue_size": OF_AGENTS["mailbox_capacity"],
    "outbound_queue_size": (LEAST_WINDOW, MOST_WINDOW),
    "max_retries": (MIN_RETRIES, MAX_RETRIES),
    "dead_letter_capacity": (10_000, 10_000_000),
    "retry_delay_ms": (MIN_DELAY_MS, MAX_DELAY_MS),
    "retry_factor": (MIN_FACTOR, MAX_FACTOR),
    "breaker_threshold": (1, 100),
    "breaker_timeout_s": (5.0, MAX_TIMEOUT_S),
    "effects_on_disk_mib": (1, 16_384),
    "states_mib": (1, 16_384),
}
# Of what a shard may have on disk, one receiver may have so much, unless told otherwise.
OF_ONE_RECEIVER = 4
# Of as much as that the states of a shard's agents may come to, unless told otherwise: memory has them too.
OF_STATES = 4


class DeliverySettings(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """How hard a message is tried.

    dead_letter_capacity: dead letters that the runtime keeps; each shard has its even share. dead_letter_eviction: at
    capacity the oldest goes, and is counted; otherwise durable sends are refused then. retry_delay_ms, retry_factor:
    the wait before the first retry, and by how much each further one is longer. breaker_threshold, breaker_timeout_s:
    failures in a row after which a destination is left alone, and for how long. retention_ms: how long a message waits
    for an agent that cannot have it, while its shard is served. effects_on_disk_mib, receiver_on_disk_mib: durable
    effects beyond what memory keeps that each shard has on disk, for all receivers and for one (None: a quarter of it),
    in MiB of contents, where each message counts a KiB at least. states_mib: what the states of all agents of a shard
    may come to (None: a quarter of effects_on_disk_mib), in MiB. inbound_queue_size: what the mailbox of an agent holds
    that is deployed or attached without a number of its own, in messages. outbound_queue_size: what one client may have
    on its way to one shard. max_retries: how often a durable message is tried again whose options have the usual
    number. Raises ConfigurationError for a number outside its
    bounds.
    """

    dead_letter_capacity: int = 100_000
    dead_letter_eviction: bool = False
    retry_delay_ms: int = DEFAULT_DELAY_MS
    retry_factor: float = DEFAULT_FACTOR
    breaker_threshold: int = DEFAULT_THRESHOLD
    breaker_timeout_s: float = DEFAULT_TIMEOUT_S
    retention_ms: int = DEFAULT_RETENTION_MS
    effects_on_disk_mib: int = 1_024
    receiver_on_disk_mib: int | None = None
    states_mib: int | None = None
    inbound_queue_size: int = DEFAULT_CAPACITY
    outbound_queue_size: int = MOST_WINDOW
    max_retries: int = DEFAULT_RETRIES

    def __post_init__(self) -> None:
        for field, (least, most) in BOUNDS.items():
            value = getattr(self, field)
            if value is not None and not least <= value <= most:
                option = f"--{field.replace('_', '-')}"
                raise ConfigurationError(option, f"{value} is out of bounds", f"choose from {least} to {most}")
        if not MIN_RETENTION_MS <= self.retention_ms <= MAX_RETENTION_MS:
            problem = f"{self.retention_ms / 1_000:g} s is out of bounds"
            raise ConfigurationError("--retention", problem, "choose from 1m to 3650d")
        of_one, most = self.receiver_on_disk_mib, self.effects_on_disk_mib
        if of_one is not None and not 1 <= of_one <= most:
            raise ConfigurationError(
                "--receiver-on-disk-mib",
                f"{of_one} MiB is out of bounds",
                f"choose from 1 to {most}, which is --effects-on-disk-mib: what the whole shard has",
            )

    @property
    def of_one_on_disk_mib(self) -> int:
        """What one receiver may have on disk."""
        if self.receiver_on_disk_mib is not None:
            return self.receiver_on_disk_mib
        return max(1, self.effects_on_disk_mib // OF_ONE_RECEIVER)

    @property
    def most_states_mib(self) -> int:
        """What the states of all agents of a shard may come to."""
        return max(1, self.effects_on_disk_mib // OF_STATES) if self.states_mib is None else self.states_mib

    def capacity_of(self, shard: int, shards: int) -> int:
        """Return how many dead letters one of `shards` shards keeps: all of them together keep the capacity."""
        share, left = divmod(self.dead_letter_capacity, shards)
        return share + (shard < left)


def retention_ms(text: str) -> int:
    """Return a retention as somebody writes it, such as "36h", in milliseconds. Raises ConfigurationError."""
    if not _RETENTION.fullmatch(text):
        raise ConfigurationError("--retention", f"{shown(text)} is no time", "write it as 90m, 36h or 7d")
    return int(text[:-1]) * _UNITS_MS[text[-1]]


DEFAULT_DELIVERY = DeliverySettings()

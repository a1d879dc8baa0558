"""How a message is to be delivered. The default of `send` is decided here and nowhere else."""

from enum import IntEnum

import msgspec

from caxton.errors import Unsupported, ValidationError

MIN_TIMEOUT_MS, DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS = 1_000, 30_000, 300_000
MIN_RETRIES, DEFAULT_RETRIES, MAX_RETRIES = 1, 3, 10


class Lane(IntEnum):
    """The reliability of a message; the number travels in the frame."""

    VOLATILE = 0
    DURABLE = 1

    @classmethod
    def of(cls, reliability: str) -> "Lane":
        """Return the lane of a reliability's name; raises ValidationError, or Unsupported for the durable lane."""
        if reliability == "at_least_once":
            raise Unsupported("the durable lane (at_least_once)", "send with reliability='at_most_once'")
        if reliability != "at_most_once":
            raise ValidationError("reliability", f"{reliability!r} is not one of at_most_once, at_least_once")
        return cls.VOLATILE


DEFAULT_RELIABILITY = "at_most_once"


class Level(IntEnum):
    """The priority of a message; a higher level is dispatched first."""

    LOW = 1
    NORMAL = 5
    HIGH = 8
    CRITICAL = 10


LEVELS = tuple(Level)


def _within(field: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ValidationError(field, f"{value!r} is not a whole number from {least} to {most}")


class DeliveryOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Reliability, priority, how long the message is worth delivering (ms), retries, and whether a receipt is wanted.

    The volatile lane makes one attempt: max_retries is for the durable one. Raises ValidationError for a value out of
    bounds, Unsupported for the durable lane and for a receipt.
    """

    reliability: str = DEFAULT_RELIABILITY
    priority: Level = Level.NORMAL
    timeout_ms: int = DEFAULT_TIMEOUT_MS
    max_retries: int = DEFAULT_RETRIES
    receipt: bool = False

    def __post_init__(self) -> None:
        Lane.of(self.reliability)
        if self.priority not in LEVELS:
            raise ValidationError(
                "priority", f"{self.priority!r} is not one of {', '.join(str(int(p)) for p in Level)}"
            )
        if type(self.receipt) is not bool:
            raise ValidationError("receipt", f"{self.receipt!r:.80} is not True or False")
        if self.receipt:
            raise Unsupported("a receipt", "`send` returns when the message is placed; `request` when it is handled")
        _within("timeout_ms", self.timeout_ms, MIN_TIMEOUT_MS, MAX_TIMEOUT_MS)
        _within("max_retries", self.max_retries, MIN_RETRIES, MAX_RETRIES)


DEFAULT_OPTIONS = DeliveryOptions()

"""How a message is to be delivered. What each call does by default is decided here and nowhere else."""

from datetime import datetime
from enum import IntEnum

import msgspec

from caxton.acl.conversation_limits import ConversationLimits
from caxton.acl.envelope import MAX_HOPS, MAX_WORK
from caxton.errors import ValidationError
from caxton.printable import shown

MIN_TIMEOUT_MS, DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS = 1_000, 30_000, 300_000
MIN_RETRIES, DEFAULT_RETRIES, MAX_RETRIES = 1, 3, 10
# Of an idempotency key, in characters.
MAX_KEY = 255


class Lane(IntEnum):
    """The reliability of a message; the number travels in the frame."""

    VOLATILE = 0
    DURABLE = 1

    @property
    def reliability(self) -> str:
        """The lane's name in `DeliveryOptions`."""
        return _RELIABILITIES[self]

    @classmethod
    def of(cls, reliability: str) -> "Lane":
        """Return the lane of a reliability's name; raises ValidationError."""
        if reliability not in _RELIABILITIES:
            raise ValidationError("reliability", f"{shown(reliability)} is not one of {', '.join(_RELIABILITIES)}")
        return cls(_RELIABILITIES.index(reliability))


_RELIABILITIES = ("at_most_once", "at_least_once")
# Whoever sends and asks for nothing back wants the message to be safe; whoever waits for an answer will ask again.
DEFAULT_LANE_OF_SEND = Lane.DURABLE
DEFAULT_LANE_OF_REQUEST = Lane.VOLATILE


class Level(IntEnum):
    """The priority of a message; a higher level is dispatched first."""

    LOW = 1
    NORMAL = 5
    HIGH = 8
    CRITICAL = 10


LEVELS = tuple(Level)


def _within(field: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ValidationError(field, f"{shown(value)} is not a whole number from {least} to {most}")


def _check_key(key: object, reliability: str | None) -> None:
    if not isinstance(key, str) or not 1 <= len(key) <= MAX_KEY:
        raise ValidationError("idempotency_key", f"{shown(key)} is not text of 1 to {MAX_KEY} characters")
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise ValidationError("idempotency_key", f"{shown(key)} has characters that UTF-8 cannot carry") from error
    if reliability is not None and Lane.of(reliability) is not Lane.DURABLE:
        raise ValidationError("idempotency_key", "only the durable lane keeps keys; send it with 'at_least_once'")


def _moment_ms(moment: object) -> int:
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        moment = int(moment.timestamp() * 1_000)
    if type(moment) is not int or not 0 < moment < 1 << 63:
        problem = f"{shown(moment)} is not a moment: a datetime with its zone, or milliseconds since 1970"
        raise ValidationError("expires_at", problem)
    return moment


class DeliveryOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a message is to be delivered. Raises ValidationError for a value out of bounds.

    reliability: "at_least_once" is the durable lane: what is acknowledged survives crashes and power cuts.
    "at_most_once" is the volatile lane: faster, and what a crash loses is counted. None leaves it to the call: `send`
    is durable, `request` is volatile. timeout_ms: how long the message is worth delivering, from 1,000 to 300,000.
    On the durable lane the time does not count in which its agent is paused or has failed, or no program runs it.
    max_retries: how often the durable lane tries again when the agent fails, from 1 to 10; 3 is as often as is usual in
    the runtime, which may say another number (`serve --max-retries`). The volatile lane makes one attempt. Each retry
    has the whole timeout again. priority: a `Level` or its number.
    receipt: the sender is sent a message, once, when its message was handled; see `Message.is_confirmation`. A request
    has its answer instead.
    idempotency_key: whoever sends the same key to the same agent again within 10 minutes causes one delivery; 1 to
    255 characters, on the durable lane, which an undecided message then takes.
    expires_at: a moment, as a datetime with its zone or in milliseconds since 1970, by the wall clock: from then on the
    message is not worth delivering, whoever was away meanwhile. One that is over already is refused (MessageExpired).
    max_hops: how many hops from agent to agent may follow from it, from 1 to 100,000; None is 1,000. max_work: how many
    messages may, each KiB of their contents counted as one more, on each shard, from 1 to 100,000,000; None is
    1,000,000. What is beyond is refused: the agent that sends it gets a failure.
    conversation: limits of the conversation that the message opens; see `ConversationLimits`.
    """

    reliability: str | None = None
    priority: Level = Level.NORMAL
    timeout_ms: int = DEFAULT_TIMEOUT_MS
    max_retries: int = DEFAULT_RETRIES
    receipt: bool = False
    idempotency_key: str | None = None
    max_hops: int | None = None
    max_work: int | None = None
    expires_at: datetime | int | None = None
    conversation: ConversationLimits | None = None

    def __post_init__(self) -> None:
        if self.reliability is not None:
            Lane.of(self.reliability)
        if type(self.priority) not in {int, Level} or self.priority not in LEVELS:
            levels = ", ".join(f"{level.value} ({level.name})" for level in Level)
            raise ValidationError("priority", f"{shown(self.priority)} is no Level; there are {levels}")
        if type(self.receipt) is not bool:
            raise ValidationError("receipt", f"{shown(self.receipt)} is not True or False")
        _within("timeout_ms", self.timeout_ms, MIN_TIMEOUT_MS, MAX_TIMEOUT_MS)
        _within("max_retries", self.max_retries, MIN_RETRIES, MAX_RETRIES)
        if self.expires_at is not None:
            msgspec.structs.force_setattr(self, "expires_at", _moment_ms(self.expires_at))
        for field, value, most in (("max_hops", self.max_hops, MAX_HOPS), ("max_work", self.max_work, MAX_WORK)):
            if value is not None:
                _within(field, value, 1, most)
        if self.conversation is not None and not isinstance(self.conversation, ConversationLimits):
            raise ValidationError("conversation", f"{shown(self.conversation)} is not a ConversationLimits")
        if self.idempotency_key is not None:
            _check_key(self.idempotency_key, self.reliability)


DEFAULT_OPTIONS = DeliveryOptions()


def with_key(options: DeliveryOptions, idempotency_key: str | None) -> DeliveryOptions:
    """Return the options with this idempotency key, or as they are for None. Raises ValidationError."""
    if idempotency_key is None:
        return options
    if not isinstance(options, DeliveryOptions):
        raise ValidationError("options", f"{shown(options)} is not a DeliveryOptions")
    return msgspec.structs.replace(options, idempotency_key=idempotency_key)

"""What a caller gave, asked for or has set up, and that does not fit."""

from dataclasses import dataclass
from typing import Self

from caxton.errors.root import CaxtonError

# Of several mistakes, those that an error tells in its own words.
_FEW = 3


@dataclass(eq=False)
class ValidationError(CaxtonError):
    """A value outside its bounds."""

    field: str
    problem: str
    says = "{field}: {problem}"


@dataclass(eq=False)
class ParseError(ValidationError, ValueError):
    """What is no id. kind: "invalid_format", "zero_id" or "invalid_uuid". Python's own ValueError too."""

    kind: str = "invalid_format"
    says = "{problem}"


@dataclass(eq=False)
class InvalidMessageFormat(ValidationError):
    """Bytes that do not decode to what they should be, or a message that breaks the rules of its kind."""


@dataclass(eq=False)
class SerializationError(InvalidMessageFormat):
    """A value that cannot be encoded as a content, or a content that is no such value."""


@dataclass(eq=False)
class MessageTooLarge(ValidationError):
    """Content beyond what the receiver takes; sizes in bytes."""

    size: int = 0
    limit: int = 0
    says = "{field}: {size} bytes, and the limit is {limit}"

    @classmethod
    def of(cls, size: int, limit: int, field: str = "content") -> Self:
        """Build the error for `size` bytes where `limit` are allowed."""
        return cls(field, "too large", size, limit)


@dataclass(eq=False)
class DeadLetterNotFound(ValidationError):
    """No dead letter has this number: it was sent again or forgotten, or there never was one."""


@dataclass(eq=False)
class UnknownProtocol(ValidationError):
    """The protocol's name begins as FIPA's or the runtime's do, and is none that anybody may use: `caxton:receipt`."""


@dataclass(eq=False)
class MessageNotFound(ValidationError):
    """No shard keeps a message with this id: it was handled, or there never was one."""


@dataclass(eq=False)
class IdempotencyKeyReused(ValidationError):
    """The key is known with other content: nothing was done."""

    agent: str = ""
    hint = "send it with a key of its own"

    @classmethod
    def of(cls, agent: str) -> Self:
        """Build the error for a key that was used for another message to this agent."""
        return cls("idempotency_key", f"agent {agent} was sent other content with it before", agent)


@dataclass(eq=False)
class ConfigurationError(CaxtonError):
    """An option, a directory or a file that does not fit; `remedy` says what to do."""

    what: str
    problem: str
    remedy: str
    says = "{what}: {problem}; {remedy}"


@dataclass(eq=False)
class InvalidManifest(ConfigurationError):
    """A manifest file that cannot be meant. mistakes: all that is wrong, each with its file, its line and its key."""

    mistakes: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = "; ".join(self.mistakes[:_FEW])
        more = f"; and {len(self.mistakes) - _FEW} more" if len(self.mistakes) > _FEW else ""
        return f"{self.what}: {self.problem}: {shown}{more}; {self.remedy}"


@dataclass(eq=False)
class Unsupported(CaxtonError):
    """Asked for what this version does not have."""

    feature: str
    instead: str
    says = "{feature} is not in this version; {instead}"

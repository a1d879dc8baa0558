"""What a deployment says of an agent."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import msgspec

from caxton.acl.capability import check_capability
from caxton.agents.limits import DEFAULT_LIMITS, Limits
from caxton.agents.names import MAX_NAME, check_text, normal_label, normal_name
from caxton.errors import Unsupported, ValidationError
from caxton.printable import shown

MAX_CAPABILITIES = 64
SHA256_BYTES = 32
# Of an agent among others with its capability.
MAX_WEIGHT, DEFAULT_WEIGHT = 100, 1


class Encoding(StrEnum):
    """How messages reach the guest: `content` (bytes in, bytes out) or `msgpack` (the whole message).

    `attached` is no guest: a client runs the turns in its own process, outside any sandbox.
    """

    CONTENT = "content"
    MSGPACK = "msgpack"
    ATTACHED = "attached"

    @classmethod
    def parse(cls, text: str) -> "Encoding":
        """Read an encoding's name; raises Unsupported for `json`, ValidationError for what there is not."""
        if text == "json":
            raise Unsupported("the encoding json", "deploy with encoding='msgpack'")
        try:
            encoding = cls(text)
        except ValueError:
            raise ValidationError("encoding", f"{shown(text)} is not one of content, msgpack") from None
        if encoding is cls.ATTACHED:
            raise ValidationError("encoding", "'attached' is not for modules; attach a handler with `client.attach`")
        return encoding


class Health(StrEnum):
    """An operator's word on whether an agent is a candidate for messages to its capabilities.

    auto: while it runs, and whoever runs its turns is there. healthy: as long as it takes messages at all. unhealthy:
    never.
    """

    AUTO = "auto"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"

    @classmethod
    def parse(cls, text: object) -> "Health":
        """Return the health of this name; raises ValidationError."""
        try:
            return cls(text)  # type: ignore[arg-type] # whatever is no name of one is refused
        except ValueError:
            raise ValidationError("health", f"{shown(text)} is not one of {', '.join(cls)}") from None


class Manifest(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One agent as it is registered and stored. Raises ValidationError, also when decoded.

    escalate_to: the name of an agent that is sent what this one failed on as often as it may. weight: its share of what
    is sent to a capability by weight. health: an operator's word. version: what people call what it runs. system: the
    name of the system of agents that it belongs to; "" for none.
    """

    name: str
    module: Annotated[bytes, msgspec.Meta(min_length=SHA256_BYTES, max_length=SHA256_BYTES)]
    encoding: Encoding = Encoding.CONTENT
    capabilities: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_CAPABILITIES)] = ()
    limits: Limits = DEFAULT_LIMITS
    escalate_to: str | None = None
    weight: Annotated[int, msgspec.Meta(ge=1, le=MAX_WEIGHT)] = DEFAULT_WEIGHT
    health: Health = Health.AUTO
    version: str = ""
    system: str = ""

    def __post_init__(self) -> None:
        check_text("name", self.name, MAX_NAME)
        if len(self.module) != SHA256_BYTES:
            raise ValidationError("module", f"{len(self.module)} bytes where a SHA-256 has {SHA256_BYTES}")
        for field, kind in (("encoding", Encoding), ("capabilities", tuple), ("limits", Limits), ("health", Health)):
            value = getattr(self, field)
            if not isinstance(value, kind):
                raise ValidationError(field, f"{shown(value)} is not a {kind.__name__}")
        capabilities_of(self.capabilities)
        if type(self.weight) is not int or not 1 <= self.weight <= MAX_WEIGHT:
            raise ValidationError("weight", f"{shown(self.weight)} is not a whole number from 1 to {MAX_WEIGHT}")
        for field in ("version", "system"):
            label = getattr(self, field)
            if normal_label(field, label) != label:
                raise ValidationError(field, f"{shown(label)} is not in Unicode's composed form")
        if self.escalate_to is not None:
            if normal_name("escalate_to", self.escalate_to) != self.escalate_to:
                raise ValidationError("escalate_to", f"{shown(self.escalate_to)} is not in Unicode's composed form")
            if self.escalate_to == self.name:
                raise ValidationError("escalate_to", "an agent does not escalate to itself; name another one")


def capabilities_of(given: object) -> tuple[str, ...]:
    """Return capabilities as a manifest has them, from any iterable but a text, which would be one for each letter.

    Raises ValidationError.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ValidationError("capabilities", f"{shown(given)} is not a list of texts")
    capabilities = tuple(given)
    if len(capabilities) > MAX_CAPABILITIES:
        raise ValidationError("capabilities", f"{len(capabilities)} of them; at most {MAX_CAPABILITIES}")
    for capability in capabilities:
        check_capability(capability)
    return capabilities

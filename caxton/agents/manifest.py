"""What a deployment says of an agent."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import msgspec

from caxton.agents.limits import DEFAULT_LIMITS, Limits
from caxton.errors import Unsupported, ValidationError
from caxton.printable import shown

MAX_NAME = 200
MAX_CAPABILITY = 100
MAX_CAPABILITIES = 64
SHA256_BYTES = 32


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


class Manifest(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One agent as it is registered and stored. Raises ValidationError, also when decoded."""

    name: str
    module: Annotated[bytes, msgspec.Meta(min_length=SHA256_BYTES, max_length=SHA256_BYTES)]
    encoding: Encoding = Encoding.CONTENT
    capabilities: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_CAPABILITIES)] = ()
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        check_text("name", self.name, MAX_NAME)
        if len(self.module) != SHA256_BYTES:
            raise ValidationError("module", f"{len(self.module)} bytes where a SHA-256 has {SHA256_BYTES}")
        for field, kind in (("encoding", Encoding), ("capabilities", tuple), ("limits", Limits)):
            value = getattr(self, field)
            if not isinstance(value, kind):
                raise ValidationError(field, f"{shown(value)} is not a {kind.__name__}")
        capabilities_of(self.capabilities)


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
        check_text("capability", capability, MAX_CAPABILITY)
    return capabilities


def check_text(field: str, text: object, most: int) -> None:
    """Raise ValidationError unless `text` is a str of 1 to `most` printable characters that UTF-8 can carry."""
    if not isinstance(text, str) or not 1 <= len(text) <= most:
        raise ValidationError(field, f"{shown(text)} is not text of 1 to {most} characters")
    if not text.isprintable():
        raise ValidationError(field, f"{shown(text)} has characters that do not print")

"""A token as it is kept: all about it, but for the token itself, of which a digest is kept."""

import hashlib
import re
import unicodedata
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import Annotated

import msgspec

from caxton.agents.names import MAX_NAME, check_text, normal_label
from caxton.errors import ValidationError
from caxton.printable import shown
from caxton.tokens.role import Role

PREFIX = "cx_"
SECRET_BYTES = 32
# In base64, without what fills it up.
_SECRET_CHARACTERS = 43
_FORM = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{{_SECRET_CHARACTERS}}}", re.ASCII)
ID_BYTES = 8
MOST_PATTERNS = 16
EVERY_AGENT = ("*",)

TokenId = Annotated[str, msgspec.Meta(min_length=2 * ID_BYTES, max_length=2 * ID_BYTES)]
Moment = Annotated[int, msgspec.Meta(ge=0, le=(1 << 62))]
Pattern = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
Patterns = Annotated[tuple[Pattern, ...], msgspec.Meta(min_length=1, max_length=MOST_PATTERNS)]
Sha256 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class Token(msgspec.Struct, array_like=True, frozen=True):
    """One token. Times in ms since 1970; expires_at: None for one that does not expire, revoked_at: None unless it was.

    agents: patterns of the names of the agents that it is for; `*` stands for any text. digest: SHA-256 of the token.
    """

    token_id: TokenId
    name: str
    role: Role
    agents: Patterns
    digest: Sha256
    created_at: Moment
    expires_at: Moment | None = None
    revoked_at: Moment | None = None

    def is_over(self, now_ms: int) -> bool:
        """Tell whether it was revoked or has expired, and so lets nobody in for ever."""
        return self.revoked_at is not None or self.has_expired(now_ms)

    def has_expired(self, now_ms: int) -> bool:
        """Tell whether its time has come; it is over from `expires_at` on."""
        return self.expires_at is not None and now_ms >= self.expires_at


def token_text(secret: bytes) -> str:
    """Return the token that is made from 32 random bytes, as its holder sends it."""
    return PREFIX + urlsafe_b64encode(secret).decode("ascii").rstrip("=")


def digest_of(text: str) -> bytes | None:
    """Return what is kept of a token; None for text that is not of a token's form. There is one text for each token."""
    if len(text) > len(PREFIX) + _SECRET_CHARACTERS or _FORM.fullmatch(text) is None:
        return None
    return hashlib.sha256(text.encode("ascii")).digest()


def is_token_id(token_id: object) -> bool:
    """Tell whether this may be the id of a token: 16 hex digits."""
    return isinstance(token_id, str) and re.fullmatch(rf"[0-9a-f]{{{2 * ID_BYTES}}}", token_id) is not None


def checked_token_name(name: object) -> str:
    """Return a token's name, in Unicode's composed form; raises ValidationError as `normal_label`, and for none."""
    label = normal_label("name", name)
    if not label:
        raise ValidationError("name", "a token needs one, by which people know it")
    return label


def checked_role(role: object) -> Role:
    """Return the role of this name. Raises ValidationError."""
    if not isinstance(role, str) or role not in {*Role}:
        raise ValidationError("role", f"{shown(role)} is not one of {', '.join(Role)}")
    return Role(role)


def checked_patterns(agents: object) -> tuple[str, ...]:
    """Return patterns of agents' names in Unicode's composed form; none given stand for every agent.

    Raises ValidationError unless they are at most 16, each 1 to 200 printable characters.
    """
    if isinstance(agents, str) or not isinstance(agents, Sequence):
        raise ValidationError("agents", f"{shown(agents)} is no list of patterns")
    if len(agents) > MOST_PATTERNS:
        raise ValidationError("agents", f"{len(agents)} patterns, and the limit is {MOST_PATTERNS}")
    checked = [check_text("agents", pattern, MAX_NAME) for pattern in agents]
    normal = [check_text("agents", unicodedata.normalize("NFC", pattern), MAX_NAME) for pattern in checked]
    return tuple(dict.fromkeys(normal)) or EVERY_AGENT


def checked_expiry(expires_at: object, now_ms: int) -> int | None:
    """Return when a token is to expire, in ms since 1970, None for never. Raises ValidationError for what is past."""
    if expires_at is None:
        return None
    if not isinstance(expires_at, int) or isinstance(expires_at, bool) or not now_ms < expires_at <= 1 << 62:
        raise ValidationError("expires_at", f"{shown(expires_at)} is no time to come, in ms since 1970")
    return expires_at

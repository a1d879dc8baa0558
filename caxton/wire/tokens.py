"""What the runtime's owner asks of its tokens, and what is told of them: never a token itself, but once."""

from typing import Annotated

import msgspec

from caxton.tokens.role import Role
from caxton.tokens.token import Moment, Patterns, TokenId
from caxton.wire.calls import Name

# Told in one answer: with all patterns that each may have they take 7 MB.
MOST_TOLD = 500


class CreateToken(msgspec.Struct, array_like=True, tag=13, frozen=True):
    """Make a token. Answered with NewToken, or ResourceExhausted."""

    name: Name
    role: Role
    agents: Patterns
    expires_at: Moment | None = None


class ListTokens(msgspec.Struct, array_like=True, tag=14, frozen=True):
    """Ask for tokens in the order of their ids. after: the last one that is known; "" is before all."""

    after: Annotated[str, msgspec.Meta(max_length=32)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_TOLD)] = MOST_TOLD


class RevokeToken(msgspec.Struct, array_like=True, tag=15, frozen=True):
    """Let nobody in with this token any more. Answered with its view, or TokenNotFound."""

    token_id: TokenId


class TokenView(msgspec.Struct, array_like=True, tag=16, frozen=True):
    """What is known of a token. Times in ms since 1970.

    role: "viewer", "sender", "operator" or "admin". agents: patterns of the names of the agents that it is for, where
    `*` stands for any text. expires_at: None for one that does not expire. revoked_at: None unless it was revoked.
    """

    token_id: str
    name: str
    role: str
    agents: tuple[str, ...]
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None


class NewToken(msgspec.Struct, array_like=True, tag=17, frozen=True):
    """A token that was just made: `token` is what its holder sends, and nobody can tell it a second time.

    about: what `tokens` tells of it from now on.
    """

    token: str
    about: TokenView

    def __repr__(self) -> str:
        return f"NewToken(token='cx_…', about={self.about!r})"


class Tokens(msgspec.Struct, array_like=True, tag=18, frozen=True):
    """Some tokens; more: whether there are others after them."""

    tokens: list[TokenView]
    more: bool

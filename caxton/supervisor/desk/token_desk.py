"""Makes tokens, tells of them and revokes them: one change of their file after the other."""

import asyncio
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from caxton.errors import ResourceExhausted, TokenNotFound
from caxton.store.token_file import MOST_FILE_BYTES, encoded_size, read_tokens, write_tokens
from caxton.tokens.token import (
    ID_BYTES,
    SECRET_BYTES,
    Token,
    checked_expiry,
    checked_patterns,
    checked_token_name,
    digest_of,
    token_text,
)
from caxton.wire.tokens import CreateToken, ListTokens, NewToken, RevokeToken, Tokens, TokenView

MOST_TOKENS = 10_000


class TokenDesk:
    """Owns the file; who holds a token is asked nowhere but there, so it keeps nothing in memory.

    now_ms: since 1970.
    """

    def __init__(self, path: Path, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._path = path
        self._now_ms = now_ms
        self._changing = asyncio.Lock()

    async def answer(self, request: CreateToken | ListTokens | RevokeToken) -> NewToken | Tokens | TokenView:
        """Do what is asked. A token is made, or revoked, when that is on the disk.

        Raises ValidationError, TokenNotFound, ResourceExhausted, StorageError, and ConfigurationError for the file of a
        later version.
        """
        async with self._changing:
            match request:
                case CreateToken():
                    return await asyncio.to_thread(self._create, request)
                case ListTokens():
                    return await asyncio.to_thread(self._list, request)
                case RevokeToken():
                    return await asyncio.to_thread(self._revoke, request)

    def _create(self, request: CreateToken) -> NewToken:
        now_ms = self._now_ms()
        text = token_text(secrets.token_bytes(SECRET_BYTES))
        token = Token(
            token_id=secrets.token_hex(ID_BYTES),
            name=checked_token_name(request.name),
            role=request.role,
            agents=checked_patterns(request.agents),
            digest=digest_of(text) or b"",
            created_at=now_ms,
            expires_at=checked_expiry(request.expires_at, now_ms),
        )
        write_tokens(self._path, with_room((*read_tokens(self._path).tokens, token), now_ms))
        return NewToken(text, _view(token))

    def _list(self, request: ListTokens) -> Tokens:
        after = (token for token in read_tokens(self._path).tokens if token.token_id > request.after)
        found = sorted(after, key=lambda token: token.token_id)
        return Tokens([_view(token) for token in found[: request.limit]], len(found) > request.limit)

    def _revoke(self, request: RevokeToken) -> TokenView:
        tokens = read_tokens(self._path).tokens
        found = next((token for token in tokens if token.token_id == request.token_id), None)
        if found is None:
            raise TokenNotFound("token_id", f"no token has the id {request.token_id!r}; `caxton token list` shows all")
        if found.revoked_at is None:
            before, found = found, msgspec.structs.replace(found, revoked_at=self._now_ms())
            write_tokens(self._path, tuple(found if token is before else token for token in tokens))
        return _view(found)


def with_room(tokens: tuple[Token, ...], now_ms: int) -> tuple[Token, ...]:
    """Return these tokens if they fit, else those that are not over. Raises ResourceExhausted when these do not."""
    if _fits(tokens):
        return tokens
    left = tuple(token for token in tokens if not token.is_over(now_ms))
    if len(left) > MOST_TOKENS:
        raise ResourceExhausted("access tokens", MOST_TOKENS)
    if not _fits(left):
        raise ResourceExhausted("bytes of access tokens", MOST_FILE_BYTES)
    return left


def _fits(tokens: tuple[Token, ...]) -> bool:
    return len(tokens) <= MOST_TOKENS and encoded_size(tokens) <= MOST_FILE_BYTES


def _view(token: Token) -> TokenView:
    return TokenView(
        token.token_id,
        token.name,
        token.role.value,
        token.agents,
        token.created_at,
        token.expires_at,
        token.revoked_at,
    )

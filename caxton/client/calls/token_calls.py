"""Tokens with which others come in by the gateway: who may have which is for the runtime's owner to say."""

from collections.abc import Iterable
from datetime import datetime

from caxton.client.calls.arguments import listed, since_1970_ms
from caxton.client.connection import Connection
from caxton.errors import TokenNotFound
from caxton.printable import shown
from caxton.tokens.token import checked_patterns, checked_role, checked_token_name, is_token_id
from caxton.wire.tokens import CreateToken, ListTokens, NewToken, RevokeToken, Tokens, TokenView


class TokenCalls(Connection):
    """Makes, lists and revokes tokens. A session that acts for a principal is refused with SecurityError."""

    async def create_token(
        self, name: str, role: str, *, agents: Iterable[str] = (), expires_at: datetime | int | None = None
    ) -> NewToken:
        """Make a token, which is told this once and kept nowhere: the runtime keeps a digest of it.

        name: for people, at most 100 printable characters; others may have it, too. role: "viewer" looks, "sender" also
        sends and requests, "operator" also pauses, resumes, drains, stops, requeues, purges and restarts, "admin" also
        deploys, removes, and makes and revokes tokens. agents: at most 16 patterns of the names of the agents that it
        is for, in which `*` stands for any text; none stand for all. expires_at: a moment to come, as a datetime or in
        ms since 1970; without, it never expires.

        Raises ValidationError; ResourceExhausted when there are 10,000 tokens that are not over, StorageError when it
        cannot be kept; SecurityError, NetworkError, Timeout.
        """
        patterns = checked_patterns(listed(agents, str, "agents"))
        until = None if expires_at is None else since_1970_ms("expires_at", expires_at)
        asked = CreateToken(checked_token_name(name), checked_role(role), patterns, until)
        return await self._ask(asked, NewToken)

    async def tokens(self) -> list[TokenView]:
        """Return what is known of all tokens, also of those that are over, the oldest first.

        What is over is forgotten when there is no room for another one. Raises StorageError, SecurityError,
        NetworkError, Timeout.
        """
        found: list[TokenView] = []
        after, more = "", True
        while more:
            page = await self._ask(ListTokens(after), Tokens)
            found += page.tokens
            more = page.more and bool(page.tokens) and page.tokens[-1].token_id > after
            after = page.tokens[-1].token_id if page.tokens else after
        return sorted(found, key=lambda token: token.created_at)

    async def revoke_token(self, token_id: str) -> TokenView:
        """Let nobody in with a token any more, from now on; returns what is known of it. Twice is as good as once.

        token_id: as `tokens` tells it. Raises TokenNotFound, StorageError, SecurityError, NetworkError, Timeout.
        """
        if not is_token_id(token_id):
            raise TokenNotFound("token_id", f"{shown(token_id)} is no id of a token, which has 16 hex digits")
        return await self._ask(RevokeToken(token_id), TokenView)

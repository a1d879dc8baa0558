"""`caxton.client.calls.token_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from collections.abc import Iterable
from datetime import datetime

from caxton.sync.connection import Connection
from caxton.wire.tokens import NewToken, TokenView


class TokenCalls(Connection):
    """Makes, lists and revokes tokens. A session that acts for a principal is refused with SecurityError."""

    def create_token(
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
        return self._run(self._client.create_token(name, role, agents=agents, expires_at=expires_at))

    def tokens(self) -> list[TokenView]:
        """Return what is known of all tokens, also of those that are over, the oldest first.

        What is over is forgotten when there is no room for another one. Raises StorageError, SecurityError,
        NetworkError, Timeout.
        """
        return self._run(self._client.tokens())

    def revoke_token(self, token_id: str) -> TokenView:
        """Let nobody in with a token any more, from now on; returns what is known of it. Twice is as good as once.

        token_id: as `tokens` tells it. Raises TokenNotFound, StorageError, SecurityError, NetworkError, Timeout.
        """
        return self._run(self._client.revoke_token(token_id))

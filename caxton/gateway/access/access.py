"""Who may come in: tokens are compared with those that the runtime keeps, as they are at this moment."""

import hmac
import logging
import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path

from caxton.errors import ConfigurationError, StorageError, TokenMissing, TokenRefused
from caxton.gateway.access.grant import Grant
from caxton.store.token_file import FileMark, mark_of, read_tokens
from caxton.tokens.token import Token, digest_of

log = logging.getLogger("caxton.gateway")

# A file that could not be read is not read again before so long.
_AGAIN_MS = 1_000
# What is compared with the digest of a token that nobody has: who is refused waits as long, for whatever reason.
_NOBODYS = bytes(32)


class Refusal(StrEnum):
    """Why a token lets nobody in: for logs and the audit, never for who sent it."""

    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Access:
    """Compares tokens with those in the file of a data directory, which is read anew whenever it was replaced.

    path: of that file, `caxton.store.token_file.FILE_NAME` in the data directory; it need not be there. now_ms: since
    1970.
    """

    def __init__(self, path: Path, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._path = path
        self._now_ms = now_ms
        self._mark: FileMark | None = None
        # Why the file could not be read last, which one it was, and when.
        self._error: StorageError | ConfigurationError | None = None
        self._unread_mark: FileMark | None = None
        self._tried_ms = 0
        self._by_digest: dict[bytes, Token] = {}
        self._by_id: dict[str, Token] = {}

    def authenticate(self, bearer: str | None) -> Grant:
        """Return what a token lets its holder do; bearer: what follows `Bearer ` in the header, None without a header.

        Raises TokenMissing; TokenRefused, of which `why` is a Refusal; StorageError when the file cannot be read,
        ConfigurationError when a later version wrote it.
        """
        if not bearer:
            raise TokenMissing
        digest = digest_of(bearer)
        if digest is None:
            raise refused(Refusal.MALFORMED)
        self._look()
        token = self._by_digest.get(digest)
        same = hmac.compare_digest(digest, _NOBODYS if token is None else token.digest)
        if token is None or not same:
            raise refused(Refusal.UNKNOWN)
        self._check_token(token)
        return Grant(token)

    def granted(self, token_id: str) -> Grant:
        """Return what the token of this id lets its holder do, who has shown it before. Raises as `check` does."""
        self._look()
        token = self._by_id.get(token_id)
        if token is None:
            raise refused(Refusal.UNKNOWN, token_id)
        self._check_token(token)
        return Grant(token)

    def check(self, grant: Grant) -> None:
        """Let pass what was granted before and still is: before each use of it, and now and then in a long one.

        Raises what `authenticate` does: TokenRefused when the token was revoked or has expired meanwhile, or is gone.
        """
        self.granted(grant.token_id)

    def _check_token(self, token: Token) -> None:
        if token.revoked_at is not None:
            raise refused(Refusal.REVOKED, token.token_id)
        if token.has_expired(self._now_ms()):
            raise refused(Refusal.EXPIRED, token.token_id)

    def _look(self) -> None:
        """Read the file if it is another one than was read last. While it cannot be read, nobody is let in."""
        now_ms, mark = self._now_ms(), self._unread_mark
        try:
            mark = mark_of(self._path)
            if self._error is None and mark == self._mark:
                return
            if self._error is not None and mark == self._unread_mark and 0 <= now_ms - self._tried_ms < _AGAIN_MS:
                raise self._error.with_traceback(None)
            self._keep(*read_tokens(self._path))
        except (StorageError, ConfigurationError) as error:
            if error is not self._error:
                if str(error) != str(self._error):
                    log.error("nobody is let in while the tokens cannot be read: %s", error)  # noqa: TRY400 (the error says it all)
                self._error, self._unread_mark, self._tried_ms = error, mark, now_ms
            raise
        self._error = None

    def _keep(self, tokens: Iterable[Token], mark: FileMark | None) -> None:
        kept = tuple(tokens)
        self._by_digest = {token.digest: token for token in kept}
        self._by_id = {token.token_id: token for token in kept}
        self._mark = mark


def refused(why: Refusal, token_id: str = "") -> TokenRefused:
    """Return the refusal of a token, or of what stands for one: why is for logs, and does not travel."""
    return TokenRefused().because(why, token_id)

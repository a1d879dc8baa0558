"""Who asks: what a bearer token grants, or a page's session; and how often an address may be wrong."""

import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import TypeAlias

from caxton.errors import TokenRefused
from caxton.gateway.access.access import Access, Refusal
from caxton.gateway.access.failures import Failures
from caxton.gateway.access.grant import Grant
from caxton.gateway.access.sessions import Sessions

log = logging.getLogger("caxton.gateway")

# What browsers say of a request that a page makes where it comes from itself.
_OWN_SITE = b"same-origin"
_BEARER = re.compile(rb"[Bb]earer +([A-Za-z0-9._~+/=-]{1,4096})")
# A request's headers, each with its values, and where it comes from → what is granted.
Headers: TypeAlias = Mapping[bytes, list[bytes]]
Identify: TypeAlias = Callable[[Headers, str], Grant]
# In which our own page sends its key, beside its cookie: no form sends it, and pages of other origins may not.
PAGE_HEADER = b"x-caxton-page"


class Identity:
    """Finds out who asks. clock: in seconds, one that only goes on."""

    def __init__(
        self, access: Access, failures: Failures, sessions: Sessions, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.access = access
        self.sessions = sessions
        self._failures = failures
        self._clock = clock

    def __call__(self, headers: Headers, address: str) -> Grant:
        """Return what a token grants, or a page's session where there is no token.

        Raises TokenMissing, TokenRefused, FailedTooOften, StorageError.
        """
        try:
            token = bearer_of(headers.get(b"authorization", []))
            if token is None and (session := self._session(headers)) is not None:
                return self.access.granted(self.sessions.token_id_of(*session))
            return self.access.authenticate(token)
        except TokenRefused as error:
            self._failures.count(address, self._clock())
            log.info("a token of %s was refused: it is %s", error.token_id or address, error.why)
            raise

    def _session(self, headers: Headers) -> tuple[str, bytes] | None:
        """Return the cookie and the key of a request that our own page makes; of what others make, none counts."""
        site, keys = headers.get(b"sec-fetch-site", [_OWN_SITE]), headers.get(PAGE_HEADER, [])
        if len(keys) != 1 or site != [_OWN_SITE]:
            return None
        cookie = self.sessions.cookie_in(headers.get(b"cookie", []))
        return None if cookie is None else (cookie, keys[0])


def bearer_of(given: list[bytes]) -> str | None:
    """Return the token of Authorization headers, None where there is none; raises TokenRefused for anything else."""
    if not given:
        return None
    found = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
    if found is None:
        raise TokenRefused().because(Refusal.MALFORMED)
    return found[1].decode("ascii")

"""Who asks: what a bearer token grants, and how often an address may be wrong."""

import logging
import re
import time
from collections.abc import Callable
from typing import TypeAlias

from caxton.errors import TokenRefused
from caxton.gateway.access.access import Access, Refusal
from caxton.gateway.access.failures import Failures
from caxton.gateway.access.grant import Grant

log = logging.getLogger("caxton.gateway")

_BEARER = re.compile(rb"[Bb]earer +([A-Za-z0-9._~+/=-]{1,4096})")
# The values of a request's Authorization headers, and where it comes from → what is granted.
Identify: TypeAlias = Callable[[list[bytes], str], Grant]


class Identity:
    """Finds out who asks. clock: in seconds, one that only goes on."""

    def __init__(self, access: Access, failures: Failures, clock: Callable[[], float] = time.monotonic) -> None:
        self.access = access
        self._failures = failures
        self._clock = clock

    def __call__(self, given: list[bytes], address: str) -> Grant:
        """Return what a token grants. Raises TokenMissing, TokenRefused, FailedTooOften, StorageError."""
        try:
            return self.access.authenticate(bearer_of(given))
        except TokenRefused as error:
            self._failures.count(address, self._clock())
            log.info("a token of %s was refused: it is %s", error.token_id or address, error.why)
            raise


def bearer_of(given: list[bytes]) -> str | None:
    """Return the token of Authorization headers, None where there is none; raises TokenRefused for anything else."""
    if not given:
        return None
    found = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
    if found is None:
        raise TokenRefused().because(Refusal.MALFORMED)
    return found[1].decode("ascii")

"""Sessions of pages in a browser: a cookie that says which token it stands for, sealed. Nothing is kept of them.

Browsers send a cookie to every port of a host. So it is worth nothing without a key that only the page itself has, in a
place that is its origin's alone, and that it sends in a header.
"""

import hashlib
import hmac
import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable

from caxton.gateway.access.access import Refusal, refused

# From when somebody signs in; revoking the token ends it at once.
SESSION_S = 12 * 3_600
# With the id of the token and the end of the session, all that the cookie is.
_FORM = re.compile(r"([0-9a-f]{16})\.([0-9]{1,12})\.([A-Za-z0-9_-]{43})", re.ASCII)
_PAGE_KEY_BYTES = 16
# What the key seals is nothing else's seal.
_PURPOSE = b"session of a page"


class Sessions:
    """Seals and opens cookies. key: 32 random bytes of this run. port: of the gateway, since cookies know no ports.

    now_s: since 1970.
    """

    def __init__(self, key: bytes, port: int, now_s: Callable[[], float] = time.time) -> None:
        self._key = key
        self._now_s = now_s
        self.cookie_name = f"caxton_{port}"

    def seal(self, token_id: str) -> tuple[str, str]:
        """Return what a cookie says for the token of this id, for twelve hours from now on, and the key of its page."""
        ends_s, page_key = int(self._now_s()) + SESSION_S, secrets.token_urlsafe(_PAGE_KEY_BYTES)
        return f"{token_id}.{ends_s}.{self._seal_of(token_id, ends_s, page_key.encode())}", page_key

    def token_id_of(self, value: str, page_key: bytes) -> str:
        """Return the id of the token that a cookie stands for, beside the key of its page. Raises TokenRefused."""
        found = _FORM.fullmatch(value)
        if found is None:
            raise refused(Refusal.MALFORMED)
        token_id, ends_s, seal = found[1], int(found[2]), found[3]
        if not hmac.compare_digest(seal, self._seal_of(token_id, ends_s, page_key)):
            raise refused(Refusal.UNKNOWN)
        if self._now_s() >= ends_s:
            raise refused(Refusal.EXPIRED, token_id)
        return token_id

    def cookie_in(self, headers: Iterable[bytes]) -> str | None:
        """Return what the cookie of this gateway says in the values of Cookie headers, None where there is none."""
        for header in headers:
            for one in header.decode("latin-1").split(";"):
                name, _, value = one.strip().partition("=")
                if name == self.cookie_name:
                    return value
        return None

    def set_cookie(self, value: str, *, is_https: bool) -> str:
        """Return the header Set-Cookie that has a browser keep a session; an empty value ends it.

        No script reads the cookie, no page of another site has it sent, and it goes to the API alone.
        """
        life_s = SESSION_S if value else 0
        secure = "; Secure" if is_https else ""
        return f"{self.cookie_name}={value}; Path=/v1; Max-Age={life_s}; HttpOnly; SameSite=Strict{secure}"

    def _seal_of(self, token_id: str, ends_s: int, page_key: bytes) -> str:
        told = b"\0".join((_PURPOSE, token_id.encode(), str(ends_s).encode(), page_key))
        return urlsafe_b64encode(hmac.digest(self._key, told, hashlib.sha256)).decode("ascii").rstrip("=")

"""Where a gateway is, and with what one comes in: looked at before anything is asked. Pure."""

import re
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from caxton.errors import ConfigurationError
from caxton.printable import shown

MAX_URL = 2_048
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,4096}")
_LIKE = "write one such as https://caxton.example:8443"
_TOKEN_REMEDY = "give what `caxton token create` printed, in CAXTON_TOKEN or as token"  # noqa: S105 (it is none)


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway. url: without a slash at its end. ca: a file of the authorities that its certificate may be from.

    cert: a file with a certificate and its key, for a gateway that asks for one. Neither is needed for http, nor read
    here.
    """

    url: str
    token: str
    ca: Path | None = None
    cert: Path | None = None

    def __repr__(self) -> str:
        return f"Address({self.url!r})"  # a token is in no traceback

    @classmethod
    def of(
        cls,
        url: str,
        token: str | None,
        ca: Path | str | None = None,
        cert: Path | str | None = None,
        *,
        insecure_http: bool = False,
    ) -> "Address":
        """Return the address that these say. Raises ConfigurationError."""
        return cls(
            url=checked_url(url, insecure_http=insecure_http),
            token=_checked_token(token),
            ca=None if ca is None else Path(ca),
            cert=None if cert is None else Path(cert),
        )


def is_url(where: object) -> bool:
    """Tell whether this names a gateway, and no directory."""
    return isinstance(where, str) and where.lower().startswith(("https://", "http://"))


def checked_url(url: str, *, insecure_http: bool) -> str:
    """Return a URL as it is asked; raises ConfigurationError. Without TLS only this machine is asked, unless told."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if host is None or len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigurationError("url", f"{shown(url)} is no URL of a gateway", _LIKE)
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError("url", "it has more than a host, a port and a path", _LIKE)
    if parts.scheme.lower() not in {"https", "http"}:
        raise ConfigurationError("url", f"{shown(parts.scheme)} is neither https nor http", _LIKE)
    if parts.scheme.lower() == "http" and not insecure_http and not _is_here(host):
        raise ConfigurationError(
            "url",
            f"{shown(host)} is another machine, and the token would travel there as plain text",
            "use https, or say insecure_http=True (--insecure-http) where the way there is safe",
        )
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def _checked_token(token: str | None) -> str:
    if not token:
        raise ConfigurationError("token", "there is none, and a gateway lets nobody in without one", _TOKEN_REMEDY)
    if not _TOKEN.fullmatch(token):
        raise ConfigurationError("token", "what was given is none", _TOKEN_REMEDY)
    return token


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

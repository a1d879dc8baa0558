"""Which names requests may call the gateway by: no page of another site gets here through a name of its own. Pure."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from ipaddress import ip_address

from caxton.config.gateway import LOCALHOST
from caxton.gateway.problem import Problem
from caxton.printable import shown

# Ports that no URL names, with and without TLS.
_UNNAMED_PORTS = frozenset({80, 443})
_SCHEMES = frozenset({b"http", b"https"})


class Hosts:
    """Decides by the headers Host and Origin. names: besides the address, with any port: a proxy has one of its own.

    A target in absolute form names a host too, which is to be the same, as HTTP has it: else one could be asked, and
    another answer.

    Who listens at all addresses of a machine is called by any address: a page whose name leads here calls by its name.
    """

    def __init__(self, address: str, port: int, names: Iterable[str]) -> None:
        literals = {f"[{address}]" if ":" in address else address}
        if ip_address(address).is_loopback:
            literals.add(LOCALHOST)
        self._exact = {f"{literal}:{port}" for literal in literals}
        if port in _UNNAMED_PORTS:
            self._exact |= literals
        self._names = frozenset(names)
        self._has_any_address = ip_address(address).is_unspecified

    def refuses(self, hosts: list[bytes], origins: list[bytes], target: bytes = b"/") -> Problem | None:
        """Return why a request with these headers is not answered, None when it is. target: as it was sent."""
        if len(hosts) != 1:
            return Problem.told(HTTPStatus.BAD_REQUEST, f"a request has one Host, and this has {len(hosts)}")
        called = hosts[0].decode("latin-1").lower()
        by_address = self._has_any_address and _is_address(called)
        if not by_address and not self._known(called):
            return Problem.told(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"the gateway is not called {_text(hosts[0])}; use its address, or serve with --http-names",
            )
        if not target.startswith((b"/", b"*")):
            scheme, authority = _parts(target)
            if scheme not in _SCHEMES or authority.lower() != hosts[0].lower():
                problem = f"the request is for {_text(scheme + b'://' + authority)}, and its Host is {_text(hosts[0])}"
                return Problem.told(HTTPStatus.MISDIRECTED_REQUEST, problem)
        for origin in origins:
            scheme, _, host = origin.partition(b"://")
            page = host.decode("latin-1").lower()
            is_ours = page == called if by_address else self._known(page)
            if scheme.lower() not in _SCHEMES or not is_ours:
                problem = f"a page of {_text(origin)} asks nothing here; only those of the gateway do"
                return Problem.told(HTTPStatus.FORBIDDEN, problem, "UnknownOrigin")
        return None

    def _known(self, host: str) -> bool:
        return host in self._exact or _without_port(host) in self._names


def _parts(target: bytes) -> tuple[bytes, bytes]:
    """Return the scheme and the authority of a target in absolute form."""
    scheme, _, rest = target.partition(b"://")
    return scheme.lower(), re.split(rb"[/?#]", rest, maxsplit=1)[0]


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isascii() and port.isdigit() else host


def _is_address(host: str) -> bool:
    try:
        ip_address(_without_port(host).removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _text(raw: bytes) -> str:
    return shown(raw.decode("latin-1"))

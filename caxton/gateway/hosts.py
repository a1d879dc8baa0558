"""Which names requests may call the gateway by: no page of another site gets here through a name of its own. Pure."""

from collections.abc import Iterable
from http import HTTPStatus
from ipaddress import ip_address

from caxton.config.gateway import LOCALHOST
from caxton.gateway.problem import Problem
from caxton.printable import shown

_HTTP_PORT = 80


class Hosts:
    """Decides by the headers Host and Origin. names: besides the address, with any port: a proxy has one of its own."""

    def __init__(self, address: str, port: int, names: Iterable[str]) -> None:
        literals = {f"[{address}]" if ":" in address else address}
        if ip_address(address).is_loopback:
            literals.add(LOCALHOST)
        self._exact = {f"{literal}:{port}" for literal in literals}
        if port == _HTTP_PORT:
            self._exact |= literals
        self._names = frozenset(names)

    def refuses(self, hosts: list[bytes], origins: list[bytes]) -> Problem | None:
        """Return why a request with these headers is not answered, None when it is."""
        if len(hosts) != 1:
            return Problem.told(HTTPStatus.BAD_REQUEST, f"a request has one Host, and this has {len(hosts)}")
        if not self._known(hosts[0]):
            return Problem.told(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"the gateway is not called {_text(hosts[0])}; use its address, or serve with --http-names",
            )
        for origin in origins:
            scheme, _, host = origin.partition(b"://")
            if scheme.lower() not in {b"http", b"https"} or not self._known(host):
                problem = f"a page of {_text(origin)} asks nothing here; only those of the gateway do"
                return Problem.told(HTTPStatus.FORBIDDEN, problem, "UnknownOrigin")
        return None

    def _known(self, raw: bytes) -> bool:
        host = raw.decode("latin-1").lower()
        return host in self._exact or _without_port(host) in self._names


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isascii() and port.isdigit() else host


def _text(raw: bytes) -> str:
    return shown(raw.decode("latin-1"))

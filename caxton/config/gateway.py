"""Where the HTTP gateway listens, and under which names it may be called. Pure: nothing is resolved or bound here."""

import re
from ipaddress import ip_address

import msgspec

from caxton.errors import ConfigurationError
from caxton.printable import shown

MAX_PORT = 65_535
# Names that the Host header may have, besides the address.
MAX_NAMES = 32
LOCALHOST = "localhost"
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9.-]{1,253})):([0-9]{1,5})")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_LIKE = "write an address and a port, such as 127.0.0.1:8080 or [::1]:8080; port 0 is any that is free"


class GatewaySettings(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """How HTTP is served. address: an IP address, 127.0.0.1 for localhost. port: 0 for any that is free.

    names: further names that requests may call it by. behind_proxy: whether a proxy in front of it has TLS, without
    which only addresses of this machine alone are listened at. Raises ConfigurationError.
    """

    address: str
    port: int
    names: tuple[str, ...] = ()
    behind_proxy: bool = False

    def __post_init__(self) -> None:
        if not ip_address(self.address).is_loopback and not self.behind_proxy:
            raise ConfigurationError(
                "--http",
                f"{self.address} can be reached from other machines, and tokens would travel as plain text",
                "listen at 127.0.0.1, or say --http-behind-proxy when a proxy in front of it has TLS",
            )

    @classmethod
    def of(cls, http: str, names: str | None, *, behind_proxy: bool) -> "GatewaySettings":
        """Return what the three options say. Raises ConfigurationError."""
        address, port = read_address(http)
        return cls(address=address, port=port, names=read_names(names or ""), behind_proxy=behind_proxy)


def read_address(text: str) -> tuple[str, int]:
    """Return address and port of a text such as 127.0.0.1:8080. Raises ConfigurationError."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise ConfigurationError("--http", f"{shown(text)} is no address and port", _LIKE)
    host, port = found[1] or found[2], int(found[3])
    if port > MAX_PORT:
        raise ConfigurationError("--http", f"there is no port {port}", f"choose from 0 to {MAX_PORT}")
    if host.lower() == LOCALHOST:
        return "127.0.0.1", port
    try:
        return str(ip_address(host)), port
    except ValueError:
        raise ConfigurationError("--http", f"{shown(host)} is no IP address", _LIKE) from None


def read_names(text: str) -> tuple[str, ...]:
    """Return names that are separated by commas, in lower case. Raises ConfigurationError."""
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    for name in names:
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                "--http-names", f"{shown(name)} is no name of a host", "write names without ports, such as caxton.local"
            )
    if len(names) > MAX_NAMES:
        raise ConfigurationError("--http-names", f"{len(names)} names", f"choose at most {MAX_NAMES}")
    return names


def url_of(address: str, port: int) -> str:
    """Return the URL of an address and a port."""
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{port}"

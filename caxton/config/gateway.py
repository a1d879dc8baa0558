"""Where the gateway listens, and under which names it may be called. Pure: nothing is resolved or bound here."""

import re
from ipaddress import ip_address
from typing import NamedTuple

import msgspec

from caxton.errors import ConfigurationError
from caxton.printable import shown

# The options that say where to listen.
HTTP, METRICS = "--http", "--metrics"
# Those that name files of TLS.
CERT, KEY, CLIENT_CA = "--http-cert", "--http-key", "--http-client-ca"
MAX_PORT = 65_535
# Names that the Host header may have, besides the address.
MAX_NAMES = 32
LOCALHOST = "localhost"
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9.-]{1,253})):([0-9]{1,5})")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_LIKE = "write an address and a port, such as 127.0.0.1:8080 or [::1]:8080; port 0 is any that is free"


class Place(NamedTuple):
    """Where to listen. address: an IP address, 127.0.0.1 for localhost. port: 0 for any that is free."""

    address: str
    port: int


class Tls(msgspec.Struct, array_like=True, frozen=True):
    """Files of PEM. cert: a certificate, and those between it and its authority; key: its own, for its owner alone.

    client_ca: the authorities of which one has to have issued the certificate of whoever asks; None asks for none.
    """

    cert: str
    key: str
    client_ca: str | None = None

    @classmethod
    def of(cls, cert: str | None, key: str | None, client_ca: str | None) -> "Tls | None":
        """Return what these options say, None for no TLS. Raises ConfigurationError."""
        if cert is not None and key is not None:
            return cls(cert, key, client_ca)
        given = {CERT: cert, KEY: key, CLIENT_CA: client_ca}
        if there := [option for option, file in given.items() if file is not None]:
            missing = " and ".join(option for option in (CERT, KEY) if option not in there)
            raise ConfigurationError(there[0], f"it is nothing without {missing}", f"say {missing}, too")
        return None


class GatewaySettings(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """Where HTTP is served, and metrics: None for nowhere.

    names: further names that requests may call it by. tls: of both. behind_proxy: whether a proxy in front has TLS;
    without either tokens are only taken at addresses of this machine alone. metrics_open: whether metrics are told
    without a token. trace_sampling_ratio: of the traces that begin there, how many are sampled. otlp:
    whether traces are exported. Raises ConfigurationError.
    """

    http: Place | None = None
    metrics: Place | None = None
    metrics_open: bool = False
    names: tuple[str, ...] = ()
    behind_proxy: bool = False
    tls: Tls | None = None
    trace_sampling_ratio: float = 0.0
    otlp: bool = False

    def __post_init__(self) -> None:
        if self.tls is not None and not self.places:
            raise ConfigurationError(CERT, f"nothing is served with it: there is no {HTTP} and no {METRICS}", "say one")
        if self.metrics is not None and self.metrics.port and self.metrics == self.http:
            raise ConfigurationError(METRICS, f"{url_of(*self.metrics)} is where HTTP is served", "choose another port")
        for option, place in self.places.items():
            takes_tokens = option == HTTP or not self.metrics_open
            is_safe = self.behind_proxy or self.tls is not None
            if takes_tokens and not is_safe and not ip_address(place.address).is_loopback:
                raise ConfigurationError(
                    option,
                    f"{place.address} can be reached from other machines, and tokens would travel as plain text",
                    "listen at 127.0.0.1, or with TLS (--http-cert, --http-key), or say --http-behind-proxy when a "
                    "proxy in front of it has TLS",
                )

    @property
    def places(self) -> dict[str, Place]:
        """Where to listen, by the option that says so."""
        found = {HTTP: self.http, METRICS: self.metrics}
        return {option: place for option, place in found.items() if place is not None}


def read_address(text: str, option: str = HTTP) -> Place:
    """Return address and port of a text such as 127.0.0.1:8080. Raises ConfigurationError."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise ConfigurationError(option, f"{shown(text)} is no address and port", _LIKE)
    host, port = found[1] or found[2], int(found[3])
    if port > MAX_PORT:
        raise ConfigurationError(option, f"there is no port {port}", f"choose from 0 to {MAX_PORT}")
    if host.lower() == LOCALHOST:
        return Place("127.0.0.1", port)
    try:
        return Place(str(ip_address(host)), port)
    except ValueError:
        raise ConfigurationError(option, f"{shown(host)} is no IP address", _LIKE) from None


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


def url_of(address: str, port: int, *, tls: bool = False) -> str:
    """Return the URL of an address and a port."""
    host = f"[{address}]" if ":" in address else address
    return f"{'https' if tls else 'http'}://{host}:{port}"

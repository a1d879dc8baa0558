"""`caxton.connect`: a client of the runtime on this machine, or by a gateway of one on another.

async with caxton.connect("https://caxton.example:8443", token=token) as client:
    reply = await client.request("echo", b"hello", timeout_s=5)
"""

import os
from pathlib import Path

from caxton.client import client as local
from caxton.client.client import Client
from caxton.errors import ConfigurationError
from caxton.remote.address import Address, is_url

TOKEN_VARIABLE = "CAXTON_TOKEN"  # noqa: S105 (its name)


def connect(  # noqa: PLR0913 (by name, each with a default)
    runtime_dir: Path | str | None = None,
    *,
    reconnect: bool = True,
    principal: str = "",
    token: str | None = None,
    ca: Path | str | None = None,
    cert: Path | str | None = None,
    insecure_http: bool = False,
    trace_sampling_ratio: float = 0.0,
) -> Client:
    """Return a client of the runtime in `runtime_dir`, CAXTON_RUNTIME_DIR or the usual place, for an `async with`.

    Opening raises RuntimeNotFound when nobody serves there. reconnect: whether it opens another session by itself when
    the runtime has ended and was started again; without, everything ends with NetworkError then. principal: for whom it
    acts, if not for the user that it runs as: printable text of at most 100 characters without blanks at its ends,
    taken in Unicode's composed form (NFC). All that follows from what it sends is done for this one. Opening raises
    SecurityError unless the runtime lets gateways claim principals (`caxton serve --gateway-principals`).
    trace_sampling_ratio: of the traces that begin here, how many are sampled, from 0 to 1. Raises ConfigurationError
    for what is not a path, ValidationError for no principal and for no ratio.

    In place of a directory the URL of a gateway, such as https://caxton.example:8443, is a runtime on another machine;
    that needs the extra `remote` (`pip install '.[remote]'` in a clone). Calls that HTTP does not have raise
    Unsupported. token: what it shows; otherwise CAXTON_TOKEN. ca: a file of the authorities that the gateway's
    certificate may be from, if not those of the system. cert: a file with a certificate and its key, for a gateway that
    asks for one. insecure_http: http without TLS is meant also where it leads to another machine.
    """
    if not is_url(runtime_dir):
        if token is not None or ca is not None or cert is not None:
            raise ConfigurationError(
                "token, ca, cert",
                "they are for a gateway, and its URL was not given",
                "give it in place of runtime_dir",
            )
        return local.connect(
            runtime_dir, reconnect=reconnect, principal=principal, trace_sampling_ratio=trace_sampling_ratio
        )
    if principal:
        raise ConfigurationError("principal", "by a gateway it is the token's", "make a token for this one")
    if trace_sampling_ratio:
        raise ConfigurationError("trace_sampling_ratio", "by a gateway its own holds", "set it where that is served")
    given = os.environ.get(TOKEN_VARIABLE) if token is None else token
    address = Address.of(str(runtime_dir), given, ca, cert, insecure_http=insecure_http)
    try:
        from caxton.remote.client import RemoteClient  # noqa: PLC0415 (who stays on this machine does not need httpx)
    except ModuleNotFoundError as error:
        if error.name != "httpx":
            raise
        raise ConfigurationError(
            "url", "what asks gateways is not installed", "install it in a clone of Caxton: `pip install '.[remote]'`"
        ) from None
    return RemoteClient(address)

"""The socket at which HTTP is asked for: the supervisor holds it, so that it outlives every gateway."""

import errno
import os
import socket

from caxton.config.gateway import GatewaySettings, url_of
from caxton.errors import ConfigurationError

# Connections that wait while there is no gateway, or while it has no time.
BACKLOG = 128
_REMEDIES = {
    errno.EADDRINUSE: "end who listens there, or serve with another --http",
    errno.EACCES: "choose a port from 1024 on",
    errno.EADDRNOTAVAIL: "choose an address that this machine has",
}


def listen(settings: GatewaySettings) -> socket.socket:
    """Return a socket that listens there; raises ConfigurationError when nobody may, or somebody does already."""
    family = socket.AF_INET6 if ":" in settings.address else socket.AF_INET
    listening = None
    try:
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # else it would be taken for a minute
        listening.bind((settings.address, settings.port))
        listening.listen(BACKLOG)
    except OSError as error:
        if listening is not None:
            listening.close()
        code = error.errno or 0
        what = f"--http {url_of(settings.address, settings.port).removeprefix('http://')}"
        problem = "the port is taken" if code == errno.EADDRINUSE else os.strerror(code)
        remedy = _REMEDIES.get(code, "serve with another --http")
        raise ConfigurationError(what, problem, remedy) from None
    listening.settimeout(0)
    return listening

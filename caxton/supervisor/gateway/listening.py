"""The sockets at which the gateway is asked: the supervisor holds them, so that they outlive every gateway."""

import errno
import os
import socket

from caxton.config.gateway import Place, url_of
from caxton.errors import ConfigurationError

# Connections that wait while there is no gateway, or while it has no time.
BACKLOG = 128
_REMEDIES = {
    errno.EADDRINUSE: "end who listens there, or serve with another {option}",
    errno.EACCES: "choose a port from 1024 on",
    errno.EADDRNOTAVAIL: "choose an address that this machine has",
}


def listen(place: Place, option: str) -> socket.socket:
    """Return a socket that listens where an option says.

    Raises ConfigurationError when nobody may, or somebody does already.
    """
    family = socket.AF_INET6 if ":" in place.address else socket.AF_INET
    listening = None
    try:
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # else it would be taken for a minute
        listening.bind(place)
        listening.listen(BACKLOG)
    except OSError as error:
        if listening is not None:
            listening.close()
        code = error.errno or 0
        what = f"{option} {url_of(*place).removeprefix('http://')}"
        problem = "the port is taken" if code == errno.EADDRINUSE else os.strerror(code)
        remedy = _REMEDIES.get(code, "serve with another {option}").format(option=option)
        raise ConfigurationError(what, problem, remedy) from None
    listening.settimeout(0)
    return listening

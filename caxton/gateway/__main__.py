"""The gateway's process: `python -P -m caxton.gateway`, which the supervisor starts, with a spec on standard input."""

import logging
import os
import signal
import sys

import setproctitle
import uvloop

from caxton import __version__
from caxton.client.own_runtime import end_with
from caxton.errors import CaxtonError
from caxton.gateway.serving import serve
from caxton.lines import log_as, log_from, log_to
from caxton.wire.gateway_spec import GatewaySpec

_STDOUT, _STDERR = 1, 2
log = logging.getLogger("caxton.gateway")


def main() -> int:
    """Serve; returns the exit code."""
    log_to(_STDERR, logging.ERROR)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor decides
    try:
        spec = GatewaySpec.decode(sys.stdin.buffer.read())
        log_from(spec.log_level, spec.log_levels)
        log_as(spec.log_format)
        spec.check_release(__version__)
        end_with(spec.supervisor_pid, signal.SIGKILL)
        places = ", ".join(f"{place.address}:{place.port}" for place in spec.listening)
        setproctitle.setproctitle(f"caxton gateway ({places})")
        os.set_blocking(_STDOUT, False)
        uvloop.run(serve(spec, _STDOUT))
    except CaxtonError as error:
        log.error("%s", error)  # noqa: TRY400 (the error says it all; a traceback would bury it)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The server that SPADE brings, pyjabber, in a process of its own, with its database in memory.

It also listens at the address by which others reach the machine: run it by way of `bench.peers.loopback`.
"""

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

import loguru
import pyjabber
import uvloop
from pyjabber.server import Server
from pyjabber.server_parameters import Parameters

from bench.peers.spade_asked import HERE, READY

_AUTHORITY = Path(pyjabber.__file__).parent / "network" / "certs"


async def _serve(certificates: Path) -> None:
    # It makes a certificate for its name beside its authority's, and would do so where it is installed.
    server = Server(Parameters(host=HERE, database_in_memory=True, cert_path=str(certificates)))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_never_end(server))
        await server.ready.wait()
        sys.stdout.write(READY)
        sys.stdout.flush()


async def _never_end(server: Server) -> None:
    await server.start()
    raise ConnectionError("the server has ended")


def main() -> None:
    """Serve until the process is ended."""
    loguru.logger.remove()
    loguru.logger.add(sys.stderr, level="ERROR")
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(_serve(Path(shutil.copytree(_AUTHORITY, Path(folder) / "certificates"))))


if __name__ == "__main__":
    main()

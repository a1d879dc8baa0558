"""One life of the gateway: it serves at a socket that the supervisor listens at, until it is told to end."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn

from caxton.client.call_line import ask_soon
from caxton.client.client import connect
from caxton.gateway.access.access import Access
from caxton.gateway.access.failures import Failures
from caxton.gateway.application import application
from caxton.gateway.asgi import Application
from caxton.gateway.clients import Clients
from caxton.gateway.counts import Counts
from caxton.gateway.door import Door
from caxton.gateway.hosts import Hosts
from caxton.gateway.house import House
from caxton.gateway.identity import Identity
from caxton.gateway.limits import KEEP_ALIVE_S, STOP_TIMEOUT_S
from caxton.gateway.protocol import BoundedProtocol
from caxton.gateway.vitals import Vitals
from caxton.store.token_file import FILE_NAME
from caxton.wire.answered import answered
from caxton.wire.gateway_spec import TICK, TICK_PERIOD_S, GatewaySpec
from caxton.wire.supervision import AskHealth, Told
from caxton.wire.told import Health, read_told


async def serve(spec: GatewaySpec, ticks: int) -> None:
    """Serve until SIGTERM; `ticks` is the descriptor on which the supervisor hears that we live."""
    directory, counts = Path(spec.runtime_dir), Counts()
    BoundedProtocol.counts = counts

    async def ask_health(timeout_s: float) -> Health:
        told = answered(await ask_soon(directory, AskHealth(), timeout_s), Told, "the supervisor")
        return read_told(told.values, Health)

    async with Clients(lambda principal: connect(directory, principal=principal), counts) as clients:
        identity = Identity(Access(Path(spec.data_dir) / FILE_NAME), Failures())
        house = House(clients, Vitals(ask_health), counts, identity.access)
        door = Door(application(house), Hosts(spec.address, spec.port, spec.names), identity, counts)
        server = Server(config(door))

        def stop() -> None:
            house.stopping.set()
            server.stop()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
        async with asyncio.TaskGroup() as tasks:
            ticking = tasks.create_task(_tick(server, ticks))
            await server.serve([socket.socket(fileno=spec.descriptor)])
            ticking.cancel()


class Server(uvicorn.Server):
    """A server that ends when it is told to, and leaves signals to others. answers: set when it takes connections."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answers = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections."""
        await super().startup(sockets)
        self.answers.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none: `serve` does."""
        yield

    def stop(self) -> None:
        """Finish what is under way, for a while, and end."""
        self.should_exit = True

    def look(self) -> None:
        """Look after connections on which nothing happens."""
        now_s = asyncio.get_running_loop().time()
        for connection in [*self.server_state.connections]:
            if isinstance(connection, BoundedProtocol):
                connection.look(now_s)


def config(door: Application) -> uvicorn.Config:
    """Return how an application is served."""
    return uvicorn.Config(
        door,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )


async def _tick(server: Server, ticks: int) -> None:
    """Tell the supervisor each second that the loop goes round, from when requests are answered on."""
    await server.answers.wait()
    while True:
        server.look()
        with suppress(BlockingIOError):  # it has not read those before
            os.write(ticks, TICK)
        await asyncio.sleep(TICK_PERIOD_S)

"""One life of the gateway: it serves at sockets that the supervisor listens at, until it is told to end."""

import asyncio
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn

from caxton.client.call_line import ask_soon
from caxton.client.client import Client, connect
from caxton.client.routes.bid_room import BidRoom
from caxton.errors import CaxtonError, ConfigurationError
from caxton.gateway.access.access import Access
from caxton.gateway.access.failures import Failures
from caxton.gateway.access.notes import AccessNotes
from caxton.gateway.access.sessions import Sessions
from caxton.gateway.application import METRICS_ROUTES, application
from caxton.gateway.asgi import Application
from caxton.gateway.clients import Clients
from caxton.gateway.counts import Counts
from caxton.gateway.door import OPEN_PATHS, Door
from caxton.gateway.fullness import Fullness, Port
from caxton.gateway.hosts import Hosts
from caxton.gateway.house import House
from caxton.gateway.identity import Identity
from caxton.gateway.levels import Levels
from caxton.gateway.limits import HEAD_TIMEOUT_S, KEEP_ALIVE_S, MAX_CONNECTIONS, MAX_METRICS_CONNECTIONS, STOP_TIMEOUT_S
from caxton.gateway.noting import noting
from caxton.gateway.protocol import BoundedProtocol, bounded
from caxton.gateway.routes.metrics_routes import PATH
from caxton.gateway.scrapes import PRINCIPAL, Scrapes
from caxton.gateway.vitals import Vitals
from caxton.store.token_file import FILE_NAME
from caxton.telemetry.exported import Exported
from caxton.transport.tls import ChangingContext
from caxton.wire.answered import answered
from caxton.wire.gateway_spec import TICK_PERIOD_S, GatewaySpec, Listening
from caxton.wire.gateway_tick import Tick
from caxton.wire.supervision import AskHealth, Told
from caxton.wire.told import Health, read_told

log = logging.getLogger("caxton.gateway")

# Between two tries to export: doubled each time.
FIRST_EXPORT_PAUSE_S, LONGEST_EXPORT_PAUSE_S = 1.0, 60.0


async def serve(spec: GatewaySpec, ticks: int) -> None:
    """Serve until SIGTERM; `ticks` is the descriptor on which the supervisor hears that we live."""
    directory, counts, of_metrics = Path(spec.runtime_dir), Counts(), Counts()

    async def ask_health(timeout_s: float) -> Health:
        told = answered(await ask_soon(directory, AskHealth(), timeout_s), Told, "the supervisor")
        return read_told(told.values, Health)

    def client_for(principal: str, bid_room: BidRoom) -> Client:
        ratio = spec.trace_sampling_ratio
        return Client(directory, principal=principal, trace_sampling_ratio=ratio, bid_room=bid_room)

    async with Clients(client_for, counts) as clients, Clients(client_for, of_metrics, most=1) as looking:
        sessions = Sessions(spec.session_key, 0 if spec.http is None else spec.http.port)
        identity = Identity(Access(Path(spec.data_dir) / FILE_NAME), Failures(), sessions)
        exported = Exported()
        scrapes = Scrapes(looking, {"http": counts, "metrics": of_metrics}, clients, exported)
        house = House(clients, Vitals(ask_health), counts, identity.access, sessions, scrapes, AccessNotes())
        servers: list[tuple[Server, Listening]] = []
        ports: dict[str, Port] = {}
        if (place := spec.http) is not None:
            door = Door(application(house), _hosts(place, spec), identity, counts, house.notes)
            tls = _tls(spec, MAX_CONNECTIONS, counts)
            servers.append((Server(config(door, bounded(counts, MAX_CONNECTIONS), tls)), place))
            ports["http"] = Port(counts, MAX_CONNECTIONS, door.shares, clients)
        if (place := spec.metrics) is not None:
            app = application(house, METRICS_ROUTES)
            open_paths = OPEN_PATHS | {PATH} if spec.metrics_open else OPEN_PATHS
            door = Door(app, _hosts(place, spec), identity, of_metrics, house.notes, open_paths=open_paths)
            tls = _tls(spec, MAX_METRICS_CONNECTIONS, of_metrics)
            servers.append((Server(config(door, bounded(of_metrics, MAX_METRICS_CONNECTIONS), tls)), place))
            ports["metrics"] = Port(of_metrics, MAX_METRICS_CONNECTIONS, door.shares, looking)

        def stop() -> None:
            house.stopping.set()
            for server, _ in servers:
                server.stop()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
        levels = Levels(looking, PRINCIPAL)
        gc.collect()
        gc.freeze()  # what is here by now stays: to look at it again would hold requests up for tens of milliseconds
        async with scrapes, noting(directory, house.notes), asyncio.TaskGroup() as tasks:
            following = tasks.create_task(levels.follow())
            exporting = tasks.create_task(_export(directory, scrapes, exported)) if spec.otlp else None
            ticking = tasks.create_task(_tick([server for server, _ in servers], Fullness(ports), ticks))
            async with asyncio.TaskGroup() as serving:
                for server, place in servers:
                    serving.create_task(server.serve([socket.socket(fileno=place.descriptor)]))
                if exporting is not None:
                    await house.stopping.wait()
            ticking.cancel()
            following.cancel()
            if exporting is not None:
                exporting.cancel()


async def _export(directory: Path, scrapes: Scrapes, exported: Exported) -> None:
    """Export what OpenTelemetry's variables do not turn off, until this is cancelled.

    What is in the way of that, such as a runtime that opens no more sessions, is in nobody else's: it is tried again.
    """
    from caxton.telemetry.export import export  # noqa: PLC0415 (who exports nothing need not have it)

    pause_s = FIRST_EXPORT_PAUSE_S
    while True:
        try:
            async with connect(directory) as client:
                pause_s = FIRST_EXPORT_PAUSE_S
                await export(client, scrapes.moment, exported)
                return  # nothing is to be exported
        except* CaxtonError as errors:
            log.warning("nothing is exported by OTLP, and it is tried again in %g s: %s", pause_s, errors.exceptions[0])
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_EXPORT_PAUSE_S)


def _hosts(place: Listening, spec: GatewaySpec) -> Hosts:
    return Hosts(place.address, place.port, spec.names)


class Server(uvicorn.Server):
    """A server that ends when it is told to, and leaves signals to others. answers: set when it takes connections."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answers = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections. As uvicorn does, but that a handshake has no more time than a head."""
        served = self.config

        def protocol() -> Any:
            return served.http_protocol_class(config=served, server_state=self.server_state, app_state={})

        loop = asyncio.get_running_loop()
        timeout_s = None if served.ssl is None else HEAD_TIMEOUT_S
        self.servers = [
            await loop.create_server(protocol, sock=one, ssl=served.ssl, ssl_handshake_timeout=timeout_s)
            for one in sockets or ()
        ]
        self.started = True
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
        if isinstance(self.config.ssl, ChangingContext):
            try:
                if self.config.ssl.look():
                    log.warning("the files of TLS have changed: connections from now on get what is in them")
            except ConfigurationError as error:
                log.error("the files of TLS have changed, and what was in them before still holds: %s", error)  # noqa: TRY400 (the error says it all)


def _tls(spec: GatewaySpec, most: int, counts: Counts) -> ChangingContext | None:
    if spec.tls is None:
        return None

    handshakes = 2 * most  # as many as connections may be there besides

    def refused() -> None:
        counts.refuse("too many connections", "handshakes", handshakes)

    return ChangingContext(spec.tls, handshakes, refused)


def config(
    door: Application, protocol: type[BoundedProtocol] = BoundedProtocol, tls: ChangingContext | None = None
) -> uvicorn.Config:
    """Return how an application is served."""
    return uvicorn.Config(
        door,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
        ssl_context_factory=None if tls is None else lambda *_: tls,
    )


async def _tick(servers: Sequence[Server], fullness: Fullness, ticks: int) -> None:
    """Tell the supervisor each second that the loop goes round, and what is full, once requests are answered."""
    loop = asyncio.get_running_loop()
    for server in servers:
        await server.answers.wait()
    while True:
        for server in servers:
            server.look()
        with suppress(BlockingIOError):  # it has not read those before
            os.write(ticks, Tick(fullness.look(loop.time(), time.time_ns() // 1_000_000)).encode())
        await asyncio.sleep(TICK_PERIOD_S)

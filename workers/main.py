"""The composition root of a worker: read the spawn spec, open what it owns, serve, close in the other order."""

import logging
import signal
import sys
from pathlib import Path

import setproctitle
import uvloop

from caxton.errors import CaxtonError
from caxton.ids import AgentNames
from caxton.links.session import SessionMarks
from caxton.store.agents import StoredAgents
from caxton.store.books import Book
from caxton.store.database import Database
from caxton.store.module_cache import ModuleCache
from caxton.transport.endpoints import SUPERVISOR, RuntimeDir
from caxton.transport.sockets import Context, Inlet, Outlet, end_context, new_context
from caxton.wire.spawn_spec import SpawnSpec
from workers.crash_note import CrashNote, charged_agent
from workers.dispatcher import Dispatcher
from workers.guest_log import GuestLog
from workers.guest_messages import GuestOutput
from workers.lifecycle import Lifecycle
from workers.parent import die_with_parent
from workers.parking import Parking
from workers.peers import Peers
from workers.placing import Placing
from workers.pressure import Pressure
from workers.registry import Registry
from workers.rooms import Rooms
from workers.routes import Routes
from workers.sandbox.engine import GuestEngine
from workers.sandbox.modules import Modules
from workers.sandbox.watchdog import Watchdog
from workers.turn import Turns
from workers.worker import Worker
from workers.worker_pass import COUNTERS

log = logging.getLogger("caxton.worker")


def main() -> int:
    """Serve one shard until the supervisor says stop (0), or something fails at the start (1)."""
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor decides
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        spec = SpawnSpec.decode(sys.stdin.buffer.read())
        die_with_parent(spec.supervisor_pid)
        setproctitle.setproctitle(f"caxton worker {spec.shard} (incarnation {spec.incarnation})")
        uvloop.run(_serve(spec))
    except CaxtonError as error:
        log.error("%s", error)  # noqa: TRY400 (the error says it all; a traceback would bury it)
        return 1
    return 0


async def _serve(spec: SpawnSpec) -> None:
    runtime, marks, own = RuntimeDir(Path(spec.runtime_dir)), SessionMarks(spec.marks_key), spec.incarnation
    context = new_context()
    try:
        data, control = Inlet(context, runtime.data(own)), Inlet(context, runtime.control(own))
        supervisor = Outlet(context, runtime.control(SUPERVISOR))
        database = await Database.open(Path(spec.data_dir) / f"shard-{spec.shard}.db")
        note = CrashNote(runtime.crash_note(own))
        engine = GuestEngine()
        watchdog = Watchdog(engine)
        watchdog.start()
        try:
            rooms = _furnish(spec, context, database, note, engine, watchdog)
            worker = Worker(rooms, data, control, supervisor, marks.mark(own))
            await worker.serve(charged_agent(spec.last_crash))
            worker.close()
            rooms.peers.close()
            rooms.book.close()
        finally:
            watchdog.stop()
            note.close()
            await database.close()
    finally:
        end_context(context)


def _furnish(
    spec: SpawnSpec, context: Context, database: Database, note: CrashNote, engine: GuestEngine, watchdog: Watchdog
) -> Rooms:
    runtime, own = RuntimeDir(Path(spec.runtime_dir)), spec.incarnation
    names = AgentNames(spec.naming_key)
    registry, dispatcher, parking = Registry(), Dispatcher(), Parking()
    peers = Peers(context, runtime, own, SessionMarks(spec.marks_key))
    pressure = Pressure(peers)
    placing = Placing(registry, dispatcher, pressure, spec.shard, spec.table)
    routes = Routes(registry, peers, placing, parking, spec.shard)
    modules = Modules(ModuleCache(Path(spec.data_dir) / "modules", spec.cache_key), engine)
    turns = Turns(engine, modules, watchdog, note, GuestOutput(names), routes, GuestLog().write)
    lifecycle = Lifecycle(
        registry=registry,
        stored=StoredAgents(database),
        modules=modules,
        names=names,
        turns=turns,
        dispatcher=dispatcher,
        parking=parking,
        routes=routes,
        pressure=pressure,
        shard=spec.shard,
        table=spec.table,
    )
    book = Book.create(runtime.book(own), own, tuple(COUNTERS))
    return Rooms(
        spec.shard,
        own,
        registry,
        peers,
        placing,
        dispatcher,
        parking,
        routes,
        turns,
        lifecycle,
        pressure,
        book,
    )

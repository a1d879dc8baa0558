"""The composition root of a worker: read the spawn spec, open what it owns, serve, close in the other order."""

import logging
import random
import signal
import sys
import time
from pathlib import Path

import setproctitle
import uvloop

from caxton.delivery.circuit_breaker import CircuitBreaker
from caxton.delivery.retry import RetryPolicy
from caxton.errors import CaxtonError, StorageDamaged
from caxton.ids import AgentNames
from caxton.lines import LogLines
from caxton.links.session import SessionMarks
from caxton.store.agents import StoredAgents
from caxton.store.books import Book
from caxton.store.directory_lock import is_locked
from caxton.store.module_cache import ModuleCache
from caxton.store.shard_store import ShardStore
from caxton.transport.endpoints import SUPERVISOR, RuntimeDir
from caxton.transport.sockets import Context, Inlet, Outlet, end_context, new_context
from caxton.wire.spawn_spec import SpawnSpec
from workers.attempts import Attempts
from workers.crash_note import CrashNote
from workers.dead_letters import DeadLetters
from workers.dispatcher import Dispatcher
from workers.durable_placing import DurablePlacing
from workers.durable_rooms import DurableRooms
from workers.durable_routes import DurableRoutes
from workers.greetings import Greetings
from workers.guest_log import GuestLog
from workers.guest_messages import GuestOutput
from workers.journal import Journal
from workers.keys import Keys
from workers.lifecycle import Lifecycle
from workers.parent import die_with_parent
from workers.parking import Parking
from workers.peers import Peers
from workers.placing import Placing
from workers.pressure import Pressure
from workers.recovery import Recovery
from workers.registry import Registry
from workers.retries import Retries
from workers.rooms import Rooms
from workers.routes import Routes
from workers.sandbox.engine import GuestEngine
from workers.sandbox.modules import Modules
from workers.sandbox.watchdog import Watchdog
from workers.suspects import Suspects
from workers.turn import Turns
from workers.ways import Ways
from workers.worker import Worker
from workers.worker_pass import COUNTERS, NS_PER_MS

EXIT_DAMAGED = 65  # EX_DATAERR: the supervisor does not try again
_STDERR = 2
log = logging.getLogger("caxton.worker")


def main() -> int:
    """Serve one shard until the supervisor says stop (0), or something fails at the start (1)."""
    logging.basicConfig(level=logging.INFO, handlers=[LogLines(_STDERR)])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor decides
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        spec = SpawnSpec.decode(sys.stdin.buffer.read())
        die_with_parent(spec.supervisor_pid)
        setproctitle.setproctitle(f"caxton worker {spec.shard} (incarnation {spec.incarnation})")
        uvloop.run(_serve(spec))
    except CaxtonError as error:
        log.error("%s", error)  # noqa: TRY400 (the error says it all; a traceback would bury it)
        return EXIT_DAMAGED if isinstance(error, StorageDamaged) else 1
    return 0


async def _serve(spec: SpawnSpec) -> None:
    runtime, marks, own = RuntimeDir(Path(spec.runtime_dir)), SessionMarks(spec.marks_key), spec.incarnation
    context = new_context()
    try:
        data, control = Inlet(context, runtime.data(own)), Inlet(context, runtime.control(own))
        supervisor = Outlet(context, runtime.control(SUPERVISOR))
        path = Path(spec.data_dir) / f"shard-{spec.shard}.db"
        store = await ShardStore.open(path, spec.shard, time.time_ns() // NS_PER_MS, time.monotonic_ns())
        note = CrashNote(runtime.crash_note(own))
        engine = GuestEngine()
        watchdog = Watchdog(engine)
        watchdog.start()
        try:
            rooms = _furnish(spec, context, store, note, engine, watchdog)
            worker = Worker(rooms, data, control, supervisor, marks.mark(own))
            await worker.serve(spec.last_crash)
            worker.close()
            rooms.peers.close()
            rooms.book.close()
        finally:
            watchdog.stop()
            note.close()
            await store.close()
    finally:
        end_context(context)


def _furnish(
    spec: SpawnSpec, context: Context, store: ShardStore, note: CrashNote, engine: GuestEngine, watchdog: Watchdog
) -> Rooms:
    runtime, own = RuntimeDir(Path(spec.runtime_dir)), spec.incarnation
    names = AgentNames(spec.naming_key)
    registry, dispatcher, parking = Registry(), Dispatcher(), Parking()
    peers = Peers(context, runtime, own, SessionMarks(spec.marks_key))
    pressure = Pressure(peers)
    placing = Placing(registry, dispatcher, pressure, spec.shard, spec.table)
    routes = Routes(registry, peers, placing, parking, spec.shard)
    durable = _furnish_durable(spec, store, peers, placing, routes, registry, dispatcher)
    modules = Modules(ModuleCache(Path(spec.data_dir) / "modules", spec.cache_key), engine)
    turns = Turns(
        engine,
        modules,
        watchdog,
        note,
        GuestOutput(names),
        routes,
        durable.attempts,
        durable.journal,
        durable.keys,
        GuestLog().write,
    )
    lifecycle = Lifecycle(
        registry=registry,
        stored=StoredAgents(store.database),
        modules=modules,
        names=names,
        turns=turns,
        dispatcher=dispatcher,
        parking=parking,
        routes=routes,
        pressure=pressure,
        durable=durable,
        shard=spec.shard,
        table=spec.table,
    )
    book = Book.create(runtime.book(own), own, tuple(COUNTERS))
    recovery = Recovery(durable, registry, durable.ways.lives)
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
        store,
        durable,
        recovery,
    )


def _furnish_durable(
    spec: SpawnSpec,
    store: ShardStore,
    peers: Peers,
    placing: Placing,
    routes: Routes,
    registry: Registry,
    dispatcher: Dispatcher,
) -> DurableRooms:
    runtime, settings = RuntimeDir(Path(spec.runtime_dir)), spec.delivery
    journal = Journal(store.file_id)
    retries, suspects = Retries(), Suspects(journal)
    letters = DeadLetters(journal, spec.dead_letter_capacity, evicting=settings.dead_letter_eviction)
    keys = Keys(journal, routes.ids)
    attempts = Attempts(
        journal,
        retries,
        letters,
        keys,
        suspects,
        RetryPolicy(settings.retry_delay_ms, settings.retry_factor),
        lambda: CircuitBreaker(settings.breaker_threshold, settings.breaker_timeout_s),
        random.random,
    )
    attempts.failing = routes
    ways = Ways(lambda session: is_locked(runtime.book(session)))
    durable_placing = DurablePlacing(registry, placing, dispatcher, journal, letters, keys, suspects)
    durable_routes = DurableRoutes(registry, durable_placing, journal, ways, attempts, spec.table.owners, spec.shard)
    routes.durable = durable_routes
    greetings = Greetings(peers, ways, journal)
    return DurableRooms(
        journal, ways, greetings, durable_placing, durable_routes, attempts, letters, keys, retries, suspects
    )

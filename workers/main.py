"""The composition root of a worker: read the spawn spec, open what it owns, serve, close in the other order."""

import gc
import logging
import random
import signal
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import setproctitle
import uvloop

from caxton import __version__
from caxton.errors import CaxtonError, StorageDamaged
from caxton.ids import AgentNames
from caxton.lines import log_as, log_from, log_to
from caxton.links.session import SessionMarks
from caxton.records import Records, kept_from_now
from caxton.store.agents import StoredAgents
from caxton.store.books import Book
from caxton.store.claims import read_claim
from caxton.store.directory_lock import is_locked
from caxton.store.module_cache import ModuleCache
from caxton.store.shard_store import ShardStore
from caxton.transport.descriptors import most_lines
from caxton.transport.endpoints import SUPERVISOR, RuntimeDir
from caxton.transport.sockets import Context, Inlet, Outlet, end_context, new_context
from caxton.wire.control import MAX_CONTROL_BYTES
from caxton.wire.counters import COUNTERS
from caxton.wire.frames import MAX_FRAME_BYTES
from caxton.wire.spawn_spec import SpawnSpec
from workers.composition import Ground, compose
from workers.crash_note import CrashNote
from workers.durable.lane import DurableLane
from workers.intake.guard import guard
from workers.loop.shard import Shard
from workers.loop.worker import Worker
from workers.parent import die_with_parent
from workers.peers.peers import Peers
from workers.sandbox.engine import GuestEngine
from workers.sandbox.guest_messages import GuestOutput
from workers.sandbox.modules import Modules
from workers.sandbox.watchdog import Watchdog
from workers.turns.guest_log import GuestLog
from workers.turns.routes import Routes
from workers.turns.turn import Turns
from workers.watching.watching import Watching
from workers.worker_pass import HISTOGRAMS

EXIT_DAMAGED = 65  # EX_DATAERR: the supervisor does not try again
# Containers made before the collector looks at the youngest, and how often it does before it looks at older ones. What
# a commit is made of is thousands of short-lived tuples; after Python's usual 700 it would look at each several times.
COLLECT_AFTER = 20_000, 20, 20
_STDERR = 2
log = logging.getLogger("caxton.worker")


def main() -> int:
    """Serve one shard until the supervisor says stop (0), or something fails at the start (1)."""
    log_to(_STDERR, logging.INFO)
    gc.set_threshold(*COLLECT_AFTER)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor decides
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        spec = SpawnSpec.decode(sys.stdin.buffer.read())
        log_from(spec.log_level, spec.log_levels)
        log_as(spec.log_format)
        records = kept_from_now() if spec.keeps_records else None
        spec.check_release(__version__)
        die_with_parent(spec.supervisor_pid)
        setproctitle.setproctitle(f"caxton worker {spec.shard} (incarnation {spec.incarnation})")
        uvloop.run(_serve(spec, records))
    except CaxtonError as error:
        log.error("%s", error)  # noqa: TRY400 (the error says it all; a traceback would bury it)
        return EXIT_DAMAGED if isinstance(error, StorageDamaged) else 1
    return 0


async def _serve(spec: SpawnSpec, records: Records | None) -> None:
    runtime, marks, own = RuntimeDir(Path(spec.runtime_dir)), SessionMarks(spec.marks_key), spec.incarnation
    context, inlets = new_context(), ExitStack()
    try:
        lines = most_lines(spec.most_sessions, max(spec.table.owners) + 1)
        data = inlets.enter_context(closing(Inlet(runtime.data(own), MAX_FRAME_BYTES, lines)))
        control = inlets.enter_context(closing(Inlet(runtime.control(own), MAX_CONTROL_BYTES, lines)))
        supervisor = Outlet(context, runtime.control(SUPERVISOR))
        path = Path(spec.data_dir) / f"shard-{spec.shard}.db"
        store = await ShardStore.open(path, spec.shard)
        if store.database.earlier is not None:
            log.warning("%s is of this release's version now; as it was it is kept in %s", path, store.database.earlier)
        note = CrashNote(runtime.crash_note(own))
        engine = GuestEngine()
        watchdog = Watchdog(engine)
        watchdog.start()
        try:
            shard = _compose(spec, context, store, note, engine, watchdog, records)
            worker = Worker(shard, data, control, supervisor, marks.mark(own))
            guard(data, control, shard.peers, worker.count_garbage)
            await worker.serve(spec.last_crash)
            worker.close()
            shard.peers.close()
            shard.book.close()
        finally:
            watchdog.stop()
            note.close()
            await store.close()
    finally:
        inlets.close()
        end_context(context)


def _compose(
    spec: SpawnSpec,
    context: Context,
    store: ShardStore,
    note: CrashNote,
    engine: GuestEngine,
    watchdog: Watchdog,
    records: Records | None = None,
) -> Shard:
    runtime, own, names = RuntimeDir(Path(spec.runtime_dir)), spec.incarnation, AgentNames(spec.naming_key)
    modules = Modules(ModuleCache(Path(spec.data_dir) / "modules", spec.cache_key), engine)
    watching = Watching(spec.shard, lambda agent: spec.table.shard_of(agent) == spec.shard, records)

    def make_turns(routes: Routes, lane: DurableLane) -> Turns:
        output, write = GuestOutput(names, routes.pick, routes.everyone), GuestLog(watching.logs).write
        return Turns(engine, modules, watchdog, note, output, routes, lane.attempts, lane.journal, lane.keys, write)

    def lives(session: int) -> bool:
        return is_locked(runtime.book(session)) is True

    def claimed(session: int) -> str:
        return read_claim(runtime.principal(session))

    ground = Ground(
        number=spec.shard,
        table=spec.table,
        names=names,
        peers=Peers(
            context,
            runtime,
            own,
            SessionMarks(spec.marks_key),
            spec.most_sessions,
            lives,
            claimed,
            spec.delivery.outbound_queue_size,
        ),
        book=Book.create(runtime.book(own), own, tuple(COUNTERS), histograms=HISTOGRAMS),
        store=store,
        stored=StoredAgents(store.database),
        modules=modules,
        delivery=spec.delivery,
        dead_letter_capacity=spec.dead_letter_capacity,
        lives=lives,
        dice=random.random,
        conversations=spec.conversations,
        watching=watching,
    )
    return compose(ground, make_turns)

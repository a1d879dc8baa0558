"""The stage of docs/journey.md: a client and two workers, everything real but the supervisor, chance and the clocks."""

import asyncio
import re
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
import wasmtime

import caxton
from caxton.client.calls import message_calls
from caxton.client.session import session as session_module
from caxton.links.session import SessionMarks, session_id
from caxton.placement.slot_table import SlotTable
from caxton.store.books import read
from caxton.store.directory_lock import DirectoryLock
from caxton.store.module_cache import ModuleCache
from caxton.store.shard_store import ShardStore
from caxton.supervisor.desk.desk import FrontDesk
from caxton.supervisor.premises.identity import Identity
from caxton.supervisor.workforce.crash_note import CrashNote as WrittenNote
from caxton.transport.endpoints import SUPERVISOR, RuntimeDir
from caxton.transport.sockets import Desk, Inlet, Outlet, end_context, new_context
from caxton.wire.control import Topology
from caxton.wire.protocol import SPOKEN
from caxton.wire.spawn_spec import SpawnSpec
from caxton.wire.supervision import SessionOpened
from workers import main as worker_main
from workers.crash_note import CrashNote
from workers.loop import passes
from workers.loop import worker as worker_module
from workers.loop.worker import Worker
from workers.sandbox import sandbox as sandbox_module
from workers.sandbox.engine import GuestEngine
from workers.sandbox.modules import compile_module
from workers.sandbox.raw_call import FIRST, SECOND
from workers.sandbox.watchdog import Watchdog

# What chance, the clock and the supervisor would give; the page says so.
RUNTIME_KEY = bytes(range(32))
SESSION = session_id(0x1234_5678_9ABC_DEF0)
CLIENT_MS, WORKER_MS = 1_767_225_600_000, 1_767_225_600_001
INCARNATIONS = [1, 2]
FILES = [0x1111_1111_1111_1111, 0x2222_2222_2222_2222]
# The workers' monotonic clock: so far ahead of the real one that nothing of the run is ever too late.
WORKER_NS = 10**18
NEVER_S = 3_600.0
BETWEEN_LOOKS_S = 0.002
DEADLINE_S = 30.0
SHOWN_BYTES = 64
ORDER = (
    *("sources", "targets", "outbox", "settled", "unfinished", "done", "queued", "dequeued", "dead", "buried"),
    *("states", "charges", "keys", "keys_gone", "absences", "offered", "ended"),
    *("conversations", "conversations_gone", "audit", "counts", "next_number"),
)

CODE = Path(caxton.__file__).parents[1]
PACKAGES = {"caxton", "workers"}
GUESTS = CODE / "caxton/guests"
FAULTS = Path(__file__).parents[2] / "guests/faults.wat"
AGENTS = {
    "splitter": ("msgpack", (GUESTS / "splitter.wasm").read_bytes()),
    "counter-0": ("msgpack", (GUESTS / "counter.wasm").read_bytes()),
    "echo": ("content", (GUESTS / "echo.wasm").read_bytes()),
    "faulty": ("content", bytes(wasmtime.wat2wasm(FAULTS.read_text()))),
}


class Stage:
    """Everything real but the supervisor, and the numbers pinned.

    sent: (name of the inlet, frame) of all that left anybody. calls: what went into a guest and came out. commits:
    (shard's file, commit as the page shows it, commit), in the order in which they were done. now_ns: the workers'
    monotonic clock. workers, shards, engines, stores: by incarnation.
    """

    session, incarnations, names = SESSION, INCARNATIONS, tuple(AGENTS)

    def __init__(self, root):
        self.runtime, self.store = RuntimeDir(root / "r"), root / "d"
        self.runtime.check()
        self.store.mkdir(mode=0o700)
        self.identity = Identity(self.store / "identity", RUNTIME_KEY, 1, 1, len(INCARNATIONS))
        self.marks = SessionMarks(self.identity.derived_key("marks"))
        self.table = SlotTable.even(len(INCARNATIONS))
        self.sent, self.calls, self.commits = [], [], []
        self.workers, self.shards, self.engines, self.stores = {}, {}, {}, {}
        self.now_ns = WORKER_NS
        self.moved = asyncio.Event()

    def topology(self, peer):
        states = ["ready"] * len(INCARNATIONS)
        return Topology(SUPERVISOR, self.marks.mark(peer), 1, self.table, INCARNATIONS, states)

    async def answer(self, caller, request):
        naming_key = self.identity.derived_key("naming")
        topology, version = self.topology(SESSION), SPOKEN.newest
        return SessionOpened(SESSION, self.marks.mark(SESSION), naming_key, topology, version)

    def owner(self, client, name):
        """Return the incarnation that serves the shard of an agent."""
        return INCARNATIONS[self.table.shard_of(client.id_of(name))]

    def sandbox(self, client, name):
        return self.shards[self.owner(client, name)].registry.agents[client.id_of(name)].sandbox

    def note(self, incarnation):
        return WrittenNote.read(self.runtime.crash_note(incarnation))

    def book(self, peer):
        return read(self.runtime.book(peer))

    async def until(self, claim):
        """Let loop and stores go on until the claim holds; it is looked at when something left, and in between."""
        async with asyncio.timeout(DEADLINE_S):
            while not claim():
                self.moved.clear()
                with suppress(TimeoutError):  # a loop that never pauses leaves a store's thread hardly any time
                    async with asyncio.timeout(BETWEEN_LOOKS_S):
                        await self.moved.wait()

    async def first(self, inlet, since, codec, wanted=lambda value: True):
        """Wait for the first frame that left for an inlet after the first `since` of all; return (bytes, value)."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for name, frame in self.sent[since:]:
                    if name == inlet and wanted(value := codec.decode(frame)):
                        return frame, value
                self.moved.clear()
                await self.moved.wait()

    async def commit(self, incarnation, since, field="counts"):
        """Return a worker's first commit that has the field, after the first `since` of all: as shown, and as it is."""
        file = FILES[INCARNATIONS.index(incarnation)]
        async with asyncio.timeout(DEADLINE_S):
            while not (
                found := [done[1:] for done in self.commits[since:] if done[0] == file and getattr(done[2], field)]
            ):
                self.moved.clear()
                await self.moved.wait()
        return found[0]

    async def quiet(self, incarnation):
        """Let a worker commit also what nobody waits for, as ticks would: again after a commit that was under way."""
        shard, committer = self.shards[incarnation], self.workers[incarnation]._committer
        journal = shard.durable.journal
        await self.until(lambda: committer.tend() or (journal.empty and not journal.under_way))

    @asynccontextmanager
    async def watched(self):
        """Note, in order, each function of the project that is called, by the loop and by the stores: (file, name)."""
        calls = []

        def note(frame, event, argument):
            code = frame.f_code
            if event == "call" and (path := Path(code.co_filename)).is_relative_to(CODE):
                file = path.relative_to(CODE)
                if file.parts[0] in PACKAGES:  # where they are installed, others are beside them
                    calls.append((str(file), code.co_qualname))

        before = sys.getprofile()
        for store in self.stores.values():
            await store.database.run(lambda _: sys.setprofile(note))
        sys.setprofile(note)
        try:
            yield calls
        finally:
            sys.setprofile(before)
            for store in self.stores.values():
                await store.database.run(lambda _: sys.setprofile(None))


@contextmanager
def pinned(stage):
    """Pin chance and the clocks, stop the ticks, and record what leaves, is committed, and guests are called with."""
    starts = count(0x1000, 0x1000)
    connect, send, call, commit = Outlet.__init__, Outlet.send, sandbox_module._call_guest, ShardStore.commit

    def connect_named(self, context, endpoint, *most):
        connect(self, context, endpoint, *most)
        self.name = Path(endpoint).name

    def send_recorded(self, frame):
        stage.sent.append((self.name, bytes(frame)))
        stage.moved.set()
        return send(self, frame)

    def call_recorded(context, function, arguments, slots, trap):
        incarnation = next(n for n, engine in stage.engines.items() if engine.slots.arguments is arguments)
        words, note = stage.engines[incarnation].slots.words, stage.note(incarnation)
        given = words[FIRST], words[SECOND]
        error = call(context, function, arguments, slots, trap)
        stage.calls.append((given, words[FIRST], note))
        return error

    async def commit_recorded(self, gathered):
        await commit(self, gathered)
        stage.commits.append((self.file_id, shown(gathered), gathered))
        stage.moved.set()

    with pytest.MonkeyPatch.context() as patch:
        randbits = SimpleNamespace(randbits=lambda bits: 0xABC if bits == 12 else next(starts))
        patch.setattr("caxton.ids.secrets", randbits)
        patch.setattr("caxton.ids._random_steps", lambda: (1,) * 1_024)
        patch.setattr(
            "caxton.store.schema.functions.secrets", SimpleNamespace(randbits=lambda bits: FILES[len(stage.stores)])
        )
        patch.setattr(worker_main, "random", SimpleNamespace(random=lambda: 0.5))
        patch.setattr(message_calls, "time", SimpleNamespace(time_ns=lambda: CLIENT_MS * 1_000_000))
        patch.setattr(passes, "time", SimpleNamespace(time_ns=lambda: WORKER_MS * 1_000_000))
        patch.setattr(passes, "monotonic_ns", lambda: WORKER_NS)
        patch.setattr("workers.loop.maintenance.monotonic_ns", lambda: stage.now_ns)
        patch.setattr(worker_module, "gc", SimpleNamespace(freeze=lambda: None))
        patch.setattr(worker_module, "TICK_S", NEVER_S)
        patch.setattr(session_module, "TICK_S", NEVER_S)
        patch.setattr(Outlet, "__init__", connect_named)
        patch.setattr(Outlet, "send", send_recorded)
        patch.setattr(ShardStore, "commit", commit_recorded)
        patch.setattr(sandbox_module, "_call_guest", call_recorded)
        yield


class _Long:
    """Bytes that the page shows elsewhere, or not at all."""

    def __init__(self, value):
        self._value = value

    def __repr__(self):
        return f"<{len(self._value)} bytes>"


def shown(commit):
    """Return a commit as the page shows it: what it has, long bytes by their length."""
    fields = {name: short for name in ORDER if (short := _short(getattr(commit, name)))}
    assert {*ORDER, "tried"} == set(commit.__slots__)  # that it was tried is no part of what is written
    return f"Commit({', '.join(f'{name}={value!r}' for name, value in fields.items())})"


def _short(value):
    if isinstance(value, bytes):
        return _Long(value) if len(value) > SHOWN_BYTES else value
    if isinstance(value, Counter):
        return {key: each for key, each in value.items() if each}
    if isinstance(value, dict):
        return {key: _short(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_short(each) for each in value]
    return value._replace(**{n: _short(v) for n, v in value._asdict().items()}) if hasattr(value, "_replace") else value


def keep_modules(stage, engine):
    """Do what the supervisor and its compiler do with an upload."""
    cache = ModuleCache(stage.store / "modules", stage.identity.derived_key("cache"))
    for _, wasm in AGENTS.values():
        artifact = bytes(compile_module(engine, "", wasm).serialize())
        cache.put_artifact(cache.put_source(wasm), engine.engine_id, artifact)


@asynccontextmanager
async def serving(stage, context, shard, incarnation):
    """Open one worker as `workers.main` does, and serve until the block ends."""
    runtime, keys = stage.runtime, [stage.identity.derived_key(purpose) for purpose in ("marks", "naming", "cache")]
    spec = SpawnSpec(str(runtime.path), str(stage.store), shard, incarnation, 0, stage.table, *keys)
    store = await ShardStore.open(stage.store / f"shard-{shard}.db", shard)
    note, engine = CrashNote(runtime.crash_note(incarnation)), GuestEngine()
    stage.stores[incarnation], stage.engines[incarnation] = store, engine
    shard = stage.shards[incarnation] = worker_main._compose(spec, context, store, note, engine, Watchdog(engine))
    data, control = Inlet(runtime.data(incarnation)), Inlet(runtime.control(incarnation))
    supervisor = Outlet(context, runtime.control(SUPERVISOR))
    worker = Worker(shard, data, control, supervisor, stage.marks.mark(incarnation))
    stage.workers[incarnation] = worker
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.serve(None))
        worker.heard_topology(stage.topology(SUPERVISOR))
        yield
        worker.heard_drain(2, replaced=False)
    worker.close()
    shard.peers.close()
    shard.book.close()
    note.close()
    await store.close()


@asynccontextmanager
async def on_stage(stage):
    """Open the desk, the workers and the client, deploy the agents, and let everybody greet everybody."""
    context, lock = new_context(), DirectoryLock(stage.runtime.path)
    async with AsyncExitStack() as open_now:
        open_now.callback(lock.close)
        open_now.callback(end_context, context)
        tasks = await open_now.enter_async_context(asyncio.TaskGroup())
        desk = FrontDesk(Desk(stage.runtime.calls), stage.answer, tasks, pytest.fail, Counter())
        open_now.callback(desk.close)
        for shard, incarnation in enumerate(INCARNATIONS):
            await open_now.enter_async_context(serving(stage, context, shard, incarnation))
        keep_modules(stage, stage.engines[INCARNATIONS[0]])
        client = await open_now.enter_async_context(caxton.connect(stage.runtime.path))
        for name, (encoding, wasm) in AGENTS.items():
            await client.deploy(name, wasm, encoding=encoding)
        await greeted(stage, client)
        yield client


async def greeted(stage, client):
    """Wait until each of the three has heard what the others took, and the files know whom they met."""
    routes = client._open()._routes
    outboxes = [shard.durable.outboxes.by_target for shard in stage.shards.values()]
    await stage.until(lambda: all(route.durable.link.outgoing.greeted for route in routes))
    await stage.until(
        lambda: all(
            len(outbox) == len(INCARNATIONS) and all(w.outgoing.greeted for w in outbox.values()) for outbox in outboxes
        )
    )
    for incarnation, worker in stage.workers.items():
        worker.run_pass()  # its book shows the agents that were deployed
        await stage.quiet(incarnation)


async def _travel(acts):
    with TemporaryDirectory(prefix="cx-") as root:
        stage = Stage(Path(root))
        with pinned(stage):
            async with on_stage(stage) as client:
                return {act.__name__: await act(stage, client) for act in acts}


@pytest.fixture(scope="module")
def journey(acts):
    """What each act gives, by its name: the values that the page shows and the functions that were called, in order.

    acts: coroutine functions of (stage, client), played one after the other.
    """
    return asyncio.run(_travel(acts))


@pytest.fixture(scope="session")
def page(root):
    return (root / "docs/journey.md").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def flat() -> Callable[[object], str]:
    """Return a value as the page shows it, without white space: bytes in hex, others as Python shows them."""

    def shown_flat(value):
        text = value.hex() if isinstance(value, bytes) else value if isinstance(value, str) else repr(value)
        return re.sub(r"\s+", "", text)

    return shown_flat

"""docs/journey.md against the code: a client and two workers run with pinned keys, and the page shows their frames."""

import ast
import asyncio
import importlib
import re
import sys
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
import wasmtime

import caxton
from caxton.client import client as client_module
from caxton.client import session as session_module
from caxton.errors import CaxtonError
from caxton.links.session import SessionMarks, session_id
from caxton.placement.slot_table import SlotTable
from caxton.store.books import read
from caxton.store.database import Database
from caxton.store.directory_lock import DirectoryLock
from caxton.store.module_cache import ModuleCache
from caxton.supervisor.crash_note import CrashNote as WrittenNote
from caxton.supervisor.desk import FrontDesk
from caxton.supervisor.identity import Identity
from caxton.transport.endpoints import SUPERVISOR, RuntimeDir
from caxton.transport.sockets import Desk, Inlet, Outlet, end_context, new_context
from caxton.wire.codec import CONTROL, DATA
from caxton.wire.control import Topology
from caxton.wire.failure import read_report
from caxton.wire.spawn_spec import SpawnSpec
from caxton.wire.supervision import SessionOpened
from workers import main as worker_main
from workers import worker as worker_module
from workers.crash_note import CrashNote
from workers.sandbox import sandbox as sandbox_module
from workers.sandbox.engine import GuestEngine
from workers.sandbox.modules import compile_module
from workers.sandbox.raw_call import FIRST, SECOND
from workers.sandbox.watchdog import Watchdog
from workers.worker import Worker

# What chance, the clock and the supervisor would give; the page says so.
RUNTIME_KEY = bytes(range(32))
SESSION = session_id(0x1234_5678_9ABC_DEF0)
CLIENT_MS, WORKER_MS = 1_767_225_600_000, 1_767_225_600_001
INCARNATIONS = [1, 2]
NEVER_S = 3_600.0
DEADLINE_S = 30.0

CODE = Path(caxton.__file__).parents[1]
PACKAGES = {"caxton", "workers"}
GUESTS = CODE / "caxton/guests"
FAULTS = Path(__file__).parents[1] / "guests/faults.wat"
AGENTS = {
    "echo": ("content", (GUESTS / "echo.wasm").read_bytes()),
    "splitter": ("msgpack", (GUESTS / "splitter.wasm").read_bytes()),
    "counter-0": ("content", (GUESTS / "counter.wasm").read_bytes()),
    "faulty": ("content", bytes(wasmtime.wat2wasm(FAULTS.read_text()))),
}


class Stage:
    """Everything real but the supervisor, and the numbers pinned.

    sent: (name of the inlet, frame) of all that left anybody. calls: what went into a guest and came out. passed: the
    functions that the request passed.
    """

    def __init__(self, root):
        self.runtime, self.store = RuntimeDir(root / "r"), root / "d"
        self.runtime.check()
        self.store.mkdir(mode=0o700)
        self.identity = Identity(self.store / "identity", RUNTIME_KEY, 1, 1, len(INCARNATIONS))
        self.marks = SessionMarks(self.identity.derived_key("marks"))
        self.table = SlotTable.even(len(INCARNATIONS))
        self.sent, self.calls, self.workers, self.rooms, self.engines = [], [], {}, {}, {}
        self.passed = []
        self.moved = asyncio.Event()

    def topology(self, peer):
        states = ["ready"] * len(INCARNATIONS)
        return Topology(SUPERVISOR, self.marks.mark(peer), 1, self.table, INCARNATIONS, states)

    async def answer(self, caller, request):
        naming_key = self.identity.derived_key("naming")
        return SessionOpened(SESSION, self.marks.mark(SESSION), naming_key, self.topology(SESSION))

    def note(self, incarnation):
        return WrittenNote.read(self.runtime.crash_note(incarnation))

    def book(self, peer):
        return read(self.runtime.book(peer))

    async def until(self, claim):
        """Let the loop go on until the claim holds."""
        async with asyncio.timeout(DEADLINE_S):
            while not claim():  # noqa: ASYNC110 (nothing tells of it, and it is a matter of one frame)
                await asyncio.sleep(0)

    async def first(self, inlet, since, codec, wanted=lambda value: True):
        """Wait for the first frame that left for an inlet after the first `since` of all; return (bytes, value)."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for name, frame in self.sent[since:]:
                    if name == inlet and wanted(value := codec.decode(frame)):
                        return frame, value
                self.moved.clear()
                await self.moved.wait()


@contextmanager
def pinned(stage):
    """Pin chance and the clocks, stop the ticks, and record what leaves and what guests are called with."""
    starts = count(0x1000, 0x1000)
    connect, send, call = Outlet.__init__, Outlet.send, sandbox_module._call_guest

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

    with pytest.MonkeyPatch.context() as patch:
        randbits = SimpleNamespace(randbits=lambda bits: 0xABC if bits == 12 else next(starts))
        patch.setattr("caxton.ids.secrets", randbits)
        patch.setattr(client_module, "time", SimpleNamespace(time_ns=lambda: CLIENT_MS * 1_000_000))
        patch.setattr(worker_module, "time", SimpleNamespace(time_ns=lambda: WORKER_MS * 1_000_000))
        patch.setattr(worker_module, "gc", SimpleNamespace(freeze=lambda: None))
        patch.setattr(worker_module, "TICK_S", NEVER_S)
        patch.setattr(session_module, "TICK_S", NEVER_S)
        patch.setattr(Outlet, "__init__", connect_named)
        patch.setattr(Outlet, "send", send_recorded)
        patch.setattr(sandbox_module, "_call_guest", call_recorded)
        yield


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
    database, note = await Database.open(stage.store / f"shard-{shard}.db"), CrashNote(runtime.crash_note(incarnation))
    engine = stage.engines[incarnation] = GuestEngine()
    rooms = stage.rooms[incarnation] = worker_main._furnish(spec, context, database, note, engine, Watchdog(engine))
    data, control = Inlet(context, runtime.data(incarnation)), Inlet(context, runtime.control(incarnation))
    supervisor = Outlet(context, runtime.control(SUPERVISOR))
    worker = Worker(rooms, data, control, supervisor, stage.marks.mark(incarnation))
    stage.workers[incarnation] = worker
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.serve(0))
        worker.heard_topology(stage.topology(SUPERVISOR))
        yield
        worker.heard_drain(2)
    worker.close()
    rooms.peers.close()
    rooms.book.close()
    note.close()
    await database.close()


@asynccontextmanager
async def on_stage(stage):
    """Open the desk, the workers and the client, and deploy the agents."""
    context, lock = new_context(), DirectoryLock(stage.runtime.path)
    async with AsyncExitStack() as open_now:
        open_now.callback(lock.close)
        open_now.callback(end_context, context)
        tasks = await open_now.enter_async_context(asyncio.TaskGroup())
        desk = FrontDesk(Desk(context, stage.runtime.calls), stage.answer, tasks, pytest.fail, Counter())
        open_now.callback(desk.close)
        for shard, incarnation in enumerate(INCARNATIONS):
            await open_now.enter_async_context(serving(stage, context, shard, incarnation))
        keep_modules(stage, stage.engines[INCARNATIONS[0]])
        client = await open_now.enter_async_context(caxton.connect(stage.runtime.path))
        for name, (encoding, wasm) in AGENTS.items():
            await client.deploy(name, wasm, encoding=encoding)
        yield client


def counted(after, before):
    """Return what grew. A socket may wake a worker once more for nothing, so passes are left out."""
    grew = {name: n - before.counters[name] for name, n in after.counters.items() if name != "passes"}
    return {name: n for name, n in grew.items() if n}


@contextmanager
def watched(calls):
    """Note, in order, each function of the project that is called: (file, qualified name)."""

    def note(frame, event, argument):
        code = frame.f_code
        if event == "call" and (path := Path(code.co_filename)).is_relative_to(CODE):
            file = path.relative_to(CODE)
            if file.parts[0] in PACKAGES:  # where they are installed, others are beside them
                calls.append((str(file), code.co_qualname))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before)


async def request(stage, client):
    """Send the request of the page's first part; return its values by their names on the page."""
    echo = client.id_of("echo")
    owner = INCARNATIONS[stage.table.shard_of(echo)]
    stage.workers[owner].run_pass()  # its book shows the agents that were deployed
    session, before, since = f"s-{SESSION:016x}", stage.book(owner), len(stage.sent)
    with watched(stage.passed):
        answer = await client.request("echo", b"hello")
        after = stage.book(owner)
        frame, out = await stage.first(f"w-{owner}.data", since, DATA)
        reply_frame, back = await stage.first(f"{session}.data", since, DATA)
        state_frame, state = await stage.first(f"{session}.control", since, CONTROL)
        await stage.until(lambda: client._session._routes[owner - 1].worker.link.outgoing.acknowledged)
        client._session._tick()
        _, last = await stage.first(f"w-{owner}.control", since, CONTROL)
        outgoing = stage.rooms[owner].peers.by_number[SESSION].link.outgoing
        await stage.until(lambda: outgoing.acknowledged)
    alloc, handled = stage.calls[0], stage.calls[1]
    sandbox = stage.rooms[owner].registry.agents[echo].sandbox
    (pointer, size), result, note = handled
    assert sandbox._memory[pointer : pointer + size].tobytes() == answer.content == b"hello"
    return {
        "the id": f"{echo:#x} & 1023 = {echo & 1023}",
        "the slot": f"owners[{echo & 1023}] = {stage.table.shard_of(echo)}",
        "the envelope": out.messages[0],
        "the data frame": frame,
        "the book, emitted": f"{{{owner}: {stage.book(SESSION).links[owner]!r}}}",
        "the book before": before.links,
        "the crash note": f"root_source={note.root_source}, root_sequence={note.root_sequence}, agent={note.agent}",
        "the call for a buffer": f"caxton_alloc({alloc[0][0]}) = {alloc[1]}",
        "the call": f"handle_message({pointer}, {size}) = {result}",
        "the i64": f"{result} = {result >> 32} << 32 | {result & 0xFFFF_FFFF}",
        "the reply": back.messages[0],
        "the reply frame": reply_frame,
        "the book after": after.links,
        "what was counted": counted(after, before),
        "the link state": state,
        "the link state frame": state_frame,
        "the message": answer,
        "the last link state": last,
    }


async def agent_to_agent(stage, client):
    """Send a text to the splitter, and follow its word to the counter on the other worker."""
    source, target = (INCARNATIONS[stage.table.shard_of(client.id_of(name))] for name in ("splitter", "counter-0"))
    assert source != target
    since, called = len(stage.sent), len(stage.calls)
    await client.send("splitter", b"counter- 1\nhello")
    frame, word = await stage.first(f"w-{target}.data", since, DATA)
    _, state = await stage.first(f"w-{source}.control", since, CONTROL, lambda value: value.source == target)
    splitting = next(call for call in stage.calls[called:] if call[2].agent == client.id_of("splitter") and call[0][1])
    registry = stage.rooms[source].registry
    sandbox = registry.agents[client.id_of("splitter")].sandbox
    (pointer, size), result, _ = splitting
    counting = stage.calls[-1]
    return {
        "what the splitter reads": sandbox._memory[pointer : pointer + size].tobytes(),
        "what the splitter writes": sandbox._memory[result >> 32 : (result >> 32) + (result & 0xFFFF_FFFF)].tobytes(),
        "the word": word.messages[0],
        "the frame between workers": frame,
        "the counter's note": f"root_source={counting[2].root_source}, root_sequence={counting[2].root_sequence}",
        "the counter's answer": f"handle_message({counting[0][0]}, {counting[0][1]}) = {counting[1]}",
        "the link state between workers": state,
        "the counter's worker's book": f"{{{source}: {stage.book(target).links[source]!r}}}",
        "the splitter's worker's book": f"{{{target}: {stage.book(source).links[target]!r}}}",
    }


async def troubles(stage, client):
    """Let an agent trap, and speak to nobody."""
    session, since = f"s-{SESSION:016x}", len(stage.sent)
    with pytest.raises(CaxtonError) as trapped:
        await client.request("faulty", b"\0")
    _, failure = await stage.first(f"{session}.data", since, DATA)
    since = len(stage.sent)
    with pytest.raises(CaxtonError) as unknown:
        await client.request("nobody", b"hello")
    _, state = await stage.first(f"{session}.control", since, CONTROL)
    assert repr(read_report(failure.messages[0].content)) == repr(trapped.value)
    return {
        "the failure": failure.messages[0],
        "the error of a trap": f"{type(trapped.value).__name__}: {trapped.value}",
        "the refusal": state.refusals[0],
        "the error of a refusal": f"{type(unknown.value).__name__}: {unknown.value}",
    }


async def travel():
    with TemporaryDirectory(prefix="cx-") as root:
        stage = Stage(Path(root))
        with pinned(stage):
            async with on_stage(stage) as client:
                numbers = {"this client": SESSION} | {f"`{name}`": client.id_of(name) for name in AGENTS}
                found = {who: f"| {who} | `{n:016x}` | {int(n)} |" for who, n in numbers.items()}
                for part in (request, agent_to_agent, troubles):
                    found |= await part(stage, client)
    return found, stage.passed


@pytest.fixture(scope="module")
def journey():
    """The values that the page shows, by name, and the functions that the request passed, in order."""
    return asyncio.run(travel())


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs/journey.md").read_text(encoding="utf-8")


def flat(value):
    """Return a value as the page shows it, without white space: bytes in hex, others as Python shows them."""
    text = value.hex() if isinstance(value, bytes) else value if isinstance(value, str) else repr(value)
    return re.sub(r"\s+", "", text)


def without_notes(text):
    """Return text without what the page says beside a value, after two spaces and a #."""
    return re.sub(r" {2,}# .*", "", text)


def test_the_page_shows_what_travels(journey, page):
    """Every frame, message, book and number that the run gives stands on the page, to the byte."""
    shown = flat(without_notes(page))

    assert {name: flat(value) for name, value in journey[0].items() if flat(value) not in shown} == {}


def test_the_page_shows_nothing_else(journey, page):
    """Every block of the page is one of the values that the run gives."""
    blocks = [flat(without_notes(block)) for block in re.findall(r"^```\w*\n(.*?)^```", page, re.MULTILINE | re.DOTALL)]

    assert blocks
    assert set(blocks) - {flat(value) for value in journey[0].values()} == set()


def test_no_file_that_the_request_passes_is_left_out(journey, page):
    """Every file in which a function ran for the request is named on the page."""
    assert {file for file, _ in journey[1] if f"`{file}" not in page} == set()


def test_the_doors_stand_in_order(journey, page):
    """The functions at the request's doors were called in the order of the page, section by section."""
    _, _, request_part = page.partition("# The request\n")
    request_part, _, _ = request_part.partition("\n# ")
    sections = [DOOR.findall(section) for section in request_part.split("\n## ")]

    assert sum(map(len, sections)) > 20
    for doors in sections:
        calls = iter(journey[1])
        assert [door for door in doors if door not in calls] == []  # each `in` goes on where the last one ended


def test_every_name_on_the_page_is_in_the_code(sources, tree, page):
    """Every function, class, attribute and file that the page names in code style exists."""
    names, members = names_in([tree(path) for path in sources("caxton", "workers")])
    names |= {*AGENTS, "hello", "nobody"}
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL))
    lost = [span for span in spans if not exists(span, names, members)]

    assert len(spans) > 100
    assert lost == []


DOOR = re.compile(r"^\*\*\d+\.\*\* `([\w/]+\.py):([\w.]+)`", re.MULTILINE)
IN_FILE = re.compile(r"((?:caxton|workers)/[\w/]+\.\w+)(?::([\w.]+))?")
NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?:\(\))?")


def names_in(modules):
    """Return every name and word that the code has, and the names inside each class."""
    names, members = set(), {}
    for module in modules:
        names |= set(words_of(module))
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef):
                members.setdefault(node.name, set()).update(words_of(node))
    return names, members


def words_of(tree):
    fields = {ast.Name: "id", ast.Attribute: "attr", ast.arg: "arg", ast.keyword: "arg", ast.Constant: "value"}
    definitions = dict.fromkeys((ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef), "name")
    for node in ast.walk(tree):
        word = getattr(node, (fields | definitions).get(type(node), "_"), None)
        if isinstance(word, str):
            yield word


def exists(span, names, members):
    """True for what is in the code, and for what claims not to be a name."""
    if in_file := IN_FILE.fullmatch(span):
        path, name = in_file.groups()
        return (CODE / path).exists() and (name is None or defines(path, name))
    if not NAME.fullmatch(span):
        return True
    first, *rest = span.removesuffix("()").split(".")
    if not rest:
        return first in names
    return rest[0] in members.get(first, ()) or hasattr(importlib.import_module("caxton"), rest[0])


def defines(path, name):
    """True when the module at `path` has the attribute, or the class and its method."""
    value = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    for part in name.split("."):
        if not hasattr(value, part):
            return False
        value = getattr(value, part)
    return True

"""One worker without processes: its rooms and its loop as they are, its sockets and its guests in the test's hands."""

import asyncio
from collections import deque
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from caxton.acl.envelope import Envelope
from caxton.agents.lifecycle import AgentState
from caxton.agents.limits import Limits
from caxton.agents.manifest import Encoding, Manifest
from caxton.errors import StorageError
from caxton.ids import AgentNames
from caxton.links.session import SessionMarks
from caxton.placement.slot_table import SlotTable
from caxton.store import books
from caxton.store.books import Book
from caxton.transport.endpoints import RuntimeDir
from caxton.wire.codec import CONTROL, DATA
from caxton.wire.frames import DataFrame
from workers.dispatcher import Dispatcher
from workers.lifecycle import Lifecycle
from workers.parking import Parking
from workers.peers import Peers
from workers.placing import Placing
from workers.pressure import Pressure
from workers.registry import Agent, Registry
from workers.rooms import Rooms
from workers.routes import Routes
from workers.sandbox.modules import ModuleMissing
from workers.worker import Worker
from workers.worker_pass import COUNTERS

KEY = bytes(32)
OWN, OTHER = 7, 8
SESSION = 1 << 63
COUNT = count()


class Wire:
    """An outlet whose frames the test reads; it has room while `open`."""

    def __init__(self, _context=None, endpoint="", _most_frames=0):
        self.endpoint = endpoint
        self.frames = []
        self.open = True
        self.closed = False

    def send(self, frame):
        if self.open:
            self.frames.append(bytes(frame))
        return self.open

    def close(self):
        self.closed = True


class Post:
    """An inlet that the test fills."""

    def __init__(self):
        self.frames = deque()

    def receive(self):
        return self.frames.popleft() if self.frames else None


class Scripted:
    """Guests whose turns the test writes: `script(agent, message)` returns the effects; `clock` may take time."""

    def __init__(self, routes):
        self.routes = routes
        self.instances = 0
        self.taken = []
        self.script = lambda _agent, _message: []
        self.clock = None
        self.a_pass = None

    def begin(self, a_pass):
        self.a_pass = a_pass

    def take(self, agent, message, source, sequence, _expires_ns):
        self.taken.append((agent, message))
        effects = self.script(agent, message)
        if effects:
            self.routes.send(agent, effects, (source, sequence))
        return self.a_pass.now_ns if self.clock is None else self.clock()

    def ended(self):
        pass

    def close(self, agent):
        pass


class InMemory:
    """Registrations that are stored nowhere; `broken` makes every call fail."""

    def __init__(self):
        self.broken = False
        self.states = {}

    def _look(self):
        if self.broken:
            raise StorageError("shard-0.db", "the disk is full")

    async def add(self, agents, _now_ms):
        self._look()
        self.states |= {agent_id: AgentState.RUNNING for agent_id, _ in agents}

    async def set_state(self, agent_id, state, _now_ms):
        self._look()
        self.states[agent_id] = state

    async def remove(self, agent_ids):
        self._look()
        for agent_id in agent_ids:
            self.states.pop(agent_id, None)


class Shard:
    """The rooms of a worker, its loop, and what the outside says to it."""

    def __init__(self, directory, shards=1, sessions=4):
        self.registry, self.dispatcher, self.parking = Registry(), Dispatcher(), Parking()
        self.marks, self.table = SessionMarks(KEY), SlotTable.even(shards)
        self.peers = Peers(None, RuntimeDir(Path(directory)), OWN, self.marks)
        self.pressure = Pressure(self.peers)
        self.placing = Placing(self.registry, self.dispatcher, self.pressure, 0, self.table)
        self.routes = Routes(self.registry, self.peers, self.placing, self.parking, 0)
        self.turns = Scripted(self.routes)
        self.path = Path(directory) / f"{next(COUNT)}.book"
        self.book = Book.create(self.path, OWN, tuple(COUNTERS), peers=64)
        self.stored = InMemory()
        self.lifecycle = Lifecycle(
            registry=self.registry,
            stored=self.stored,
            modules=SimpleNamespace(load=self._module),
            names=AgentNames(KEY),
            turns=self.turns,
            dispatcher=self.dispatcher,
            parking=self.parking,
            routes=self.routes,
            pressure=self.pressure,
            shard=0,
            table=self.table,
        )
        self.rooms = Rooms(
            0,
            OWN,
            self.registry,
            self.peers,
            self.placing,
            self.dispatcher,
            self.parking,
            self.routes,
            self.turns,
            self.lifecycle,
            self.pressure,
            self.book,
        )
        self.peers.serve([OWN, *range(OTHER, OTHER + shards - 1)])
        self.data, self.control, self.supervisor = Post(), Post(), Wire()
        self.runner = asyncio.Runner()
        self.worker = self.runner.run(self._make_worker())
        self.worker._calls = SimpleNamespace(take=lambda _peer, _call: None, draining=False)
        self._emitted = {}
        self.sessions = [SESSION + n for n in range(sessions)]

    def _module(self, sha256):
        raise ModuleMissing(sha256)

    async def _make_worker(self):
        return Worker(self.rooms, self.data, self.control, self.supervisor, self.marks.mark(OWN))

    def agent(self, number, *, shard=0, capacity=1_000, encoding=Encoding.MSGPACK, enter=True, **limits):
        """A running agent, entered in the registry; its number and its shard make its id."""
        manifest = Manifest(f"a{number}", bytes(32), encoding, (), Limits(mailbox_capacity=capacity, **limits))
        agent = Agent((number << 10) | shard, manifest)
        agent.become(AgentState.LOADED)
        agent.become(AgentState.RUNNING)
        if enter:
            self.registry.add(agent)
        return agent

    def frame(self, source, messages, *, first=None, **fields):
        """Put a data frame of `source` before the worker, next in sequence unless `first` is given."""
        start = self._emitted.get(source, 0) + 1 if first is None else first
        plain = {"mark": self.marks.mark(source), "target": OWN, "lane": 0, "resent": False}
        if first is None:
            self._emitted[source] = start + len(messages) - 1
        self.data.frames.append(bytes(DATA.encode(DataFrame(source, first=start, messages=messages, **plain | fields))))

    def say(self, control):
        """Put a control frame before the worker, and let it be taken."""
        self.control.frames.append(bytes(CONTROL.encode(control)))
        self.worker._take_control()

    def step(self):
        """One pass."""
        self.worker.run_pass()

    def settle(self):
        """Passes until the worker does not ask for another one."""
        self.worker.run_pass()
        while self.worker._woken:
            self.runner.run(asyncio.sleep(0))

    def tick(self):
        """What happens every 200 ms, and the pass after it."""
        self.worker._tick()
        self.settle()

    def counts(self):
        """The book's counters as committed."""
        return books.read(self.path).counters

    def emitted(self, number):
        """The messages that left for a peer."""
        peer = self.peers.find(number)
        return [m for frame in peer._data.frames for m in DATA.decode(frame).messages]

    def close(self):
        self.book.close()
        self.path.unlink(missing_ok=True)
        self.runner.close()


class Numbered:
    """Makes messages with ids that tell them apart."""

    def __init__(self):
        self.made = 0

    def __call__(self, sender, receiver, *, level=5, content=b"x", **fields):
        self.made += 1
        return Envelope(self.made.to_bytes(16, "big"), 7, int(sender), int(receiver), content, level=level, **fields)


@pytest.fixture
def message():
    """A function that makes an envelope: sender, receiver, and what matters."""
    return Numbered()


@pytest.fixture
def make_shard(tmp_path, monkeypatch):
    """A function that makes a worker's rooms in memory; they are closed when the test ends."""
    monkeypatch.setattr("workers.peers.Outlet", Wire)
    made = []

    def make(**options):
        shard = Shard(tmp_path, **options)
        made.append(shard)
        return shard

    yield make
    for shard in made:
        shard.close()


@pytest.fixture
def shard(make_shard):
    """One shard of one."""
    return make_shard()

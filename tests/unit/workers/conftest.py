"""One worker without processes: its shard and its loop as they are, its sockets and its guests in the test's hands."""

import asyncio
import struct
from collections import deque
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from caxton.acl.envelope import DURABLE, Envelope
from caxton.agents.lifecycle import AgentState
from caxton.agents.limits import Limits
from caxton.agents.manifest import Encoding, Manifest
from caxton.config.delivery import DEFAULT_DELIVERY
from caxton.errors import MessageExpired, StorageError
from caxton.ids import AgentNames
from caxton.links.session import SessionMarks
from caxton.placement.slot_table import SlotTable
from caxton.store import books
from caxton.store.agents import StoredAgents
from caxton.store.books import Book
from caxton.store.shard_store import ShardStore
from caxton.transport.descriptors import MAX_SESSIONS
from caxton.transport.endpoints import RuntimeDir
from caxton.wire.codec import CONTROL, DATA
from caxton.wire.counters import COUNTERS
from caxton.wire.frames import DataFrame
from workers.agents.registry import Agent
from workers.composition import Ground, compose
from workers.loop.worker import Worker
from workers.peers.peers import Peers
from workers.sandbox.guest_messages import GuestOutput
from workers.sandbox.modules import ModuleMissing
from workers.turns.turn import Turns
from workers.watching.watching import Watching
from workers.worker_pass import HISTOGRAMS

KEY = bytes(32)
OWN, OTHER = 7, 8
SESSION = 1 << 63
# The store of a shard that has none.
FILE = 6_000
COUNT = count()


class Wire:
    """An outlet whose frames the test reads; it has room while `open`."""

    def __init__(self, _context=None, endpoint="", most_frames=0):
        self.endpoint = endpoint
        self.most_frames = most_frames
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

    def __init__(self, routes, _durable):
        self.routes = routes
        self.instances = self.overruns = self.most_instances = 0
        self.taken = []
        self.script = lambda _agent, _message: []
        self.clock = None
        self.a_pass = None

    def begin(self, a_pass):
        self.a_pass = a_pass

    def take(self, agent, message, source, sequence, _expires_ns, _delivery):
        self.taken.append((agent, message))
        effects = self.script(agent, message)
        if effects:
            self.routes.send_effects(effects, (source, sequence), agent, message)
        return self.a_pass.now_ns if self.clock is None else self.clock()

    def expire(self, agent, message, _delivery):
        self.a_pass.counts["expired"] += 1
        self.a_pass.turns += 1
        self.routes.fail(message, MessageExpired(agent.label, message.timeout_ms / 1000))

    def ended(self):
        pass

    def rest(self):
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

    async def add(self, agents, _now_ms, audit=()):
        self._look()
        self.states |= {agent_id: AgentState.RUNNING for agent_id, _ in agents}

    async def set_state(self, agent_id, state, _now_ms, audit=()):
        self._look()
        self.states[agent_id] = state

    async def drain(self, agent_id, _now_ms, _until_ms, audit=()):
        self._look()
        self.states[agent_id] = AgentState.DRAINING

    async def remove(self, agent_ids, audit=()):
        self._look()
        for agent_id in agent_ids:
            self.states.pop(agent_id, None)


class Guest:
    """A sandbox whose guest is a function of what it is given; `fuel_used` is what a view shows."""

    fuel_used = 3
    used_ns = 0

    def __init__(self, work):
        self.work = work
        self.closed = False

    def handle(self, content, *_now_ns):
        return self.work(content)

    def close(self):
        self.closed = True


class Guests(Turns):
    """Turns as they are, in guests that the test writes: `work(agent, what it is given)` returns bytes, or raises.

    ran: agents and what they were given, turn by turn.
    """

    def __init__(self, routes, durable):
        note, output = SimpleNamespace(cells=[0] * 7), GuestOutput(AgentNames(KEY), routes.pick, routes.everyone)
        attempts, journal, keys = durable.attempts, durable.journal, durable.keys
        watchdog = SimpleNamespace(overruns=0, rest=lambda: None)
        super().__init__(
            SimpleNamespace(max_sandboxes=9),
            None,
            watchdog,
            note,
            output,
            routes,
            attempts,
            journal,
            keys,
            lambda *_: None,
        )
        self.ran = []
        self.work = lambda _agent, _given: None

    def _instantiate(self, agent):
        def work(given):
            self.ran.append((agent, given))
            return self.work(agent, given)

        agent.sandbox = Guest(work)
        self.instances += 1
        return agent.sandbox


class Shard:
    """The shard of a worker, its loop, and what the outside says to it.

    durable: with a real file, and turns as they are (`Guests`); otherwise the turns are `Scripted`, and nothing of
    the durable lane is committed. gone: sessions whose clients hold their lock no more. principals: for whom sessions
    say that they act.
    """

    def __init__(
        self, directory, shards=1, sessions=4, *, durable=False, own=OWN, path=None, delivery=DEFAULT_DELIVERY
    ):
        self.runner = asyncio.Runner()
        self.own, self.gone, self.closed, self.principals = own, set(), False, {}
        self.marks, self.table = SessionMarks(KEY), SlotTable.even(shards)
        self.file = path or Path(directory) / f"shard-{next(COUNT)}.db"
        self.path = Path(directory) / f"{next(COUNT)}.book"
        self.book = Book.create(self.path, own, tuple(COUNTERS), 64, HISTOGRAMS)
        self.store = self.runner.run(self._open_store()) if durable else None
        self.stored = StoredAgents(self.store.database) if durable else InMemory()
        ground = Ground(
            number=0,
            table=self.table,
            names=AgentNames(KEY),
            peers=Peers(
                None,
                RuntimeDir(Path(directory)),
                own,
                self.marks,
                MAX_SESSIONS,
                self._lives,
                self._claimed,
                delivery.outbound_queue_size,
            ),
            book=self.book,
            store=self.store if durable else SimpleNamespace(file_id=FILE, database=SimpleNamespace(audit_head=None)),
            stored=self.stored,
            modules=SimpleNamespace(load=self._module, touch=lambda _: True, touch_all=lambda _: None),
            delivery=delivery,
            dead_letter_capacity=delivery.dead_letter_capacity,
            lives=self._lives,
            dice=lambda: 0.0,
            watching=Watching(0, lambda agent: self.table.shard_of(agent) == 0),
        )
        self.parts = compose(ground, Guests if durable else Scripted)
        for name in ("registry", "peers", "dispatcher", "backlogs", "placing", "routes", "turns", "lifecycle"):
            setattr(self, name, getattr(self.parts, name))
        self.pressure, self.durable = self.parts.pressure, self.parts.durable
        self.peers.serve([own, *range(OTHER, OTHER + shards - 1)])
        self.parts.capabilities.serve([own, *range(OTHER, OTHER + shards - 1)])
        self.data, self.control, self.supervisor = Post(), Post(), Wire()
        self.worker = self.runner.run(self._make_worker())
        self.soon, self.timers = deque(), []
        self.worker._loop = SimpleNamespace(call_soon=self.soon.append, call_later=self._call_later)
        self.worker._calls = SimpleNamespace(take=lambda _peer, _call: None, draining=False, stop_drained=lambda: None)
        self._emitted = {}
        self.sessions = [SESSION + n for n in range(sessions)]

    def _call_later(self, after_s, call):
        (self.timers if after_s else self.soon).append(call)

    def _claimed(self, session):
        return self.principals.get(session, "")

    def _lives(self, session):
        return session not in self.gone

    async def _open_store(self):
        return await ShardStore.open(self.file, 0)

    def _module(self, sha256):
        raise ModuleMissing(sha256)

    async def _make_worker(self):
        return Worker(self.parts, self.data, self.control, self.supervisor, self.marks.mark(self.own))

    def agent(self, number, *, shard=0, capacity=1_000, encoding=Encoding.MSGPACK, enter=True, can=(), **limits):
        """A running agent, entered in the registry; its number and its shard make its id. can: its capabilities."""
        manifest = Manifest(f"a{number}", bytes(32), encoding, can, Limits(mailbox_capacity=capacity, **limits))
        agent = Agent((number << 10) | shard, manifest, self.durable.journal.absences)
        agent.become(AgentState.LOADED)
        agent.become(AgentState.RUNNING)
        if enter:
            self.registry.add(agent)
            if self.store is not None:
                self.runner.run(self.stored.add([(agent.agent_id, manifest)], 0))
        return agent

    def frame(self, source, messages, *, first=None, **fields):
        """Put a data frame of `source` before the worker, next in sequence unless `first` is given."""
        start = self._emitted.get(source, 0) + 1 if first is None else first
        mark = self.marks.mark(source, self.principals.get(source, ""))
        plain = {"mark": mark, "target": self.own, "lane": 0, "resent": False}
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
        while self.soon:
            self.soon.popleft()()

    def tick(self):
        """What happens every 200 ms, and the pass after it."""
        self.worker._tick()
        self.settle()

    def elapse(self):
        """What timers have set for later happens now, and the pass after it."""
        timers, self.timers = self.timers, []
        for call in timers:
            call()
        self.settle()

    def commit(self):
        """One commit of what is gathered, and what it releases."""
        self.runner.run(self.worker._committer.commit())

    def work(self):
        """Passes, commits and reads until nothing is left to do."""
        self.settle()
        while self.worker._woken or self.durable.journal.urgent or self.page():
            if self.durable.journal.urgent:
                self.commit()
            self.settle()

    def page(self):
        """Read what waits on disk and memory has room for; False when there is nothing of the kind."""
        return self.durable.disk.messages > 0 and self.runner.run(self.worker._passes.paging.read())

    def recover(self, note=None):
        """Go on from what the file holds; `note` is the numbers of the last worker's crash note."""
        raw = None if note is None else struct.pack("<7Q", *note)
        self.runner.run(self.worker._recover(raw))

    def ledger(self):
        """The books of the file."""
        return self.runner.run(self.store.ledger())

    def counts(self):
        """The book's counters as committed."""
        return books.read(self.path).counters

    def emitted(self, number):
        """The messages that left for a peer."""
        peer = self.peers.find(number)
        return [m for frame in peer._data.frames for m in DATA.decode(frame).messages]

    def close(self):
        """Let go of everything; what is gathered and not committed is lost. Closing twice is fine."""
        if self.closed:
            return
        self.closed = True
        self.book.close()
        self.path.unlink(missing_ok=True)
        if self.store is not None:
            self.runner.run(self.store.close())
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
def durable_message(message):
    """The same for the durable lane."""
    return lambda sender, receiver, **fields: message(sender, receiver, **({"flags": DURABLE} | fields))


@pytest.fixture
def make_shard(tmp_path, monkeypatch):
    """A function that makes a worker's shard; it is closed when the test ends."""
    monkeypatch.setattr("workers.peers.peers.Outlet", Wire)
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

"""Some shards over all lives of their workers, and clients, as they are; what is around them is the test's to play."""

import asyncio
from contextlib import contextmanager
from itertools import count
from types import SimpleNamespace

import pytest
from msgspec import structs

from caxton.agents.lifecycle import AgentState
from caxton.agents.limits import Limits
from caxton.agents.manifest import Encoding, Manifest
from caxton.client.client import Client
from caxton.client.runtime_line import RuntimeLine
from caxton.client.session.session import Session
from caxton.config.delivery import DeliverySettings
from caxton.errors import StorageFull
from caxton.ids import AgentNames
from caxton.links.session import SessionMarks
from caxton.placement.slot_table import SlotTable
from caxton.store.agents import StoredAgents
from caxton.store.books import Book
from caxton.store.shard_store import ShardStore
from caxton.transport.endpoints import RuntimeDir
from caxton.wire.control import Topology
from caxton.wire.counters import COUNTERS
from caxton.wire.supervision import SessionOpened
from workers.composition import Ground, compose
from workers.loop.worker import Worker
from workers.peers.peers import Peers
from workers.watching.watching import Watching
from workers.worker_pass import HISTOGRAMS

KEY = bytes(32)
FIRST_SESSION = 1 << 63
TICK_S = 0.2
DELIVERY = DeliverySettings(breaker_threshold=4, breaker_timeout_s=5.0)
# Turns of the loop in which nothing moves: then nothing will before time goes by.
STILL = 6
# In which all has to come to an end that a step causes.
MOST_TURNS = 20_000


class Seat:
    """One shard, over all lives of its worker.

    disk: `good`, `slow` (a commit does not end) or `full`. stands_still: as a process that is stopped.
    """

    def __init__(self, number, directory, runtime):
        self.number, self.directory, self.runtime = number, directory, runtime
        self.around, self.loop, self.net = runtime.around, runtime.loop, runtime.net
        self.disk, self.stands_still = "good", False
        self.disk_is_other = asyncio.Event()
        self.worker = self.shard = self.store = self._serving = None
        self.incarnation = 0

    def start(self):
        """Let a worker serve the shard."""
        self.incarnation = next(self.runtime.incarnations)
        self.runtime.run(self._open())

    async def _open(self):
        own, directory, runtime = self.incarnation, self.directory, self.runtime
        self.store = await ShardStore.open(directory / f"shard-{self.number}.db", self.number)
        self._gate(self.store)
        ground = Ground(
            number=self.number,
            table=runtime.table,
            names=runtime.names,
            peers=Peers(None, runtime.runtime, own, runtime.marks, 8, lambda _session: True, lambda _session: ""),
            book=Book.create(directory / f"{own}.book", own, tuple(COUNTERS), 64, HISTOGRAMS),
            store=self.store,
            stored=StoredAgents(self.store.database),
            modules=SimpleNamespace(load=None, touch=lambda _: True, touch_all=lambda _: None),
            delivery=runtime.delivery,
            dead_letter_capacity=10_000,
            lives=lambda _session: True,
            dice=lambda: 0.0,
            watching=Watching(self.number, lambda agent: runtime.table.shard_of(agent) == self.number),
        )
        self.shard = compose(ground, lambda routes, lane: self.around.Guests(runtime.work, routes, lane))
        if len(runtime.seats) == 1:
            self.shard.peers.serve([own])
        data, control = self.around.Inlet(runtime.runtime.data(own)), self.around.Inlet(runtime.runtime.control(own))
        supervisor = self.around.Supervisor()
        self.worker = Worker(self.shard, data, control, supervisor, runtime.marks.mark(own))
        self._serving = self.loop.create_task(self.worker.serve(None))
        ready = self.loop.create_task(supervisor.heard_ready.wait())
        await asyncio.wait({self._serving, ready}, return_when=asyncio.FIRST_COMPLETED)
        assert ready.done(), self._serving.exception()
        for name in ("run_pass", "_tick"):
            setattr(self.worker, name, self._unless_it_stands_still(getattr(self.worker, name)))

    def _unless_it_stands_still(self, does):
        return lambda: None if self.stands_still else does()

    def stop_or_go_on(self, *, stop):
        """Let the worker stand still as a process that is stopped, or go on."""
        self.stands_still = stop
        if self.worker is not None and not stop:
            self.loop.call_soon(self.worker._wake)

    def _gate(self, store):
        write, read, runtime = store.commit, store.waiting, self.runtime

        async def commit(what):
            while self.disk == "slow":
                self.disk_is_other.clear()
                await self.disk_is_other.wait()
            if self.disk == "full":
                raise StorageFull("shard.db", "no room")
            with runtime.writing():
                await write(what)

        async def waiting(*what):
            with runtime.writing():
                return await read(*what)

        store.commit, store.waiting = commit, waiting

    def kill(self):
        """End the worker without a word; what it had not committed, and what was on its way to it, is gone."""
        self.stands_still = False
        if self.worker is None:
            return
        self._serving.cancel()
        self.runtime.run(asyncio.wait([self._serving]))
        self.let_go()
        for name in (self.runtime.runtime.data, self.runtime.runtime.control):
            self.net.queues[name(self.incarnation)].clear()
        self.worker, self.incarnation = None, 0

    def let_go(self):
        """Close what a worker has open. Closing twice is fine."""
        store, self.store = self.store, None
        if store is not None:
            self.runtime.run(store.close())  # a connection that is not closed hangs the interpreter's exit
        shard, self.shard = self.shard, None
        if shard is not None:
            shard.book.close()

    def set_disk(self, how):
        """Let the disk be good, slow or full."""
        self.disk = how
        self.disk_is_other.set()

    @property
    def is_writing(self):
        """True while a commit is under way that will end by itself."""
        return self.worker is not None and self.disk == "good" and self.worker._committer._under_way is not None

    def deliver(self):
        """Let the worker take what has arrived; returns whether anything had."""
        moved = False
        if self.worker is not None and not self.stands_still:
            if self.net.queues[self.runtime.runtime.control(self.incarnation)]:
                self.worker._take_control()
                moved = True
            if self.net.queues[self.runtime.runtime.data(self.incarnation)]:
                self.worker.run_pass()
                moved = True
        return moved

    def deploy(self, name, encoding, capacity):
        """Register an agent, as if a client had deployed it, and return its id."""
        manifest = Manifest(name, bytes(32), encoding, (), Limits(mailbox_capacity=capacity))
        agent_id = self.runtime.names.id_of(name)
        self.runtime.run(StoredAgents(self.store.database).add([(agent_id, manifest)], 0))
        self.shard.lifecycle._register(agent_id, manifest)
        return agent_id

    def pause_or_resume(self, agent_id, *, resume=False):
        """Pause an agent, or let it run again."""
        lifecycle, agent = self.shard.lifecycle, self.shard.registry.find(agent_id)
        if agent.state is AgentState.RUNNING and not resume:
            self.runtime.run(lifecycle.pause(agent_id))
        elif agent.state is AgentState.PAUSED:
            self.runtime.run(lifecycle.resume(agent_id))
            self.loop.call_soon(self.worker._wake)  # as after every call


class Runtime:
    """Some shards, over all lives of their workers, and their clients.

    work: what guests do. broken: what no test may cause. What is said of one worker, shard or disk is of the first.
    """

    def __init__(self, directory, surroundings, turn, work, shards, delivery):
        self.around, self.work, self.delivery = surroundings, work, delivery
        self.loop, self.clock, self.net = surroundings.loop, surroundings.clock, surroundings.net
        self.turn = turn  # of the loop
        self.runtime = RuntimeDir(directory)
        self.directory, self.names = directory, AgentNames(KEY)
        self.marks, self.table = SessionMarks(KEY), SlotTable.even(shards)
        self.broken = []
        self.nothing_is_written, self._writes = asyncio.Event(), 0
        self.nothing_is_written.set()
        self.incarnations, self.versions, self.numbers = count(1), count(1), count(FIRST_SESSION)
        self.sessions, self.clients = [], []
        self.seats = []
        self.seats += [Seat(number, directory, self) for number in range(shards)]

    @contextmanager
    def writing(self):
        """While a store writes or reads, which takes time of its own."""
        self._writes += 1
        self.nothing_is_written.clear()
        try:
            yield
        finally:
            self._writes -= 1
            if not self._writes:
                self.nothing_is_written.set()

    # The first worker.

    @property
    def worker(self):
        """The worker, None while there is none."""
        return self.seats[0].worker

    @property
    def shard(self):
        """What the worker consists of."""
        return self.seats[0].shard

    def start(self, *, told=True):
        """Let a worker serve each shard that has none, and tell everybody."""
        for seat in self.seats:
            if seat.worker is None:
                seat.start()
        self.tell(workers=told)

    def kill(self, number=0):
        """End a worker without a word, and tell everybody."""
        self.seats[number].kill()
        self.tell()

    def stop_or_go_on(self, *, stop):
        """Let the worker stand still as a process that is stopped, or go on."""
        self.seats[0].stop_or_go_on(stop=stop)

    def set_disk(self, how):
        """Let the disk be good, slow or full."""
        self.seats[0].set_disk(how)

    def seat_of(self, agent_id):
        """Return where an agent lives."""
        return self.seats[self.table.shard_of(agent_id)]

    def deploy(self, name, encoding, capacity):
        """Register an agent, as if a client had deployed it, and return its id."""
        return self.seat_of(self.names.id_of(name)).deploy(name, encoding, capacity)

    def pause_or_resume(self, agent_id, *, resume=False):
        """Pause an agent, or let it run again."""
        self.seat_of(agent_id).pause_or_resume(agent_id, resume=resume)

    # Clients.

    def connect(self):
        """A client with a session."""
        client = Client(self.directory)
        number = next(self.numbers)
        opened = SessionOpened(number, self.marks.mark(number), KEY, self._topology(number))

        async def enter():
            line = client._runtime = RuntimeLine(self.directory, reconnect=False)
            line.session, line.names = Session(self.runtime, opened, line._answers, None), self.names

        self.run(enter())
        self.sessions.append(client._runtime.session)
        self.clients.append(client)
        return client

    def _topology(self, number):
        serving = [seat.incarnation for seat in self.seats]
        states = ["ready" if incarnation else "restarting" for incarnation in serving]
        return Topology(0, self.marks.mark(number), next(self.versions), self.table, serving, states)

    def tell(self, *, workers=True):
        """Tell clients, and workers of each other, who serves now."""
        for session in self.sessions:
            session._heard_topology(self._topology(session.number))
        for seat in self.seats if workers and len(self.seats) > 1 else ():
            if seat.worker is not None:
                seat.worker.heard_topology(self._topology(seat.incarnation))

    # Time.

    def run(self, something):
        """Run until something is done."""
        return self.loop.run_until_complete(something)

    def ticks(self, most, until=lambda: False):
        """Let so many ticks go by, each with all that comes of it, or fewer; returns whether `until` holds."""
        for _ in range(most):
            if until():
                return True
            self.clock.now_s += TICK_S
            self.settle()
        return until()

    def settle(self):
        """Let all arrive that is on its way, and all happen that comes of it, while time stands still."""
        self.run(self._settle())

    async def _settle(self):
        still = turns = 0
        while still < STILL:
            turns += 1
            assert turns < MOST_TURNS, [seat.shard and seat.shard.totals() for seat in self.seats]
            await self.nothing_is_written.wait()
            still = 0 if self._deliver() or any(seat.is_writing for seat in self.seats) else still + 1
            await self.turn()
        assert not self.broken, self.broken

    def _deliver(self):
        moved = False
        for seat in self.seats:
            moved |= seat.deliver()
        for session in self.sessions:
            if self.net.queues[self.runtime.control(session.number)]:
                session._take_control()
                moved = True
            if self.net.queues[self.runtime.data(session.number)]:
                session._take_data()
                moved = True
        return moved

    def close(self):
        """End everything. Closing twice is fine."""
        for seat in self.seats:
            seat.set_disk("good")
        try:
            for session in self.sessions:
                session.close()
            for seat in self.seats:
                seat.kill()
        finally:
            for seat in self.seats:
                seat.let_go()


@pytest.fixture
def make_runtime(tmp_path, monkeypatch, surroundings, one_turn_of_the_loop):
    """A function that makes a runtime, given what its guests do, whose worker serves."""
    made = []

    def make(work, shards=1, **delivery):
        directory = tmp_path / str(len(made))
        directory.mkdir()
        surroundings.net.queues.clear()
        surroundings.net.loses.clear()
        runtime = Runtime(
            directory, surroundings, one_turn_of_the_loop, work, shards, structs.replace(DELIVERY, **delivery)
        )
        monkeypatch.setattr(
            "workers.loop.worker._end_the_process", lambda _loop, context: runtime.broken.append(context)
        )
        made.append(runtime)
        runtime.start()
        return runtime

    yield make
    for runtime in made:
        runtime.close()


@pytest.fixture
def encodings():
    """How agents of a test are written: answering bytes with bytes, in whole messages, or run by a client."""
    return SimpleNamespace(content=Encoding.CONTENT, whole=Encoding.MSGPACK, attached=Encoding.ATTACHED)

"""One shard over all lives of its worker, and its clients, as they are; what is around them is the test's to play."""

import asyncio
from itertools import count
from types import SimpleNamespace

import pytest

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
from caxton.wire.supervision import SessionOpened
from workers.composition import Ground, compose
from workers.loop.worker import Worker
from workers.peers.peers import Peers
from workers.worker_pass import COUNTERS

KEY = bytes(32)
FIRST_SESSION = 1 << 63
TICK_S = 0.2
DELIVERY = DeliverySettings(breaker_threshold=4, breaker_timeout_s=5.0)
# Turns of the loop in which nothing moves: then nothing will before time goes by.
STILL = 6


class Runtime:
    """One shard, over all lives of its worker, and its clients.

    work: what guests do. disk: `good`, `slow` (a commit does not end) or `full`. broken: what no test may cause.
    """

    def __init__(self, directory, surroundings, turn, work):
        self.around, self.work = surroundings, work
        self.loop, self.clock, self.net = surroundings.loop, surroundings.clock, surroundings.net
        self.turn = turn  # of the loop
        self.runtime = RuntimeDir(directory)
        self.directory, self.names = directory, AgentNames(KEY)
        self.marks, self.table = SessionMarks(KEY), SlotTable.even(1)
        self.disk, self.broken = "good", []
        self.disk_is_other, self.nothing_is_written = asyncio.Event(), asyncio.Event()
        self.nothing_is_written.set()
        self.worker_stands_still = False
        self.incarnations, self.versions, self.numbers = count(1), count(1), count(FIRST_SESSION)
        self.worker = self.shard = self.store = self._serving = None
        self.incarnation, self.sessions, self.clients = 0, [], []

    # The worker.

    def start(self):
        """Let a worker serve the shard, and tell the clients."""
        self.incarnation = next(self.incarnations)
        self.run(self._open())
        self._tell()

    async def _open(self):
        own, directory = self.incarnation, self.directory
        self.store = await ShardStore.open(
            directory / "shard.db", 0, self.clock.time_ns() // 10**6, self.clock.monotonic_ns()
        )
        self._gate(self.store)
        ground = Ground(
            number=0,
            table=self.table,
            names=self.names,
            peers=Peers(None, self.runtime, own, self.marks, 8, lambda _session: True),
            book=Book.create(directory / f"{own}.book", own, tuple(COUNTERS), peers=64),
            store=self.store,
            stored=StoredAgents(self.store.database),
            modules=SimpleNamespace(load=None, touch=lambda _: True, touch_all=lambda _: None),
            delivery=DELIVERY,
            dead_letter_capacity=10_000,
            lives=lambda _session: True,
            dice=lambda: 0.0,
        )
        self.shard = compose(ground, lambda routes, lane: self.around.Guests(self.work, routes, lane))
        self.shard.peers.serve([own])
        data, control = self.around.Inlet(self.runtime.data(own)), self.around.Inlet(self.runtime.control(own))
        supervisor = self.around.Supervisor()
        self.worker = Worker(self.shard, data, control, supervisor, self.marks.mark(own))
        self._serving = self.loop.create_task(self.worker.serve(None))
        ready = self.loop.create_task(supervisor.heard_ready.wait())
        await asyncio.wait({self._serving, ready}, return_when=asyncio.FIRST_COMPLETED)
        assert ready.done(), self._serving.exception()
        for name in ("run_pass", "_tick"):
            setattr(self.worker, name, self._unless_it_stands_still(getattr(self.worker, name)))

    def _unless_it_stands_still(self, does):
        return lambda: None if self.worker_stands_still else does()

    def stop_or_go_on(self, *, stop):
        """Let the worker stand still as a process that is stopped, or go on."""
        self.worker_stands_still = stop
        if self.worker is not None and not stop:
            self.loop.call_soon(self.worker._wake)

    def _gate(self, store):
        write = store.commit

        async def commit(what):
            while self.disk == "slow":
                self.disk_is_other.clear()
                await self.disk_is_other.wait()
            if self.disk == "full":
                raise StorageFull("shard.db", "no room")
            self.nothing_is_written.clear()
            try:
                await write(what)
            finally:
                self.nothing_is_written.set()

        store.commit = commit

    def kill(self):
        """End the worker without a word; what it had not committed, and what was on its way to it, is gone."""
        self.worker_stands_still = False
        if self.worker is None:
            return
        self._serving.cancel()
        self.run(asyncio.wait([self._serving]))
        self._let_go()
        for name in (self.runtime.data, self.runtime.control):
            self.net.queues[name(self.incarnation)].clear()
        self.worker, self.incarnation = None, 0
        self._tell()

    def _let_go(self):
        store, self.store = self.store, None
        if store is not None:
            self.run(store.close())  # a connection that is not closed hangs the interpreter's exit
        shard, self.shard = self.shard, None
        if shard is not None:
            shard.book.close()

    def set_disk(self, how):
        """Let the disk be good, slow or full."""
        self.disk = how
        self.disk_is_other.set()

    def deploy(self, name, encoding, capacity):
        """Register an agent, as if a client had deployed it, and return its id."""
        manifest = Manifest(name, bytes(32), encoding, (), Limits(mailbox_capacity=capacity))
        agent_id = self.names.id_of(name)
        self.run(StoredAgents(self.store.database).add([(agent_id, manifest)], 0))
        self.shard.lifecycle._register(agent_id, manifest)
        return agent_id

    def pause_or_resume(self, agent_id, *, resume=False):
        """Pause an agent, or let it run again."""
        lifecycle, agent = self.shard.lifecycle, self.shard.registry.find(agent_id)
        if agent.state is AgentState.RUNNING and not resume:
            self.run(lifecycle.pause(agent_id))
        elif agent.state is AgentState.PAUSED:
            self.run(lifecycle.resume(agent_id))

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
        state = "ready" if self.incarnation else "restarting"
        mark = self.marks.mark(number)
        return Topology(0, mark, next(self.versions), self.table, [self.incarnation], [state])

    def _tell(self):
        for session in self.sessions:
            session._heard_topology(self._topology(session.number))

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
        still = 0
        while still < STILL:
            await self.nothing_is_written.wait()
            still = 0 if self._deliver() or self._is_writing() else still + 1
            await self.turn()
        assert not self.broken, self.broken

    def _is_writing(self):
        if self.worker is None:
            return False
        committer = self.worker._committer
        return self.disk == "good" and committer._under_way is not None

    def _deliver(self):
        moved = False
        if self.worker is not None and not self.worker_stands_still:
            if self.net.queues[self.runtime.control(self.incarnation)]:
                self.worker._take_control()
                moved = True
            if self.net.queues[self.runtime.data(self.incarnation)]:
                self.worker.run_pass()
                moved = True
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
        self.set_disk("good")
        try:
            for session in self.sessions:
                session.close()
            self.kill()
        finally:
            self._let_go()


@pytest.fixture
def make_runtime(tmp_path, monkeypatch, surroundings, one_turn_of_the_loop):
    """A function that makes a runtime, given what its guests do, whose worker serves."""
    made = []

    def make(work):
        directory = tmp_path / str(len(made))
        directory.mkdir()
        surroundings.net.queues.clear()
        surroundings.net.loses.clear()
        runtime = Runtime(directory, surroundings, one_turn_of_the_loop, work)
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

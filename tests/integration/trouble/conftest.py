"""A real runtime for each module that asks for one (its `WORKERS` and `OPTIONS`), guests, sessions that misbehave."""

import asyncio
import fcntl
import os
from functools import cache
from pathlib import Path

import msgspec
import pytest
import wasmtime

from caxton.agents.limits import Limits
from caxton.client.call_line import ask_soon
from caxton.store.books import Book
from caxton.testing import runtime
from caxton.transport.endpoints import RuntimeDir
from caxton.transport.sockets import Inlet, Outlet, end_context, new_context
from caxton.wire.codec import CONTROL
from caxton.wire.link_state import LinkState
from caxton.wire.supervision import OpenSession

GUESTS = Path(__file__).parents[2] / "guests"
DEADLINE_S = 30.0
UNHURRIED = Limits(max_execution_ms=10_000)


@cache
def _assembled(guest: str) -> bytes:
    text = guest if guest.startswith("(module") else (GUESTS / f"{guest}.wat").read_text()
    return bytes(wasmtime.wat2wasm(text))


@pytest.fixture(scope="session")
def wasm():
    """The module of a guest in tests/guests, by its name, or of a text."""
    return _assembled


@pytest.fixture(scope="module")
def served(request):
    """One runtime for all tests of a module."""
    module = request.module
    with runtime(getattr(module, "WORKERS", 1), options=getattr(module, "OPTIONS", ())) as served:
        yield served


@pytest.fixture
async def client(served):
    async with served.connect() as client:
        yield client


@pytest.fixture
async def agent(client, wasm):
    """Deploys an agent of its own for the test, by the name of its guest; it is removed afterwards.

    Without limits of its own it has time for its turns even where its worker does not run for a while in one of them.
    """
    deployed = []

    async def deploy(guest, name=None, **options):
        name = name or f"{guest} {len(deployed)}"
        options.setdefault("limits", UNHURRIED)
        agent_id = await client.deploy(name, wasm(guest), **options)
        deployed.append(agent_id)
        return agent_id

    yield deploy
    await client.remove_many(deployed)


@pytest.fixture
async def shard_counter(served):
    """How often something was counted in a shard, by the counter's name."""
    async with served.connect() as client:

        async def counted(name, shard=0):
            return (await client.stats()).workers[shard][name]

        yield counted


class RawSession:
    """A session with a valid mark whose frames are made by hand, to one worker. Everything is as a client has it."""

    def __init__(self, served, opened, shard):
        directory = RuntimeDir(served.runtime_dir)
        self.number, self.mark = opened.session, opened.mark
        self.worker = opened.topology.incarnations[shard]
        self.emitted = 0
        self.states = []
        self._context = new_context()
        self._control_inlet = Inlet(directory.control(self.number))
        self._message_inlet = Inlet(directory.data(self.number))
        self._data = Outlet(self._context, directory.data(self.worker))
        self._control = Outlet(self._context, directory.control(self.worker))
        self._book = Book.create(directory.book(self.number), self.number, ("sent",), peers=4)
        self._lock = os.open(directory.book(self.number), os.O_RDWR)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._arrived = asyncio.Event()
        self._control_inlet.watch(asyncio.get_running_loop(), self._take)

    def message(self, receiver, content=b"", /, **changed):
        """The fields of a message in the order of the wire."""
        fields = {
            "message_id": bytes(16),
            "performative": 7,
            "sender": self.number,
            "receiver": int(receiver),
            "content": content,
        }
        return list((fields | changed).values())

    def send(self, *messages, **changed):
        """Send a data frame of these messages, with other fields than the right ones where they are given."""
        fields = {
            "source": self.number,
            "mark": self.mark,
            "target": self.worker,
            "lane": 0,
            "first": self.emitted + 1,
            "resent": False,
            "messages": list(messages),
        }
        if not changed:
            self.emitted += len(messages)
        self.send_bytes(b"\x01" + msgspec.msgpack.encode(list((fields | changed).values())))

    def send_bytes(self, frame):
        assert self._data.send(frame)

    def control(self, *fields):
        """Send a control frame: its tag and fields."""
        assert self._control.send(b"\x01" + msgspec.msgpack.encode(list(fields)))

    async def settled(self):
        """Wait until the worker has settled all that was sent, and return (sequence, error) of what it refused."""
        async with asyncio.timeout(DEADLINE_S):
            while not self.states or self.states[-1].taken < self.emitted:
                self._arrived.clear()
                await self._arrived.wait()
        refusals = {r.sequence: r for state in self.states for r in state.refusals}
        return [(r.sequence + n, r.error) for r in refusals.values() for n in range(r.count)]

    def close(self):
        self._control_inlet.close()
        self._message_inlet.close()
        end_context(self._context)
        self._book.close()
        os.close(self._lock)

    def _take(self):
        while (frame := self._control_inlet.receive()) is not None:
            control = CONTROL.decode(frame)
            if isinstance(control, LinkState):
                self.states.append(control)
        self._arrived.set()


@pytest.fixture
async def raw_session(served):
    opened = await ask_soon(served.runtime_dir, OpenSession(os.getpid(), "raw"), DEADLINE_S)
    session = RawSession(served, opened, 0)
    yield session
    session.close()

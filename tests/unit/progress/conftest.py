"""What is around a worker and its clients, in the test's hands: time, sockets, books and guests, in one event loop.

Time stands still until the test lets it go by; frames that are on their way wait until somebody takes them, unless the
test loses them.
"""

import asyncio
from collections import Counter, defaultdict, deque
from contextlib import suppress
from functools import partial
from types import SimpleNamespace

import pytest

from caxton.errors import InvalidMessageFormat
from caxton.ids import AgentNames
from caxton.wire.codec import CONTROL, DATA
from caxton.wire.control import Heartbeat
from workers.sandbox.guest_messages import GuestOutput
from workers.turns.turn import Turns

KEY = bytes(32)


class Clock:
    """The time of everybody, in seconds; a worker reads nanoseconds and the wall."""

    def __init__(self):
        self.now_s = 1_000_000.0

    def monotonic_ns(self):
        return int(self.now_s * 1e9)

    def time_ns(self):
        return 1_800_000_000 * 10**9 + int(self.now_s * 1e9)

    def time(self):
        return self.now_s


class Net:
    """Frames on their way, by where they go. loses: kinds of frames that do not arrive, `data` and `control`.

    Data of the volatile lane arrives: what is lost there is lost, and who waits for it waits for its timeout.
    """

    def __init__(self):
        self.queues = defaultdict(deque)
        self.loses = set()
        self.lost = Counter()

    def outlet(self, _context, endpoint, _most=0):
        """An outlet to one endpoint, as ZeroMQ would have it."""
        kind = endpoint.rpartition(".")[2]

        def send(frame):
            if kind in self.loses and (kind == "control" or DATA.decode(bytes(frame)).lane):
                self.lost[kind] += 1
            else:
                self.queues[endpoint].append(bytes(frame))
            return True

        return SimpleNamespace(send=send, close=lambda *_: None)


class Inlet:
    """The frames of one endpoint; nobody is woken, the test looks."""

    def __init__(self, net, endpoint):
        self.frames = net.queues[endpoint]

    def receive(self):
        return self.frames.popleft() if self.frames else None

    def watch(self, _loop, _wake):
        pass

    def close(self):
        self.frames.clear()


class Supervisor:
    """Hears what one worker says."""

    def __init__(self):
        self.heard_ready = asyncio.Event()

    def send(self, frame):
        word = CONTROL.decode(frame)
        if isinstance(word, Heartbeat) and word.ready:
            self.heard_ready.set()
        return True

    def close(self):
        pass


class SessionInlets:
    """A session's two inlets: frames come decoded."""

    def __init__(self, net, runtime, number, _mark, _counts):
        self.data, self.control = Inlet(net, runtime.data(number)), Inlet(net, runtime.control(number))

    def watch(self, *_):
        pass

    def frames(self, _enough=0):
        while (raw := self.data.receive()) is not None:
            yield DATA.decode(raw), len(raw)

    def controls(self, _enough=0):
        while (raw := self.control.receive()) is not None:
            with suppress(InvalidMessageFormat):
                yield CONTROL.decode(raw)

    def close(self):
        self.data.close()
        self.control.close()


class NoBook:
    """A session's book that keeps nothing, and lacks nothing."""

    is_in_place = True

    def __init__(self, *_):
        pass

    def post(self, *gathered):
        pass

    commit = close = abandon = emitted = taken = end = heard_topology = post


class Guests(Turns):
    """Turns as they are, in guests that the test writes: `work(agent, what it is given)` returns bytes, or raises."""

    def __init__(self, work, routes, lane):
        note, output = SimpleNamespace(cells=[0] * 7), GuestOutput(AgentNames(KEY))
        attempts, journal, keys = lane.attempts, lane.journal, lane.keys
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
        self._work = work

    def _instantiate(self, agent):
        def handle(given, *_now_ns):
            return self._work(agent, given)

        agent.sandbox = SimpleNamespace(handle=handle, close=lambda: None, fuel_used=0, used_ns=0)
        self.instances += 1
        return agent.sandbox


@pytest.fixture
def surroundings(monkeypatch):
    """A loop whose time is `clock`'s, the `net` that all sockets are of, and who stands where processes would."""
    clock, net = Clock(), Net()
    loop = asyncio.new_event_loop()
    loop.time = clock.time
    for room in (
        "loop.passes",
        "loop.maintenance",
        "turns.turn",
        "volatile.placing",
        "durable.recovery",
    ):
        monkeypatch.setattr(f"workers.{room}.monotonic_ns", clock.monotonic_ns)
    monkeypatch.setattr("workers.loop.passes.time", clock)
    monkeypatch.setattr("workers.loop.worker.gc", SimpleNamespace(freeze=lambda: None))
    monkeypatch.setattr("workers.peers.peers.Outlet", net.outlet)
    room = "caxton.client.session.session"
    monkeypatch.setattr(f"{room}.Outlet", net.outlet)
    monkeypatch.setattr(f"{room}.Inlets", lambda *given: SessionInlets(net, *given))
    monkeypatch.setattr(f"{room}.SessionBook", NoBook)
    monkeypatch.setattr(f"{room}.holder", lambda _path: 1)
    monkeypatch.setattr(f"{room}.still_holds", lambda *_: True)
    monkeypatch.setattr(f"{room}.new_context", lambda: None)
    monkeypatch.setattr(f"{room}.end_context", lambda _context: None)
    yield SimpleNamespace(
        loop=loop, clock=clock, net=net, Inlet=partial(Inlet, net), Supervisor=Supervisor, Guests=Guests
    )
    loop.close()

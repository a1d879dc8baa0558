"""A client's session: its identity, its inlets, a route to every shard, and its book.

Everything that talks to sockets is here; what is pure is in the routes, the links and the answers.
"""

import asyncio
import contextlib
import fcntl
import os
from collections import Counter, deque
from typing import TYPE_CHECKING

from caxton.client.answers import Answers
from caxton.client.shard_route import Entry, ShardRoute, WorkerLink
from caxton.errors import (
    CaxtonError,
    InvalidMessageFormat,
    NetworkError,
    ResourceExhausted,
    ShardUnavailable,
    Timeout,
    from_fields,
)
from caxton.placement.slot_table import SlotTable
from caxton.placement.slots import SLOT_MASK
from caxton.store.books import Book
from caxton.store.directory_lock import holder
from caxton.transport.sockets import Inlet, Outlet, end_context, new_context
from caxton.wire.codec import CONTROL, DATA
from caxton.wire.control import Answer, Call, Failed, Hello, LinkState, Request, Result, Topology

if TYPE_CHECKING:
    from caxton.transport.endpoints import RuntimeDir
    from caxton.wire.supervision import SessionOpened

TICK_S = 0.2
# Ticks between two looks whether the supervisor still holds its lock.
LOOK_EVERY = 5
# A worker that says for so many ticks that it waits for messages which have not come, has lost them on the way.
STALLED_TICKS = 10
# Messages taken from a worker without a word to it; the next tick tells the rest.
TELL_AFTER = 4_096
MAX_CALLS = 1_024
# Workers that ended and whose rows the book keeps, so that the supervisor can still compare; then the oldest goes.
ENDED_KEPT = 128
COUNTERS = ("sent", "unsent", "answered", "unasked", "inbox_full", "garbage", "stale", "gaps", "duplicates")


class Session:
    """Opened by the client with what the supervisor gave it; `close` twice is fine.

    answers: who waits for what. table: which shard owns which agent.
    """

    def __init__(self, runtime: "RuntimeDir", opened: "SessionOpened") -> None:
        self._runtime = runtime
        self._loop = asyncio.get_running_loop()
        self.number, self._mark = opened.session, opened.mark
        self.table: SlotTable = opened.topology.table
        self.answers = Answers()
        self.counts: Counter[str] = Counter()
        self._routes: list[ShardRoute] = []
        self._by_incarnation: dict[int, ShardRoute] = {}
        self._calls: dict[int, tuple[asyncio.Future[Result], int]] = {}
        self._next_call = 0
        self._version = 0
        self._untold: Counter[int] = Counter()
        self._changed = asyncio.Event()
        self._ended: deque[int] = deque()
        self._book = Book.create(runtime.book(self.number), self.number, COUNTERS, peers=256)
        self._lock = os.open(runtime.book(self.number), os.O_RDWR)
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # held while this process lives: that is how the others know
        self._context = new_context()
        self._data = Inlet(self._context, runtime.data(self.number))
        self._control = Inlet(self._context, runtime.control(self.number))
        self._timer: asyncio.TimerHandle | None = None
        self._ticks = 0
        self._closed = False
        # Why nothing can come of anything any more, once the runtime has ended.
        self._over: CaxtonError | None = None
        self._heard_topology(opened.topology)
        self._data.watch(self._loop, self._take_data)
        self._control.watch(self._loop, self._take_control)
        self._tick()

    def route_of(self, agent_id: int) -> ShardRoute:
        """Return the route to the shard that owns an agent."""
        return self._routes[self.table.shard_of(agent_id)]

    def submit(self, entries: list[Entry]) -> None:
        """Send messages, each to the shard that owns its receiver, now or when there is room."""
        if self._over is not None:
            for _, batch, place, _ in entries:
                batch.end(place, self._over)
            return
        by_shard: dict[int, list[Entry]] = {}
        owners = self.table.owners
        for entry in entries:
            shard = owners[entry[0].receiver & SLOT_MASK]
            some = by_shard.get(shard)
            if some is None:
                by_shard[shard] = [entry]
            else:
                some.append(entry)
        for shard, some in by_shard.items():
            self._routes[shard].submit(some)
        self.counts["sent"] += len(entries)
        self.pump([self._routes[shard] for shard in by_shard])

    @property
    def shards(self) -> int:
        """How many shards there are."""
        return len(self._routes)

    def pump(self, routes: list[ShardRoute]) -> None:
        """Send what may go: the book first, so that it never says less than what left."""
        frames = [(route.worker, frame) for route in routes for frame in route.pack()]
        for worker, _ in frames:
            if worker is not None:
                self._book.emitted(worker.incarnation, worker.link.outgoing.emitted)
        self._book.commit()
        for worker, frame in frames:
            if worker is not None and not worker.data.send(frame):
                self.counts["unsent"] += 1  # the book shows it as emitted and never taken: lost

    async def call(self, shard: int, request: Request, timeout_s: float) -> Result:
        """Ask a shard's worker; raises the error it answers, NetworkError when it ends, Timeout, ShardUnavailable."""
        deadline = self._loop.time() + timeout_s
        worker = await self._ready_worker(shard, deadline)
        if len(self._calls) >= MAX_CALLS:
            raise ResourceExhausted("calls at a time", MAX_CALLS)
        self._next_call = call_id = self._next_call + 1
        future: asyncio.Future[Result] = self._loop.create_future()
        self._calls[call_id] = future, worker.incarnation
        worker.control.send(CONTROL.encode(Call(self.number, self._mark, worker.incarnation, call_id, request)))
        try:
            result = await asyncio.wait_for(future, max(0.0, deadline - self._loop.time()))
        except TimeoutError:
            raise Timeout(f"{type(request).__name__} on shard {shard}", timeout_s) from None
        finally:
            del self._calls[call_id]
        if isinstance(result, Failed):
            raise from_fields(result.error, result.fields)
        return result

    def close(self) -> None:
        """End the session: whoever waits is told, the runtime notices by the lock."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for route in self._routes:
            route.send_state()  # the last acknowledgement of what was taken
        self._over = NetworkError("this client", "it was closed")
        self._fail_all(self._over)
        for route in self._routes:
            if route.worker is not None:
                route.worker.control.close(linger_ms=100)
                route.worker.data.close(linger_ms=100)
        self.answers.close()
        self._data.close()
        self._control.close()
        end_context(self._context)
        self._book.close()
        os.close(self._lock)

    def _fail_all(self, error: CaxtonError) -> None:
        """End whatever anybody waits for."""
        for route in self._routes:
            route.fail_all(error)
            self.answers.fail_shard(route.shard, error)
        for future, _ in self._calls.values():
            if not future.done():
                future.set_exception(error)
        self._changed.set()

    async def _ready_worker(self, shard: int, deadline: float) -> WorkerLink:
        """Return the shard's worker, waiting for one; raises ShardUnavailable: nothing was asked of anybody yet."""
        while (worker := self._routes[shard].worker) is None:
            if self._over is not None:
                raise self._over
            left = deadline - self._loop.time()
            state = self._routes[shard].state
            if state == "failed" or left <= 0:
                raise ShardUnavailable(shard, state)
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)
        return worker

    def _take_data(self) -> None:
        taken = False
        while not self._closed and (raw := self._data.receive()) is not None:
            taken = True
            self._take_frame(raw)
        if taken and not self._closed:
            self._post()
            for incarnation, untold in list(self._untold.items()):
                if untold >= TELL_AFTER:
                    self._tell(incarnation)

    def _take_frame(self, raw: bytes) -> None:
        try:
            frame = DATA.decode(raw)
        except InvalidMessageFormat:
            self.counts["garbage"] += 1
            return
        if frame.mark != self._mark or frame.target != self.number:
            self.counts["garbage"] += 1
            return
        route = self._by_incarnation.get(frame.source)
        if route is None or route.worker is None:
            self.counts["stale"] += len(frame.messages)
            return
        incoming = route.worker.link.incoming
        messages = frame.messages
        size = len(raw)  # without a byte window any measure will do, as long as both sums agree
        taken = incoming.take(frame.first, len(messages), size)
        self.counts["gaps"] += taken.lost
        if taken.skip:
            self.counts["duplicates"] += taken.skip
            messages = messages[taken.skip :]
        if messages:
            incoming.place(len(messages), size)
            self._book.taken(frame.source, incoming.taken)
            self._untold[frame.source] += len(messages)
            self.answers.take(messages)

    def _post(self) -> None:
        """Commit the book, counters included."""
        for counts in (self.counts, self.answers.counts):
            for name in COUNTERS:
                if n := counts.pop(name, 0):
                    self._book.count(name, n)
        self._book.commit()

    def _take_control(self) -> None:
        pumped: dict[int, ShardRoute] = {}
        while not self._closed and (raw := self._control.receive()) is not None:
            try:
                control = CONTROL.decode(raw)
            except InvalidMessageFormat:
                self.counts["garbage"] += 1
                continue
            if getattr(control, "mark", None) != self._mark:
                self.counts["garbage"] += 1
            elif isinstance(control, Topology):
                self._heard_topology(control)
            elif isinstance(control, LinkState):
                route = self._by_incarnation.get(control.source)
                if route is not None:
                    route.heard_state(control)
                    pumped[route.shard] = route
            elif isinstance(control, Answer):
                self._heard_answer(control)
        if pumped:
            self.pump(list(pumped.values()))

    def _heard_answer(self, answer: Answer) -> None:
        future, _ = self._calls.get(answer.call_id, (None, 0))
        if future is not None and not future.done():
            future.set_result(answer.result)

    def _heard_topology(self, topology: Topology) -> None:
        if topology.version <= self._version:
            return
        self._version = topology.version
        self.table = topology.table
        for shard, (incarnation, state) in enumerate(zip(topology.incarnations, topology.states, strict=True)):
            if shard >= len(self._routes):
                self._routes.append(ShardRoute(shard, self.number, self._mark))
            self._change(self._routes[shard], incarnation, state)
        self.pump(self._routes)
        self._changed.set()

    def _change(self, route: ShardRoute, incarnation: int, state: str) -> None:
        old = route.worker
        if old is not None and old.incarnation == incarnation:
            route.state = state
            return
        new = None
        if incarnation:
            data = Outlet(self._context, self._runtime.data(incarnation))
            control = Outlet(self._context, self._runtime.control(incarnation))
            new = WorkerLink(incarnation, data, control)
            self._by_incarnation[incarnation] = route
        if old is not None:
            self._take_data()  # what the old one sent before it ended still counts
            self._by_incarnation.pop(old.incarnation, None)
            self._untold.pop(old.incarnation, None)
        route.change_worker(new, state)
        if old is not None:
            self._fail_old(route, old.incarnation)
            self._ended.append(old.incarnation)
            if len(self._ended) > ENDED_KEPT:
                self._book.forget(self._ended.popleft())
        if new is not None:
            hello = Hello(self.number, self._mark, new.incarnation, 0, False)  # noqa: FBT003 (a field)
            new.control.send(CONTROL.encode(hello))

    def _fail_old(self, route: ShardRoute, incarnation: int) -> None:
        error: CaxtonError = NetworkError(f"worker of shard {route.shard}", "it ended before it answered")
        self.answers.fail_shard(route.shard, error, route.unsent)
        for future, target in self._calls.values():
            if target == incarnation and not future.done():
                future.set_exception(error)

    def _tell(self, incarnation: int) -> None:
        self._untold.pop(incarnation, None)
        route = self._by_incarnation.get(incarnation)
        if route is not None:
            route.send_state()

    def _tick(self) -> None:
        if self._closed:
            return
        self._timer = self._loop.call_later(TICK_S, self._tick)
        self._post()
        self._ticks += 1
        if self._ticks % LOOK_EVERY == 0 and self._over is None and holder(self._runtime.path) is None:
            self._over = NetworkError("the runtime", "it ended; start it and connect again")
            self._fail_all(self._over)
        for route in self._routes:
            worker = route.worker
            if worker is None:
                continue
            incoming = worker.link.incoming
            if incoming.stalled >= STALLED_TICKS:
                self.counts["gaps"] += incoming.give_up()
                self._book.taken(worker.incarnation, incoming.taken)
            if worker.link.open or worker.link.changed:
                self._tell(worker.incarnation)

"""A client's session: its identity, its inlets, a route to every shard, and its book.

Everything that talks to sockets is here; what is pure is in the routes, the links and the answers.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from math import ceil
from random import random
from typing import TypeVar

from caxton.acl.options import Lane
from caxton.client.routes.answers import Answers
from caxton.client.routes.backlog import Entry
from caxton.client.routes.capable_agents import CapableAgents
from caxton.client.routes.outlets import Outlets
from caxton.client.routes.shard_route import GIVEN_UP, ShardRoute
from caxton.client.session.inlets import ALL_BYTES, ENOUGH_BYTES, Inlets
from caxton.client.session.leftovers import Held, leftovers
from caxton.client.session.pending_calls import NeverAskedError, PendingCalls
from caxton.client.session.session_book import SessionBook
from caxton.client.session.wants import voice
from caxton.errors import CaxtonError, NetworkError, RuntimeNotFound, ShardUnavailable, Timeout
from caxton.placement.slot_table import SlotTable
from caxton.placement.slots import SLOT_MASK
from caxton.store.directory_lock import holder, still_holds
from caxton.transport.endpoints import RuntimeDir
from caxton.transport.sockets import Outlet, end_context, new_context
from caxton.wire.answered import answered
from caxton.wire.calls import Request
from caxton.wire.capable import Capable
from caxton.wire.codec import CONTROL
from caxton.wire.control import Answer, Call, Topology
from caxton.wire.frames import DataFrame
from caxton.wire.supervision import EndSession, SessionOpened

A = TypeVar("A")

# Seconds between ticks, and ticks between two looks whether the supervisor still holds its lock.
TICK_S, LOOK_EVERY = 0.2, 5
# Volatile messages taken from a worker without a word to it, or their weight in bytes: it keeps count of what is not
# read, and drops what is beyond. The next tick tells the rest.
TELL_AFTER, TELL_AFTER_BYTES = 4_096, 16 << 20


class Session:
    """Opened by the client with what the supervisor gave it; `close` twice is fine.

    loop: the one it lives in; no other may use it. answers: who waits for what, in this session and the next. table:
    which shard owns which agent. over: why nothing can come of anything here any more, once the runtime has ended or
    the client is closed.

    lost: called when the runtime has ended and another session is to follow; until it takes over, `held` has what goes
    there. None when none is to follow: then everything ends when the runtime does.
    """

    def __init__(
        self,
        runtime: RuntimeDir,
        opened: SessionOpened,
        answers: Answers,
        lost: Callable[[], None] | None,
        capable: CapableAgents | None = None,
    ) -> None:
        self._runtime, self._lost = runtime, lost
        self.held = Held(is_awaited=lost is not None)
        self.loop = asyncio.get_running_loop()
        self.number, self._mark = opened.session, opened.mark
        self.table: SlotTable = opened.topology.table
        self.answers = answers
        self.answers.inbox.on_room = self._ask_again
        self.counts: Counter[str] = Counter()
        self._routes: list[ShardRoute] = []
        self._by_incarnation: dict[int, ShardRoute] = {}
        self._calls = PendingCalls(self.loop)
        self._version = 0
        self._untold: Counter[int] = Counter()
        self._capable = capable or CapableAgents(random)
        self._capable.say = voice(self.number, self._mark, self._routes, self._capable, lambda: self._closed)
        self._changed = asyncio.Event()
        self._book = SessionBook(runtime.book(self.number), self.number)
        self._context = new_context()
        try:
            self._inlets = Inlets(runtime, self.number, self._mark, self.counts)
        except BaseException:
            end_context(self._context)
            self._book.close()
            raise
        self._timer: asyncio.TimerHandle | None = None
        # The supervisor that opened this session: another one, however soon it came, knows nothing of it.
        self._served_by = holder(self._runtime.path)
        self._ticks = 0
        # Shards for which something was submitted in this turn of the loop.
        self._due: set[int] = set()
        self._closed = False
        self.over: CaxtonError | None = None
        try:
            self._heard_topology(opened.topology)
            self._inlets.watch(self.loop, self._take_data, self._take_control, self.answers.inbox.rest_s)
            self._tick()
        except BaseException:  # a socket too many for this process, perhaps: nothing may stay that the collector finds
            self.retire()
            raise

    def route_of(self, agent_id: int) -> ShardRoute:
        """Return the route to the shard that owns an agent; raises RuntimeNotFound while there is no runtime."""
        if self.over is not None:
            raise RuntimeNotFound(str(self._runtime.path))
        return self._routes[self.table.shard_of(agent_id)]

    def submit(self, entries: list[Entry], lane: Lane) -> None:
        """Send messages of one lane to the shards that own their receivers: at the end of this turn of the loop.

        What is sent meanwhile shares their frames. What finds no room waits for it.
        """
        if self.over is not None:
            self.held.keep(entries, self.over)
            return
        by_shard: dict[int, list[Entry]] = {}
        owners = self.table.owners
        if len(self._routes) == 1:
            by_shard[0] = entries
        else:
            for entry in entries:
                shard = owners[entry[0].receiver & SLOT_MASK]
                some = by_shard.get(shard)
                if some is None:
                    by_shard[shard] = [entry]
                else:
                    some.append(entry)
        for shard, some in by_shard.items():
            self._routes[shard].submit(some, lane)
        self.counts["sent_durable" if lane else "sent"] += len(entries)
        if not self._due:
            self.loop.call_soon(self.pump_due)
        self._due.update(by_shard)

    @property
    def shards(self) -> int:
        """How many shards there are."""
        return len(self._routes)

    def pump(self, routes: list[ShardRoute]) -> None:
        """Send what may go: the book first, so that it never says less than what left."""
        routes = [route for route in routes if route.waits]
        frames = [(route, frame) for route in routes for frame in route.volatile.pack()]
        for route, _ in frames:
            self._book.emitted(route.incarnation, route.volatile.link.outgoing.emitted)
        if frames:
            self._book.commit()
        for route, frame in frames:
            if route.outlets is not None and not route.outlets.data.send(frame):
                self.counts["unsent"] += 1  # the book shows it as emitted and never taken: lost
        for route in routes:
            route.durable.send()

    def pump_due(self) -> None:
        """Send what was submitted in this turn of the loop, if it may go."""
        due, self._due = self._due, set()
        if not self._closed:
            self.pump([self._routes[shard] for shard in due])

    async def call(self, shard: int, request: Request, answer: type[A], timeout_s: float, deadline: float) -> A:
        """Return the answer of a shard's worker; `deadline` is on the loop's clock, `timeout_s` what people are told.

        Raises the error it answers, NetworkError when it ends or answers something else, Timeout, ShardUnavailable,
        NeverAskedError when another session is to follow.
        """
        worker = await self._ready_worker(shard, deadline)
        number, future = self._calls.open(worker.incarnation)
        left_s = max(0.0, deadline - self.loop.time())
        call = Call(self.number, self._mark, worker.incarnation, number, request, max(1, ceil(left_s * 1_000)))
        worker.control.send(CONTROL.encode(call))
        try:
            async with asyncio.timeout(left_s):
                result = await future
        except TimeoutError:
            raise Timeout(f"{type(request).__name__} on shard {shard}", timeout_s) from None
        finally:
            self._calls.close(number)
        return answered(result, answer, f"shard {shard}")

    @property
    def good_bye(self) -> EndSession:
        """What the supervisor is told once it is closed; without it the supervisor would notice by the lock."""
        return EndSession(self.number, self._mark)

    def close(self) -> None:
        """End the session: whoever waits is told, the runtime notices by the lock if nobody tells it."""
        if self._closed:
            return
        for route in self._routes:
            route.send_states()  # the last acknowledgement of what was taken
        if not self.loop.is_closed():  # or nobody waits any more
            self.give_up(NetworkError("this client", "it was closed"))
            self.answers.close()
        self.retire()

    def give_up(self, error: CaxtonError) -> None:
        """End whatever anybody waits for: no other session will follow."""
        self.over = error
        for route in self._routes:
            route.fail_all(error)
        self.held.end(error)
        self.answers.fail_all(error)
        self._calls.fail(error)
        self._changed.set()

    def take_over(self, held: "Held") -> None:
        """Send what waited for this session."""
        for lane, entries in held.handed_over(self.number, self.loop.time()):
            self.submit(entries, lane)

    def retire(self) -> None:
        """Let go of everything; whoever waits for an answer waits on."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for route in self._routes:
            if route.outlets is not None:
                route.outlets.close(linger_ms=100)
        self._inlets.close()
        end_context(self._context)
        self._book.close()

    def abandon(self) -> None:
        """In a forked child: do nothing any more. Nothing is closed that the parent has too."""
        if not self._closed:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
            self._inlets.abandon()
            self._book.abandon()

    def _lose_runtime(self, peer: str, problem: str, remedy: str) -> None:
        """The runtime has ended, or this session: end what may have happened, and hold what may go to the next one."""
        self._take_data(ALL_BYTES)  # what it said before still counts
        self._take_control(ALL_BYTES)
        if self._lost is None:
            self.give_up(NetworkError(peer, f"{problem}; {remedy}"))
            return
        self.over = NetworkError(peer, f"{problem} while this was under way")
        self.held.keep(leftovers(self._routes, self.answers, self.over), self.over)
        self._calls.fail(self.over)
        self._changed.set()
        self._lost()

    async def _ready_worker(self, shard: int, deadline: float) -> Outlets:
        """Return the ways to a shard's worker, waiting for one; raises ShardUnavailable: nothing was asked yet."""
        while self.over is not None or (worker := self._routes[shard].outlets) is None:
            if self.over is not None:
                raise NeverAskedError if self.held.is_awaited else self.over
            left = deadline - self.loop.time()
            state = self._routes[shard].state
            if state in GIVEN_UP or left <= 0:
                raise ShardUnavailable(shard, state)
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._changed.wait()
        return worker

    def _take_data(self, enough: int = ENOUGH_BYTES) -> None:
        taken_from: set[ShardRoute] = set()
        heard: set[ShardRoute] = set()
        for frame, size in self._inlets.frames(enough):
            route = self._by_incarnation.get(frame.source)
            if route is None:
                self.counts["stale"] += len(frame.messages)
                continue
            taken_from.add(route)
            self._take_frame(frame, size, route)
            if frame.state is not None and self.over is None:  # or what it settles has ended already
                route.heard_state(frame.state)
                heard.add(route)
        if not taken_from or self._closed:
            return
        self._book.post(self.counts, self.answers.counts)
        for route in taken_from:
            if self._untold[route.incarnation] >= TELL_AFTER:
                self._tell(route.incarnation)
            route.durable.taken_all()
        if heard:
            self.pump(list(heard))

    def _take_frame(self, frame: DataFrame, size: int, route: ShardRoute) -> None:
        if frame.lane:
            route.durable.take(frame, size)
            return
        self._take_volatile(frame, size, route)
        if self._untold[frame.source] >= TELL_AFTER:  # also while there is always one more frame
            self._book.post(self.counts, self.answers.counts)
            self._tell(frame.source)

    def _take_volatile(self, frame: DataFrame, size: int, route: ShardRoute) -> None:
        messages = route.volatile.take(frame, size, self.counts)
        self._book.taken(frame.source, route.volatile.link.incoming.taken)
        if messages:
            self._untold[frame.source] += max(len(messages), size * TELL_AFTER // TELL_AFTER_BYTES)
            self.answers.take(messages)

    def _take_control(self, enough: int = ENOUGH_BYTES) -> None:
        pumped: dict[int, ShardRoute] = {}
        for control in self._inlets.controls(enough):
            if isinstance(control, Topology):
                self._heard_topology(control)
            elif isinstance(control, Answer):
                self._calls.answer(control)
            elif isinstance(control, Capable):
                self._capable.hear(control)
            elif self.over is not None:
                continue  # what it would settle has ended already
            elif (route := self._by_incarnation.get(control.source)) is not None and route.heard(control):
                pumped[route.shard] = route
        if pumped:
            self.pump(list(pumped.values()))

    def _heard_topology(self, topology: Topology) -> None:
        if topology.version <= self._version:
            return
        self._version = topology.version
        self.table = topology.table
        for shard, (incarnation, state) in enumerate(zip(topology.incarnations, topology.states, strict=True)):
            if shard >= len(self._routes):
                self._routes.append(ShardRoute(shard, self.number, self._mark, self.answers, self.counts))
            self._change(self._routes[shard], incarnation, state)
        self._book.heard_topology(topology.version)
        self._capable.serve(topology.incarnations, topology.states)
        self.pump(self._routes)
        self._changed.set()

    def _change(self, route: ShardRoute, incarnation: int, state: str) -> None:
        old = route.incarnation
        if incarnation and old == incarnation:
            route.become(state)
            return
        outlets = None
        if incarnation:
            data = Outlet(self._context, self._runtime.data(incarnation))
            control = Outlet(self._context, self._runtime.control(incarnation))
            outlets = Outlets(incarnation, data, control)
            self._by_incarnation[incarnation] = route
        if old:
            self._take_data(ALL_BYTES)  # what the old one sent before it ended still counts
            self._by_incarnation.pop(old, None)
            self._untold.pop(old, None)
        unsent = route.volatile.backlog.unsent if old else set()
        route.change(outlets, state)
        if old:
            error = NetworkError(f"worker of shard {route.shard}", "it ended before it answered")
            self.answers.fail_volatile(lambda agent: self.table.shard_of(agent) == route.shard, error, unsent)
            self._calls.fail(error, old)
            self._book.end(old)

    def _tell(self, incarnation: int) -> None:
        self._untold.pop(incarnation, None)
        route = self._by_incarnation.get(incarnation)
        if route is not None:
            route.volatile.send_state()

    def _ask_again(self) -> None:
        """Ask for the durable messages that the inbox had no room for."""
        for route in self._routes:
            route.durable.ask_again()

    def _tick(self) -> None:
        if self._closed or self.over is not None:
            return
        self._timer = self.loop.call_later(TICK_S, self._tick)
        self._book.post(self.counts, self.answers.counts)
        self._capable.tick()
        self._ticks += 1
        if self._ticks % LOOK_EVERY == 0:
            if not self.is_served:
                self._lose_runtime("the runtime", "it ended", "start it and connect again")
                return
            if not self._book.is_in_place:  # everybody takes it for the end of this session
                self._lose_runtime("this session", "it ended because its file was removed", "connect again")
                return
        for route in self._routes:
            if route.outlets is not None:
                self._tick_volatile(route)
                route.durable.tick()
                if route.durable.ask_again_for_answers(self.loop.time()):
                    self.pump([route])

    @property
    def is_served(self) -> bool:
        """True while the supervisor that opened this session is there."""
        return still_holds(self._served_by, self._runtime.path)

    def _tick_volatile(self, route: ShardRoute) -> None:
        link = route.volatile.link
        route.volatile.say_how_far()
        if link.open or link.changed:
            self._tell(route.incarnation)

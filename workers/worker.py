"""The loop of one worker: frames wake it, a pass runs, `release` makes it true; every 200 ms it tends its links."""

import asyncio
import gc
import logging
import os
import time
from time import monotonic_ns

from caxton.transport import sockets
from caxton.transport.sockets import Outlet
from caxton.wire.codec import CONTROL
from caxton.wire.control import Call, Heartbeat, Hello, LinkState, Topology
from workers.calls import Calls
from workers.control_inlet import ControlInlet
from workers.inlet import Inlet
from workers.peers import Peer
from workers.release import release
from workers.rooms import Rooms
from workers.routes import shard_key
from workers.worker_pass import MAX_PASS_NS, Pass

TICK_S = 0.2
EXIT_BROKEN = 70  # EX_SOFTWARE
log = logging.getLogger("caxton.worker")
# A peer that says for so many ticks that it waits for messages which have not come, has lost them on the way.
STALLED_TICKS = 10
# After so many turns a pass takes no more: what follows from them had better leave.
ENOUGH_TURNS = 1_024
# Beyond this much in all mailboxes, clients get no further credit until it is less.
MOST_QUEUED, MOST_QUEUED_BYTES = 200_000, 256 << 20


class Worker:
    """Owns the sockets and every sandbox of its shard; nothing else runs on its thread."""

    def __init__(
        self, rooms: Rooms, data: sockets.Inlet, control: sockets.Inlet, supervisor: Outlet, mark: bytes
    ) -> None:
        self._rooms = rooms
        self._data, self._control, self._supervisor = data, control, supervisor
        self._mark = mark
        self._own = rooms.incarnation
        self._inlet = Inlet(data, rooms.peers, rooms.placing, rooms.routes, rooms.turns.take, self._own)
        self._control_inlet = ControlInlet(control, rooms.peers, self._own, self)
        self._calls: Calls
        self._loop = asyncio.get_running_loop()
        self._woken = False
        self._phase = 0
        self._ready = False
        self._topology = 0
        self._done = asyncio.Event()
        self._pass = self._open_pass()

    async def serve(self, charged: int) -> None:
        """Load the shard, say that it is ready, and serve until the supervisor says stop.

        `charged`: the agent in whose turn this worker's predecessor died, or 0.
        """
        self._loop.set_exception_handler(_end_the_process)
        self.beat()
        await self._rooms.lifecycle.load(charged)
        gc.freeze()  # what is here by now stays: the collector need not look at it again
        async with asyncio.TaskGroup() as group:
            self._calls = Calls(self._rooms, group, self._wake)
            self._ready = True
            self._data.watch(self._loop, self.run_pass)
            self._control.watch(self._loop, self._take_control)
            ticking = group.create_task(self._tick_for_ever())
            self.beat()
            await self._done.wait()
            ticking.cancel()

    def run_pass(self) -> None:
        """Take what has come, run the turns there are, release what follows; come back if anything is left."""
        self._woken = False
        a_pass = self._pass
        a_pass.now_ns = monotonic_ns()
        a_pass.wall_ms = time.time_ns() // 1_000_000
        rooms = self._rooms
        rooms.routes.begin(a_pass)
        rooms.turns.begin(a_pass)
        while True:
            self._inlet.take(a_pass)
            rooms.dispatcher.run(a_pass, rooms.turns.take, rooms.pressure.room)
            if a_pass.unfinished or not self._inlet.more or a_pass.turns >= ENOUGH_TURNS:
                break
            if monotonic_ns() - a_pass.now_ns >= MAX_PASS_NS:
                break  # what comes may cause no turn: frames that nobody can read, messages that are refused
        rooms.turns.ended()
        for key in rooms.pressure.settle(a_pass):
            self._unpark(key)
        unsent = release(a_pass, rooms.peers, rooms.book, rooms.gauges())
        self._pass = self._open_pass()
        self._pass.counts["unsent"] += unsent
        if a_pass.unfinished or self._inlet.more:
            self._wake()

    def heard_state(self, peer: Peer, state: LinkState) -> None:
        """A peer says how the link stands: credit and room may have come."""
        was_full = peer.link.full
        if peer.link.on_state(state) is None:
            return
        parking = self._rooms.parking
        if parking.messages:
            for key in was_full - peer.link.full:
                self._unpark(key)
            self._unpark(peer.number)
        if peer.link.changed:
            peer.send_state()

    def heard_hello(self, peer: Peer, hello: Hello) -> None:
        """A peer is there; tell it the same."""
        if hello.answer_wanted:
            taken = peer.link.incoming.taken
            peer.tell(CONTROL.encode(Hello(self._own, peer.mark, peer.number, taken, False)))  # noqa: FBT003 (a field)

    def heard_call(self, peer: Peer, call: Call) -> None:
        """A client asks for something of this shard."""
        self._calls.take(peer, call)

    def heard_topology(self, topology: Topology) -> None:
        """Other workers may have come or gone."""
        if topology.version <= self._topology:
            return
        self._topology = topology.version
        for shard in self._rooms.serve(topology.incarnations):
            self._unpark(shard_key(shard))
        for key in self._rooms.parking.waited_for():
            if key > 0 and self._rooms.is_lost(key):
                self._unpark(key)

    def heard_session_end(self, session: int) -> None:
        """A client is gone: nothing is kept for it."""
        self._rooms.end_session(session)

    def heard_drain(self, phase: int) -> None:
        """First take nothing more from clients, then stop."""
        self._phase = max(self._phase, phase)
        self._inlet.draining = self._calls.draining = True
        self.beat()
        if phase > 1:
            self._done.set()

    def beat(self) -> None:
        """Tell the supervisor that this worker is alive, and what it counts."""
        rooms = self._rooms
        idle = rooms.dispatcher.idle and not rooms.parking.messages and not self._woken
        counters = rooms.totals()
        beat = Heartbeat(self._own, self._mark, rooms.shard, self._ready, self._phase, idle, counters)
        self._supervisor.send(CONTROL.encode(beat))

    def close(self) -> None:
        """Let go of the sockets. Closing twice is fine."""
        for socket in (self._data, self._control, self._supervisor):
            socket.close()

    def _open_pass(self) -> Pass:
        a_pass = Pass(monotonic_ns(), time.time_ns() // 1_000_000)
        self._rooms.routes.begin(a_pass)
        self._rooms.turns.begin(a_pass)
        return a_pass

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            self._loop.call_soon(self.run_pass)

    def _take_control(self) -> None:
        if self._control_inlet.take(self._pass.counts):
            self._loop.call_soon(self._take_control)
        if self._pass.emitted or not self._rooms.dispatcher.idle:
            self._wake()

    def _unpark(self, key: int) -> None:
        parking = self._rooms.parking
        while (parked := parking.wake(key)) is not None:
            if self._rooms.routes.resume(parked):
                self._rooms.dispatcher.resume(parked.agent)
            elif parking.key_of(parked.agent) == key:
                break  # there is no room for those behind it either
        if self._pass.emitted or not self._rooms.dispatcher.idle:
            self._wake()

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._tick()

    def _tick(self) -> None:
        rooms = self._rooms
        for parked in rooms.parking.expired(monotonic_ns()):
            rooms.routes.give_up(parked)
            rooms.dispatcher.resume(parked.agent)
        dispatcher = rooms.dispatcher
        rooms.peers.hold_back(dispatcher.queued > MOST_QUEUED or dispatcher.queued_bytes > MOST_QUEUED_BYTES)
        for peer in list(rooms.peers.by_number.values()):
            if peer.link.incoming.stalled >= STALLED_TICKS and not self._inlet.more:
                self._pass.counts["gaps"] += peer.link.incoming.give_up()
                self._pass.taken[peer.number] = peer.link.incoming.taken
            if peer.link.open or peer.link.changed or peer.full:
                peer.send_state()
        self.beat()  # before the wake-up, which would say that there is work
        self._wake()


def _end_the_process(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """A pass that broke in the middle must not go on: end, and let the successor start from what was committed."""
    error = context.get("exception")
    log.critical("%s", context.get("message"), exc_info=error if isinstance(error, BaseException) else None)
    logging.shutdown()
    os._exit(EXIT_BROKEN)

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
from workers.attached import Attached
from workers.calls import Calls
from workers.committer import Committer
from workers.control_inlet import ControlInlet
from workers.crash_note import read_note
from workers.delivery import Delivery
from workers.inlet import Inlet
from workers.journal import Closed
from workers.parking import shard_key
from workers.peers import Peer
from workers.registry import Agent
from workers.release import release
from workers.rooms import Rooms
from workers.upkeep import Upkeep
from workers.ways import MOST_WAITING
from workers.worker_pass import MAX_PASS_NS, Pass

TICK_S = 0.2
EXIT_BROKEN = 70  # EX_SOFTWARE
log = logging.getLogger("caxton.worker")
# After so many turns a pass takes no more: what follows from them had better leave.
ENOUGH_TURNS = 1_024


class Worker:
    """Owns the sockets and every sandbox of its shard; nothing else runs on its thread."""

    def __init__(
        self, rooms: Rooms, data: sockets.Inlet, control: sockets.Inlet, supervisor: Outlet, mark: bytes
    ) -> None:
        self._rooms = rooms
        self._data, self._control, self._supervisor = data, control, supervisor
        self._mark = mark
        self._own = rooms.incarnation
        self._durable = durable = rooms.durable
        self._inlet = Inlet(data, rooms.peers, rooms.placing, rooms.routes, rooms.turns.take, self._own, durable)
        self._control_inlet = ControlInlet(control, rooms.peers, self._own, self)
        self._calls: Calls
        self._attached = Attached(
            rooms.registry, rooms.dispatcher, rooms.pressure, rooms.routes, rooms.turns, durable, self._wake
        )
        self._committer = Committer(
            rooms.store, durable.journal, durable.ways, rooms.peers, durable.greetings, self._released
        )
        self._upkeep = Upkeep(rooms, self._committer, self.heard_session_end)
        durable.greetings.quiet = lambda: self._committer.quiet
        self._loop = asyncio.get_running_loop()
        self._woken = False
        self._phase = 0
        self._ready = False
        self._topology = 0
        self._done = asyncio.Event()
        self._ended = False
        self._alone = False
        self._pass = self._open_pass()

    async def serve(self, note: bytes | None) -> None:
        """Load the shard, say that it is ready, and serve until the supervisor says stop.

        `note`: what this worker's predecessor was doing when it died, if it died in a turn.
        """
        self._loop.set_exception_handler(_end_the_process)
        self.beat()
        await self._recover(note)
        gc.freeze()  # what is here by now stays: the collector need not look at it again
        try:
            await self._serve()
        except ExceptionGroup as group:
            raise group.exceptions[0] from None  # mostly of the store: what the process is to say of its end

    async def _serve(self) -> None:
        async with asyncio.TaskGroup() as group:
            self._calls = Calls(self._rooms, self._attached, group, self._wake)
            self._ready = True
            self._data.watch(self._loop, self.run_pass)
            self._control.watch(self._loop, self._take_control)
            ticking = group.create_task(self._tick_for_ever())
            committing = group.create_task(self._committer.run())
            self.beat()
            self._wake()
            await self._done.wait()
            ticking.cancel()
            await self._committer.finish()
            self._ended = True
            committing.cancel()

    async def _recover(self, note: bytes | None) -> None:
        """Go on from what the file holds. What follows from it is committed before anything is served."""
        rooms, durable = self._rooms, self._durable
        await rooms.lifecycle.load()
        found = await rooms.store.load()
        recovery = rooms.recovery
        durable.journal.begin(self._pass)
        recovery.fill(found)
        failed = recovery.charge(read_note(note))
        if failed is not None:
            await rooms.lifecycle.fail(failed)
        recovery.resume(found)
        await self._committer.commit()

    def run_pass(self) -> None:
        """Take what has come, run the turns there are, release what follows; come back if anything is left."""
        if self._ended:
            return  # the last commit is done: nothing may follow it
        if self._committer.is_back:
            self._wake()  # its release takes some turns of the loop: none of them is to last as long as a pass
            return
        suspects = self._durable.suspects
        if suspects.waiting or self._alone:
            self._run_alone()
            return
        a_pass = self._pass
        a_pass.now_ns = monotonic_ns()
        a_pass.wall_ms = time.time_ns() // 1_000_000
        rooms = self._rooms
        self._begin(a_pass)
        if not rooms.dispatcher.idle:  # first what is left, so that what comes finds idle agents and costs no mailbox
            rooms.dispatcher.run(a_pass, rooms.turns.take, rooms.pressure.room)
            a_pass.unfinished = False
        while True:
            self._inlet.take(a_pass)
            rooms.dispatcher.run(a_pass, rooms.turns.take, rooms.pressure.room)
            if a_pass.unfinished or not self._inlet.more or a_pass.turns >= ENOUGH_TURNS:
                break
            if monotonic_ns() - a_pass.now_ns >= MAX_PASS_NS // 2:  # a frame that is begun now is finished in time
                break  # what comes may cause no turn: frames that nobody can read, messages that are refused
        self._end_pass(a_pass)
        if a_pass.unfinished or self._inlet.more:
            self._wake()

    def _end_pass(self, a_pass: Pass) -> None:
        """Release what the pass caused: what is volatile at once, the rest when it is committed."""
        rooms = self._rooms
        rooms.turns.ended()
        durable = self._durable
        if durable.keys.due:
            due, durable.keys.due = durable.keys.due, []
            durable.routes.send(due, (0, 0), a_pass)
        for key in rooms.pressure.settle(a_pass):
            self._unpark(key)
        if rooms.dispatcher.arrivals:
            arrivals, rooms.dispatcher.arrivals = rooms.dispatcher.arrivals, set()
            self._attached.arrived(arrivals)
        self._committer.poke()
        unsent = release(a_pass, rooms.peers, rooms.book, rooms.gauges())
        self._pass = self._open_pass()
        self._pass.counts["unsent"] += unsent

    def _run_alone(self) -> None:
        """Run one message that a worker died of, with nothing else in its commit, nor before that is done."""
        suspects = self._durable.suspects
        if self._alone or not self._committer.quiet:
            self._committer.poke()
            return  # `_released` wakes us
        agent, delivery = suspects.waiting.popleft()
        a_pass = self._pass
        self._begin(a_pass)
        held = (agent.retrying or {}).get(delivery.message.sender)
        is_gone = held is None or held[0][4] is not delivery  # with its agent, and it is a dead letter
        if not is_gone and agent.holds:
            self._rooms.dispatcher.put_back(agent, self._durable.retries.release(agent, delivery.message.sender))
        elif not is_gone:
            self._take_alone(agent, delivery, a_pass)
        self._end_pass(a_pass)
        if not self._alone:
            self._wake()

    def _take_alone(self, agent: Agent, delivery: Delivery, a_pass: Pass) -> None:
        rooms, suspects = self._rooms, self._durable.suspects
        first, *behind = self._durable.retries.release(agent, delivery.message.sender)
        rooms.dispatcher.leave(agent, 1, rooms.pressure.room)
        rooms.dispatcher.put_back(agent, behind)
        self._alone = True
        a_pass.turns += 1
        suspects.alone = delivery
        rooms.turns.take(agent, *first)
        suspects.alone = None
        self._durable.journal.urgent = True

    def _released(self, closed: Closed) -> None:
        """A commit is done: what it kept from going on may go on."""
        self._alone = False
        counts = self._pass.counts
        counts["commits"] += 1
        for way, rows in closed.rows:
            name = "emitted_to_sessions" if way.is_session else "emitted_to_workers"
            counts[name] += sum(row.last - row.first + 1 for row in rows)
            counts["frames_out"] += len(rows)
        if self._durable.suspects.waiting or not self._rooms.dispatcher.idle:
            self._wake()

    def heard_state(self, peer: Peer, state: LinkState) -> None:
        """A peer says how the link stands: credit and room may have come."""
        if state.lane:
            self._heard_durable_state(peer, state)
            return
        was_full = peer.link.full
        if peer.link.on_state(state) is None:
            return
        parking = self._rooms.parking
        if parking.waits:
            for key in was_full - peer.link.full:
                self._unpark(key)
            self._unpark(peer.number)
        if peer.link.changed:
            peer.send_state()

    def _heard_durable_state(self, peer: Peer, state: LinkState) -> None:
        was_full = peer.durable.full if peer.durable is not None else frozenset()
        way = self._durable.greetings.heard_state(peer, state)
        if way is None or peer.durable is None:
            return
        if self._rooms.parking.waits:
            for key in was_full - peer.durable.full:
                self._unpark(key)
            if not way.is_session and way.messages < MOST_WAITING:
                self._unpark(shard_key(way.target))
        if peer.durable.changed:
            peer.send_durable_state()

    def heard_hello(self, peer: Peer, hello: Hello) -> None:
        """A peer is there, and says what it took on the durable lane."""
        if not self._durable.greetings.heard_hello(peer, hello):
            self._pass.counts["garbage"] += 1

    def heard_call(self, peer: Peer, call: Call) -> None:
        """A client asks for something of this shard."""
        self._calls.take(peer, call)

    def heard_topology(self, topology: Topology) -> None:
        """Other workers may have come or gone."""
        if topology.version <= self._topology:
            return
        self._topology = topology.version
        for shard in self._rooms.serve(topology.incarnations):
            self._durable.greetings.left(shard)
            self._unpark(shard_key(shard))
        self._durable.greetings.tend()
        for key in self._rooms.parking.waited_for():
            if key > 0 and self._rooms.is_lost(key):
                self._unpark(key)

    def heard_session_end(self, session: int) -> None:
        """A client is gone: nothing is kept for it."""
        if self._rooms.peers.has_ended(session):
            return
        self._rooms.end_session(session)
        self._attached.session_ended(session)
        self._rooms.recovery.end_session(session)
        self._committer.poke()

    def heard_drain(self, phase: int, *, replaced: bool) -> None:
        """First take nothing more from clients, then stop. A worker that is replaced leaves what is durable."""
        self._inlet.leaving = replaced
        self._phase = max(self._phase, phase)
        self._inlet.draining = self._calls.draining = True
        self.beat()
        if phase > 1:
            self._done.set()

    def beat(self) -> None:
        """Tell the supervisor that this worker is alive, and what it counts."""
        rooms = self._rooms
        idle = (
            rooms.dispatcher.idle
            and not rooms.parking.messages
            and not self._woken
            and self._committer.quiet
            and not self._durable.ways.under_way
        )
        counters = rooms.totals()
        beat = Heartbeat(self._own, self._mark, rooms.shard, self._ready, self._phase, idle, counters)
        self._supervisor.send(CONTROL.encode(beat))

    def close(self) -> None:
        """Let go of the sockets. Closing twice is fine."""
        for socket in (self._data, self._control, self._supervisor):
            socket.close()

    def _open_pass(self) -> Pass:
        a_pass = Pass(monotonic_ns(), time.time_ns() // 1_000_000)
        self._begin(a_pass)
        return a_pass

    def _begin(self, a_pass: Pass) -> None:
        self._rooms.durable.journal.begin(a_pass)
        self._rooms.routes.begin(a_pass)
        self._rooms.turns.begin(a_pass)

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            self._loop.call_soon(self._come_back)

    def _come_back(self) -> None:
        """Run the pass that was asked for; one that a frame caused meanwhile does not ask for a second."""
        self._woken = False
        self.run_pass()

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
        self._upkeep.tick(self._pass, more=self._inlet.more)
        if self._rooms.lifecycle.draining:
            self._calls.stop_drained()
        self.beat()  # before the wake-up, which would say that there is work
        self._wake()


def _end_the_process(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """A pass that broke in the middle must not go on: end, and let the successor start from what was committed."""
    error = context.get("exception")
    log.critical("%s", context.get("message"), exc_info=error if isinstance(error, BaseException) else None)
    logging.shutdown()
    os._exit(EXIT_BROKEN)

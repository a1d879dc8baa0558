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
from caxton.wire.control import Call, Heartbeat, Hello, Topology
from caxton.wire.link_state import LinkState
from workers.agents.delivery import Delivery
from workers.agents.registry import Agent
from workers.commit.committer import Committer
from workers.commit.journal import Closed
from workers.commit.outboxes import MOST_WAITING
from workers.crash_note import read_note
from workers.intake.control_inlet import ControlInlet
from workers.intake.message_inlet import MessageInlet
from workers.loop.calls import Calls
from workers.loop.maintenance import Maintenance
from workers.loop.shard import Shard
from workers.operations.attached import Attached
from workers.peers.peer import Peer
from workers.queues.parking import shard_key
from workers.volatile.release import release
from workers.worker_pass import MAX_PASS_NS, Pass

TICK_S = 0.2
EXIT_BROKEN = 70  # EX_SOFTWARE
log = logging.getLogger("caxton.worker")
# After so many turns a pass takes no more: what follows from them had better leave.
ENOUGH_TURNS = 1_024


class Worker:
    """Owns the sockets and every sandbox of its shard; nothing else runs on its thread."""

    def __init__(
        self, shard: Shard, data: sockets.Inlet, control: sockets.Inlet, supervisor: Outlet, mark: bytes
    ) -> None:
        self._shard = shard
        self._data, self._control, self._supervisor = data, control, supervisor
        self._mark = mark
        self._own = shard.incarnation
        self._durable = durable = shard.durable
        self._inlet = MessageInlet(data, shard.peers, shard.placing, shard.routes, shard.turns.take, self._own, durable)
        self._control_inlet = ControlInlet(control, shard.peers, self._own, self)
        self._calls: Calls
        self._attached = Attached(
            shard.registry, shard.dispatcher, shard.pressure, shard.routes, shard.turns, durable, self._wake
        )
        self._committer = Committer(
            shard.store, durable.journal, durable.outboxes, shard.peers, durable.greetings, self._released
        )
        self._upkeep = Maintenance(shard, self._committer, self.heard_session_end)
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
            self._calls = Calls(self._shard, self._attached, group, self._wake)
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
        shard, durable = self._shard, self._durable
        await shard.lifecycle.load()
        found = await shard.store.load()
        recovery = shard.recovery
        durable.journal.begin(self._pass)
        recovery.fill(found)
        failed = recovery.charge(read_note(note))
        if failed is not None:
            await shard.lifecycle.fail(failed)
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
        shard = self._shard
        self._begin(a_pass)
        if not shard.dispatcher.idle:  # first what is left, so that what comes finds idle agents and costs no mailbox
            shard.dispatcher.run(a_pass, shard.turns.take, shard.pressure.room)
            a_pass.unfinished = False
        while True:
            self._inlet.take(a_pass)
            shard.dispatcher.run(a_pass, shard.turns.take, shard.pressure.room)
            if a_pass.unfinished or not self._inlet.more or a_pass.turns >= ENOUGH_TURNS:
                break
            if monotonic_ns() - a_pass.now_ns >= MAX_PASS_NS // 2:  # a frame that is begun now is finished in time
                break  # what comes may cause no turn: frames that nobody can read, messages that are refused
        self._end_pass(a_pass)
        if a_pass.unfinished or self._inlet.more:
            self._wake()

    def _end_pass(self, a_pass: Pass) -> None:
        """Release what the pass caused: what is volatile at once, the rest when it is committed."""
        shard = self._shard
        shard.turns.ended()
        durable = self._durable
        if durable.keys.due:
            due, durable.keys.due = durable.keys.due, []
            durable.routes.send(due, (0, 0), a_pass)
        for key in shard.pressure.settle(a_pass):
            self._unpark(key)
        if shard.dispatcher.arrivals:
            arrivals, shard.dispatcher.arrivals = shard.dispatcher.arrivals, set()
            self._attached.arrived(arrivals)
        self._committer.poke()
        unsent = release(a_pass, shard.peers, shard.book, shard.gauges())
        self._pass = self._open_pass()
        self._pass.counts["unsent"] += unsent

    def _run_alone(self) -> None:
        """Run one message that a worker died of, with nothing else in its commit, nor before that is done."""
        suspects = self._durable.suspects
        if self._alone or not self._durable.journal.quiet:
            self._committer.poke()
            return  # `_released` wakes us
        agent, delivery = suspects.waiting.popleft()
        a_pass = self._pass
        self._begin(a_pass)
        held = (agent.retrying or {}).get(delivery.message.sender)
        is_gone = held is None or held[0][4] is not delivery  # with its agent, and it is a dead letter
        if not is_gone and agent.holds:
            self._shard.dispatcher.put_back(agent, self._durable.retries.release(agent, delivery.message.sender))
        elif not is_gone:
            self._take_alone(agent, delivery, a_pass)
        self._end_pass(a_pass)
        if not self._alone:
            self._wake()

    def _take_alone(self, agent: Agent, delivery: Delivery, a_pass: Pass) -> None:
        shard, suspects = self._shard, self._durable.suspects
        first, *behind = self._durable.retries.release(agent, delivery.message.sender)
        shard.dispatcher.leave(agent, 1, shard.pressure.room)
        shard.dispatcher.put_back(agent, behind)
        self._alone = True
        a_pass.turns += 1
        suspects.alone = delivery
        shard.turns.take(agent, *first)
        suspects.alone = None
        self._durable.journal.urgent = True

    def _released(self, closed: Closed) -> None:
        """A commit is done: what it kept from going on may go on."""
        was_alone, self._alone = self._alone, False
        counts = self._pass.counts
        counts["commits"] += 1
        for outbox, rows in closed.rows:
            name = "emitted_to_sessions" if outbox.is_session else "emitted_to_workers"
            counts[name] += sum(row.last - row.first + 1 for row in rows)
            counts["frames_out"] += len(rows)
        if was_alone or self._durable.suspects.waiting or not self._shard.dispatcher.idle:
            self._wake()  # frames may have come while a suspect ran alone, and nothing tells of them again

    def heard_state(self, peer: Peer, state: LinkState) -> None:
        """A peer says how the link stands: credit and room may have come."""
        if state.lane:
            self._heard_durable_state(peer, state)
            return
        was_full = peer.link.full
        if peer.link.on_state(state) is None:
            return
        parking = self._shard.parking
        if parking.waits:
            for key in was_full - peer.link.full:
                self._unpark(key)
            self._unpark(peer.number)
        if peer.link.changed:
            peer.send_state()

    def _heard_durable_state(self, peer: Peer, state: LinkState) -> None:
        was_full = peer.durable.full if peer.durable is not None else frozenset()
        outbox = self._durable.greetings.heard_state(peer, state)
        if outbox is None or peer.durable is None:
            return
        if self._shard.parking.waits:
            for key in was_full - peer.durable.full:
                self._unpark(key)
            if not outbox.is_session and outbox.messages < MOST_WAITING:
                self._unpark(shard_key(outbox.target))
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
        for shard in self._shard.serve(topology.incarnations):
            self._durable.greetings.left(shard)
            self._unpark(shard_key(shard))
        self._durable.greetings.tend()
        for key in self._shard.parking.waited_for():
            if key > 0 and self._shard.is_lost(key):
                self._unpark(key)

    def heard_session_end(self, session: int) -> None:
        """A client is gone: nothing is kept for it."""
        if self._shard.peers.has_ended(session):
            return
        self._shard.end_session(session)
        self._attached.session_ended(session)
        self._shard.recovery.end_session(session)
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
        shard = self._shard
        idle = (
            shard.dispatcher.idle
            and not shard.parking.messages
            and not self._woken
            and self._durable.journal.quiet
            and not self._durable.outboxes.under_way
        )
        counters = shard.totals()
        beat = Heartbeat(self._own, self._mark, shard.number, self._ready, self._phase, idle, counters)
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
        self._shard.durable.journal.begin(a_pass)
        self._shard.routes.begin(a_pass)
        self._shard.turns.begin(a_pass)

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
        if self._pass.emitted or not self._shard.dispatcher.idle:
            self._wake()

    def _unpark(self, key: int) -> None:
        parking = self._shard.parking
        while (parked := parking.wake(key)) is not None:
            if self._shard.routes.resume(parked):
                self._shard.dispatcher.resume(parked.agent)
            elif parking.key_of(parked.agent) == key:
                break  # there is no room for those behind it either
        if self._pass.emitted or not self._shard.dispatcher.idle:
            self._wake()

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._tick()

    def _tick(self) -> None:
        self._upkeep.tick(self._pass, more=self._inlet.more)
        if self._shard.lifecycle.draining:
            self._calls.stop_drained()
        self.beat()  # before the wake-up, which would say that there is work
        self._wake()


def _end_the_process(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """A pass that broke in the middle must not go on: end, and let the successor start from what was committed."""
    error = context.get("exception")
    log.critical("%s", context.get("message"), exc_info=error if isinstance(error, BaseException) else None)
    logging.shutdown()
    os._exit(EXIT_BROKEN)

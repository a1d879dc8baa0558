"""The loop of one worker: frames wake it, a pass runs, `release` makes it true; every 200 ms it tends its links."""

import asyncio
import gc
import logging
import os
from collections.abc import Callable, Mapping
from time import monotonic, monotonic_ns

from caxton.delivery.dead_letter import Reason
from caxton.lines import log_from
from caxton.transport import sockets
from caxton.transport.sockets import Outlet
from caxton.wire.calls import MAX_BATCH, DeadLetterFilter
from caxton.wire.capable import Capable, Subscribe
from caxton.wire.codec import CONTROL
from caxton.wire.control import Call, Happened, Heartbeat, Hello, Topology
from caxton.wire.link_state import LinkState
from workers.commit.committer import Committer
from workers.commit.journal import Closed
from workers.crash_note import read_note
from workers.intake.control_inlet import ControlInlet
from workers.intake.message_inlet import MessageInlet
from workers.loop.calls import Calls
from workers.loop.condition import ShardCondition
from workers.loop.link_news import LinkNews
from workers.loop.maintenance import Maintenance
from workers.loop.passes import Passes
from workers.loop.shard import Shard
from workers.operations.attached import Attached
from workers.peers.peer import Peer

TICK_S = 0.2
# Frames of events in one go, behind a heartbeat.
EVENTS_AT_ONCE = 8
EXIT_BROKEN = 70  # EX_SOFTWARE
log = logging.getLogger("caxton.worker")


class Worker:
    """Owns the sockets and every sandbox of its shard; nothing else runs on its thread."""

    def __init__(
        self, shard: Shard, data: sockets.Inlet, control: sockets.Inlet, supervisor: Outlet, mark: bytes
    ) -> None:
        self._shard = shard
        self._data, self._control, self._supervisor = data, control, supervisor
        self._mark = mark
        durable = shard.durable
        self._inlet = MessageInlet(
            data,
            shard.peers,
            shard.placing,
            shard.routes,
            shard.turns.take,
            shard.incarnation,
            durable,
        )
        self._control_inlet = ControlInlet(control, shard.peers, shard.incarnation, self)
        self._link_news = LinkNews(shard)
        self._calls: Calls  # once there is a group that its tasks belong to
        self._attached = Attached(
            shard.registry,
            shard.dispatcher,
            shard.pressure,
            shard.routes,
            shard.turns,
            durable,
            shard.claims,
            self._wake,
        )
        self._committer = Committer(
            shard.store, durable.journal, durable.outboxes, shard.peers, durable.greetings, self._committed
        )
        self._passes = Passes(shard, self._inlet, self._attached, self._committer, self._wake)
        self._condition = ShardCondition(shard, self._committer, self._passes)
        self._maintenance = Maintenance(shard, self._committer, self.heard_session_end)
        self._loop = asyncio.get_running_loop()
        self._woken = False  # a pass is asked for, and the loop has not come to it
        self._phase = 0  # of the end: 1 takes nothing more from clients, 2 stops
        self._ready = False  # the shard is loaded
        self._asked = 0  # the number of the last heartbeat that the supervisor asked for
        self._topology = 0  # the version that was last heard
        self._done = asyncio.Event()  # the supervisor said stop
        self._ended = False  # the last commit is done: nothing may follow it
        shard.capabilities.later = self._later
        shard.capabilities.on_news = self._heard_news

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
            self._calls = Calls(self._shard, self._attached, group, self._passes)
            self._ready = True
            self._data.watch(self._loop, self.run_pass)
            self._control.watch(self._loop, self._take_control)
            ticking = group.create_task(self._tick_for_ever())
            committing = group.create_task(self._committer.run())
            paging = group.create_task(self._passes.paging.run())
            marking = group.create_task(self._shard.module_uses.run())
            self.beat()
            self._wake()
            await self._done.wait()
            self._calls.end()
            ticking.cancel()
            paging.cancel()
            marking.cancel()
            await self._committer.finish()
            self._ended = True
            self.beat()  # the last word: what was committed in the end is in the head of the audit
            committing.cancel()

    async def _recover(self, note: bytes | None) -> None:
        """Go on from what the file holds. What follows from it is committed before anything is served."""
        shard, durable = self._shard, self._shard.durable
        await shard.lifecycle.load()
        found = await shard.store.load(durable.disk.stays)
        recovery = shard.recovery
        durable.journal.begin(self._passes.present)
        recovery.fill(found)
        failed = recovery.charge(read_note(note))
        if failed is not None:
            await shard.lifecycle.fail(failed)
        recovery.resume(found)
        if found.dead_letters:
            await self._resume_unresolved()
        await self._committer.commit()

    async def _resume_unresolved(self) -> None:
        """Look again for somebody for messages to capabilities that the last worker left unresolved."""
        which, after, more = DeadLetterFilter(reason=Reason.UNRESOLVED), 0, True
        while more:
            rows, more = await self._shard.store.letters_with_messages(which, MAX_BATCH, after)
            self._shard.durable.attempts.redirects.resume(rows)
            after = rows[-1].number if rows else after

    def count_garbage(self) -> None:
        """Count a connection that was ended for what it said."""
        self._passes.present.counts["garbage"] += 1

    def run_pass(self) -> None:
        """Run one pass, unless the worker has ended."""
        if not self._ended:
            self._passes.run()

    def _committed(self, closed: Closed) -> None:
        self._passes.committed(closed)

    def heard_state(self, peer: Peer, state: LinkState) -> None:
        """A peer says how the link stands."""
        self._link_news.heard_state(peer, state)

    def heard_hello(self, peer: Peer, hello: Hello) -> None:
        """A peer is there, and says what it took on the durable lane."""
        if not self._link_news.heard_hello(peer, hello):
            self._passes.present.counts["garbage"] += 1

    def heard_call(self, peer: Peer, call: Call) -> None:
        """A client asks for something of this shard."""
        self._calls.take(peer, call)

    def heard_subscribe(self, peer: Peer, word: Subscribe) -> None:
        """A peer wants to be told who has capabilities."""
        if not self._shard.capabilities.heard_subscribe(peer, word):
            self._passes.present.counts["garbage"] += 1

    def heard_capable(self, peer: Peer, page: Capable) -> None:
        """Another worker tells who has a capability."""
        self._shard.capabilities.heard_capable(peer, page)

    def _heard_news(self) -> None:
        """Send on what waited for word of who has a capability."""
        if len(self._shard.alternatives):
            self._passes.renew()
            if self._shard.alternatives.settle():
                self._wake()

    def _later(self, after_s: float, call: Callable[[], None]) -> None:
        self._loop.call_later(after_s, lambda: None if self._ended else call())

    def heard_topology(self, topology: Topology) -> None:
        """Other workers may have come or gone."""
        if topology.version <= self._topology:
            return
        self._topology = topology.version
        self._link_news.heard_workers(topology.incarnations)
        self._wake()

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
        self._shard.watching.waits.close()
        self.beat()
        if phase > 1:
            self._done.set()

    @staticmethod
    def heard_log_from(level: int, modules: Mapping[str, int]) -> None:
        """Log from other levels on."""
        log_from(level, modules)

    def heard_ask_beat(self, number: int) -> None:
        """Say now how the shard stands."""
        self._asked = max(self._asked, number)
        self.beat()

    def beat(self) -> None:
        """Tell the supervisor that this worker is alive, and what it counts."""
        shard = self._shard
        idle = (
            shard.dispatcher.idle
            and not shard.backlogs.messages
            and not self._woken
            and self._shard.durable.journal.quiet
            and not self._shard.durable.outboxes.under_way
        )
        counters = shard.totals()
        own, condition = (
            shard.incarnation,
            self._condition.look(monotonic_ns(), self._calls.to_tell() if self._ready else 0),
        )
        audit = shard.store.database.audit_head
        state = self._ready, self._phase, idle, counters, condition
        beat = Heartbeat(own, self._mark, shard.number, *state, [], audit, self._asked)
        if self._supervisor.send(CONTROL.encode(beat)):
            self._tell_events()

    def _tell_events(self) -> None:
        """Tell what happened, in frames of their own: a heartbeat is one of a round, and depends on no event."""
        shard, events = self._shard, self._shard.watching.events
        for _ in range(EVENTS_AT_ONCE):
            said = events.to_say()
            word = Happened(shard.incarnation, self._mark, shard.number, said)
            if not said or not self._supervisor.send(CONTROL.encode(word)):
                return
            events.said(said)

    def close(self) -> None:
        """Let go of the sockets. Closing twice is fine."""
        for socket in (self._data, self._control, self._supervisor):
            socket.close()

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            self._loop.call_soon(self._come_back)

    def _come_back(self) -> None:
        """Run the pass that was asked for; one that a frame caused meanwhile does not ask for a second."""
        self._woken = False
        self.run_pass()

    def _take_control(self) -> None:
        if self._control_inlet.take(self._passes.present.counts):
            self._loop.call_soon(self._take_control)
        if self._passes.present.emitted or not self._shard.dispatcher.idle:
            self._wake()

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._tick()

    def _tick(self) -> None:
        self._maintenance.tick(more=self._inlet.more)
        self._attached.tick()
        self._shard.capabilities.tick()
        self._heard_news()
        if self._shard.watching.watchers.is_asked:
            self._shard.watching.watchers.tick(monotonic())
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

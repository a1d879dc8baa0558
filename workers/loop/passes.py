"""One pass after the other: take what has come, run the turns there are, release what follows."""

import time
from collections.abc import Callable
from time import monotonic_ns

from workers.commit.committer import Committer
from workers.commit.journal import Closed
from workers.durable.paging import Paging
from workers.intake.message_inlet import MessageInlet
from workers.intake.pace import Pace
from workers.loop.lone_turns import LoneTurns
from workers.loop.shard import Shard
from workers.operations.attached import Attached
from workers.volatile.release import release
from workers.worker_pass import MAX_PASS_NS, NS_PER_MS, Pass

# For how long passes wait for a commit. A disk that is slow, or full, keeps the volatile lane no longer.
MOST_REST_NS = 500 * NS_PER_MS
# After so many turns a pass takes no more: what follows from them had better leave.
ENOUGH_TURNS = 1_024


class Passes:
    """Owned by the worker's loop. wake: lets `run` be called again, soon.

    present: the pass that is open. What a control frame, a call or a tick causes between two runs joins it, and what
    `paging` reads. turns: of all passes.
    """

    def __init__(
        self, shard: Shard, inlet: MessageInlet, attached: Attached, committer: Committer, wake: Callable[[], None]
    ) -> None:
        self._shard = shard
        self._inlet = inlet
        self._attached = attached
        self._committer = committer
        self.wake = wake
        self._lone_turns = LoneTurns(shard)
        self._pace = Pace()
        self._taken = 0  # messages, by all passes
        self._rested = False  # since the last commit: frames may have come, and nothing tells of them again
        self.paging = Paging(shard.store, shard.registry, shard.dispatcher, shard.durable, self.renew, wake)
        self.turns = 0
        shard.watching.watchers.graph.turns = lambda: self.turns
        self.present = self._open()

    def run(self) -> None:
        """Run one pass; it is asked for again if anything is left."""
        if self._committer.is_back:
            self.wake()  # its release takes some turns of the loop: none of them is to last as long as a pass
        elif self._lone_turns.wait:
            self._run_alone()
        elif self._must_rest:
            self._rested = True  # `committed` asks again, or the next tick
        else:
            self._run()

    @property
    def _must_rest(self) -> bool:
        """True while a commit is written, for a while, and the next is full: more is gathered when it is their turn."""
        committer, journal = self._committer, self._shard.durable.journal
        return journal.is_full and committer.begun_ns > 0 and monotonic_ns() - committer.begun_ns < MOST_REST_NS

    def _run(self) -> None:
        a_pass, dispatcher = self.renew(), self._shard.dispatcher
        dispatcher.lines.round += 1
        if not dispatcher.idle:  # first what is left, so that what comes finds idle agents and costs no mailbox
            self._run_turns(a_pass)
            a_pass.unfinished = False
        while True:
            if most := self._pace.most(self._taken + a_pass.taken_messages, self.turns + a_pass.turns, dispatcher.idle):
                self._inlet.take(a_pass, most)
            self._run_turns(a_pass)
            if a_pass.unfinished or a_pass.hurried:
                break
            if not dispatcher.idle:
                continue  # others may have come meanwhile, who need little
            if not self._inlet.more or a_pass.turns >= ENOUGH_TURNS:
                break
            if monotonic_ns() - a_pass.now_ns >= MAX_PASS_NS // 2:  # a frame that is begun now is finished in time
                break  # what comes may cause no turn: frames that nobody can read, messages that are refused
        self._end(a_pass)
        if a_pass.unfinished or self._inlet.more or not dispatcher.idle:
            self.wake()

    def _run_turns(self, a_pass: Pass) -> None:
        shard = self._shard
        shard.dispatcher.run(a_pass, shard.turns.take, shard.pressure.room)

    def _run_alone(self) -> None:
        if not self._lone_turns.may_run:
            self._committer.poke()
            return  # `committed` asks again
        a_pass = self.present
        self._begin(a_pass)
        self._lone_turns.run(a_pass)
        self._end(a_pass)
        if not self._lone_turns.under_way:
            self.wake()

    def _end(self, a_pass: Pass) -> None:
        """Release what the pass caused: what is volatile at once, the rest when it is committed."""
        shard, keys = self._shard, self._shard.durable.keys
        shard.turns.ended()
        self.turns += a_pass.turns
        self._taken += a_pass.taken_messages
        if keys.due:
            due, keys.due = keys.due, []
            shard.durable.routes.send(due, (0, 0), a_pass)
        self._inlet.tell_measured(a_pass)
        shard.dispatcher.tell_measured(a_pass)
        shard.pressure.settle(a_pass)
        a_pass.tell.update(shard.admit())
        if shard.dispatcher.arrivals:
            arrivals, shard.dispatcher.arrivals = shard.dispatcher.arrivals, set()
            self._attached.arrived(arrivals)
        conversations = shard.durable.journal.conversations
        if conversations.counts or conversations.untold:
            a_pass.counts.update(conversations.counts)
            conversations.counts.clear()
            shard.routes.tell_of_ends()
        if conversations.rules.overdue:
            shard.routes.tell_of_overdue()
        if a_pass.spans:
            shard.watching.spans.add(a_pass.spans)
        self._committer.poke()
        self.paging.poke()
        unsent = release(a_pass, shard.peers, shard.backlogs, conversations, shard.book, shard.gauges())
        self.present = self._open()
        self.present.counts["unsent"] += unsent

    def committed(self, closed: Closed) -> None:
        """A commit is done and released: what it kept from going on may go on."""
        counts = self.present.counts
        counts["commits"] += 1
        self.present.latencies.append(("commit", self._committer.took_ns, 1))
        for outbox, rows in closed.rows:
            name = "emitted_to_sessions" if outbox.is_session else "emitted_to_workers"
            counts[name] += sum(row.last - row.first + 1 for row in rows)
            counts["frames_out"] += len(rows)
        idle = self._shard.dispatcher.idle and not self._rested
        self._rested = False
        if self._lone_turns.committed() or self._lone_turns.wait or not idle:
            self.wake()  # frames may have come while a turn had its commit alone, or passes rested

    def renew(self) -> Pass:
        """Return the present pass, which goes on from now: it may have been opened 200 ms ago."""
        a_pass = self.present
        a_pass.now_ns = monotonic_ns()
        a_pass.wall_ms = time.time_ns() // 1_000_000
        self._begin(a_pass)
        return a_pass

    def _open(self) -> Pass:
        a_pass = Pass(monotonic_ns(), time.time_ns() // 1_000_000)
        self._begin(a_pass)
        return a_pass

    def _begin(self, a_pass: Pass) -> None:
        self._shard.durable.journal.begin(a_pass)
        self._shard.routes.begin(a_pass)
        self._shard.turns.begin(a_pass)

"""The next turn: round robin over agents with a quantum, higher levels first, one turn in eight from below."""

from collections import deque
from collections.abc import Callable
from time import monotonic_ns

from caxton.acl.envelope import Envelope
from caxton.acl.options import LEVELS
from workers.mailbox import NORMAL, QUEUE_OF_LEVEL, Entry, Mailbox
from workers.registry import Agent
from workers.worker_pass import MAX_PASS_MS, MAX_TURNS, Pass

# Turns that an agent has in a row while others wait: enough to keep its sandbox warm, few enough to be fair.
QUANTUM = 16
# Of so many turns, one goes to a lower level than the highest that waits.
LOWER_EVERY = 8
_NS_PER_MS = 1_000_000
Take = Callable[[Agent, Entry], None]
Room = Callable[[Agent, Mailbox], None]


class Dispatcher:
    """Holds who is ready on each level. queued, queued_bytes: what waits in all mailboxes."""

    def __init__(self) -> None:
        self._ready: tuple[deque[Agent], ...] = tuple(deque() for _ in LEVELS)
        self._since_lower = 0
        self.queued = 0
        self.queued_bytes = 0

    def enqueue(  # noqa: PLR0913 (once per message: an object made for it would cost more than the turn's book-keeping)
        self, agent: Agent, mailbox: Mailbox, message: Envelope, source: int, sequence: int, now_ms: int
    ) -> None:
        """Put a message in its mailbox, and the agent in line."""
        level = QUEUE_OF_LEVEL[message.level]
        if not mailbox.in_line[level]:
            mailbox.in_line[level] = True
            self._ready[level].append(agent)
        mailbox.queues[level].append((message, source, sequence, now_ms + message.timeout_ms))
        mailbox.depth += 1
        self.queued += 1
        self.queued_bytes += len(message.content)

    def run(self, a_pass: Pass, take: Take, room: Room) -> None:
        """Run turns (`take`) until nothing is ready, or the pass has had its 5 ms or 4,096 of them.

        `room` is told of each mailbox that was full and is down to a half.
        """
        ready = self._ready
        low, normal, high, critical = ready
        end_ms = a_pass.now_ms + MAX_PASS_MS
        while True:
            if normal and not (low or high or critical):
                level, most = NORMAL, QUANTUM
            elif self.idle:
                return
            else:
                level, most = self._choose()
            if a_pass.turns >= MAX_TURNS or a_pass.now_ms >= end_ms:
                a_pass.unfinished = True
                return
            agent = ready[level].popleft()
            mailbox = agent.mailbox
            if mailbox is None:
                continue
            turns = self._serve(agent, mailbox, level, most, take)
            a_pass.turns += turns
            self._since_lower += turns
            if mailbox.fed_by is not None and mailbox.depth <= mailbox.low:
                room(agent, mailbox)
            a_pass.now_ms = monotonic_ns() // _NS_PER_MS

    def resume(self, agent: Agent) -> None:
        """Put an agent in line again that was parked."""
        if agent.mailbox is not None:
            for level, queue in enumerate(agent.mailbox.queues):
                if queue and not agent.mailbox.in_line[level]:
                    agent.mailbox.in_line[level] = True
                    self._ready[level].append(agent)

    def discard(self, agent: Agent) -> list[Entry]:
        """Empty the mailbox of an agent that takes nothing more, and return what was in it."""
        if agent.mailbox is None:
            return []
        for level, ready in enumerate(self._ready):
            if agent.mailbox.in_line[level]:
                ready.remove(agent)
                agent.mailbox.in_line[level] = False
        entries = agent.mailbox.empty()
        self.queued -= len(entries)
        self.queued_bytes -= sum(len(entry[0].content) for entry in entries)
        return entries

    @property
    def idle(self) -> bool:
        """True when nobody is ready."""
        return not any(self._ready)

    def _choose(self) -> tuple[int, int]:
        """Return the level of the next turns, and how many it may have, when not only the normal level waits."""
        waiting = [level for level in range(len(self._ready) - 1, -1, -1) if self._ready[level]]
        if len(waiting) == 1:
            return waiting[0], QUANTUM
        left = LOWER_EVERY - 1 - self._since_lower
        if left > 0:
            return waiting[0], left
        self._since_lower = -1  # the turn that is given now counts as none
        return waiting[1], 1

    def _serve(self, agent: Agent, mailbox: Mailbox, level: int, most: int, take: Take) -> int:
        queue = mailbox.queues[level]
        done = 0
        while queue and done < most and not agent.parked:
            entry = queue.popleft()
            done += 1
            mailbox.depth -= 1
            self.queued_bytes -= len(entry[0].content)
            take(agent, entry)
        self.queued -= done
        if queue and not agent.parked:
            self._ready[level].append(agent)
        else:
            mailbox.in_line[level] = False  # `enqueue` or `resume` puts it in line again
        return done

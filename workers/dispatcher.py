"""The next turn: round robin over agents with a quantum, higher levels first, one turn in eight from below."""

from collections import deque
from collections.abc import Callable

from caxton.acl.envelope import Envelope
from caxton.acl.options import LEVELS
from workers.mailbox import NORMAL, QUEUE_OF_LEVEL, Entry, Mailbox
from workers.registry import Agent
from workers.worker_pass import MAX_PASS_NS, MAX_TURNS, NS_PER_MS, Pass

# Turns that an agent has in a row while others wait: enough to keep its sandbox warm, few enough to be fair.
QUANTUM = 16
# Of so many turns, one goes to a lower level than the highest that waits.
LOWER_EVERY = 8
Take = Callable[[Agent, Envelope, int, int, int], int]
Room = Callable[[Agent, Mailbox], None]


class Dispatcher:
    """Holds who is ready on each level. queued, queued_bytes: what waits in all mailboxes."""

    def __init__(self) -> None:
        self.ready: tuple[deque[Agent], ...] = tuple(deque() for _ in LEVELS)
        # Turns that were given while several levels waited.
        self._chosen = 0
        self.queued = 0
        self.queued_bytes = 0

    def enqueue(
        self, agent: Agent, mailbox: Mailbox, message: Envelope, source: int, sequence: int, now_ns: int
    ) -> None:
        """Put a message in its mailbox, and the agent in line."""
        level = QUEUE_OF_LEVEL[message.level]
        queue = mailbox.queue(level)
        if not queue.in_line:
            queue.in_line = True
            self.ready[level].append(agent)
        queue.append((message, source, sequence, now_ns + message.timeout_ms * NS_PER_MS))
        mailbox.depth += 1
        self.queued += 1
        self.queued_bytes += len(message.content)

    def run(self, a_pass: Pass, take: Take, room: Room) -> None:
        """Run turns until nothing is ready, or the pass has had its 5 ms or 4,096 of them.

        `take` runs one turn and returns when it began (monotonic ns). `room` is told of each mailbox that was full and
        is down to a half.
        """
        ready = self.ready
        low, normal, high, critical = ready
        now_ns = a_pass.now_ns
        end_ns = now_ns + MAX_PASS_NS
        turns = 0
        while True:
            if low or high or critical:
                level, most = self._choose()
            elif normal:
                level, most = NORMAL, QUANTUM
            else:
                break
            if turns >= MAX_TURNS or now_ns >= end_ns:
                a_pass.unfinished = True
                break
            agent = ready[level].popleft()
            mailbox = agent.mailbox
            if mailbox is None:
                continue
            queue = mailbox.normal if level == NORMAL else mailbox.queue(level)
            done = size = 0
            while queue and done < most and now_ns < end_ns and not agent.parked:
                message, source, sequence, expires_ns = queue.popleft()
                done += 1
                mailbox.depth -= 1
                size += len(message.content)
                now_ns = take(agent, message, source, sequence, expires_ns)
            turns += done
            self.queued -= done
            self.queued_bytes -= size
            if queue and not agent.parked:
                ready[level].append(agent)
            else:
                queue.in_line = False  # `enqueue` or `resume` puts it in line again
            if mailbox.fed_by is not None and mailbox.depth <= mailbox.low:
                room(agent, mailbox)
        a_pass.turns += turns

    def resume(self, agent: Agent) -> None:
        """Put an agent in line again that was parked."""
        if agent.mailbox is not None:
            for level, queue in agent.mailbox.queues():
                if queue and not queue.in_line:
                    queue.in_line = True
                    self.ready[level].append(agent)

    def discard(self, agent: Agent) -> list[Entry]:
        """Empty the mailbox of an agent that takes nothing more, and return what was in it."""
        if agent.mailbox is None:
            return []
        # Where it stands in line it is passed over: nothing waits for it any more.
        entries = agent.mailbox.empty()
        self.queued -= len(entries)
        self.queued_bytes -= sum(len(entry[0].content) for entry in entries)
        return entries

    @property
    def idle(self) -> bool:
        """True when nobody is ready."""
        low, normal, high, critical = self.ready
        return not (low or normal or high or critical)

    def _choose(self) -> tuple[int, int]:
        """Return the level of the next turns, and how many it may have, when not only the normal level waits."""
        waiting = [level for level in range(len(self.ready) - 1, -1, -1) if self.ready[level]]
        if len(waiting) == 1:
            return waiting[0], QUANTUM
        self._chosen += 1
        if self._chosen % LOWER_EVERY:
            return waiting[0], 1
        lower = waiting[1:]
        return lower[self._chosen // LOWER_EVERY % len(lower)], 1

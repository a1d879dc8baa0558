"""The next turn: round robin over agents with a quantum, higher levels first, one turn in eight from below."""

from collections import deque
from collections.abc import Callable, Iterable

from caxton.acl.envelope import Envelope
from caxton.acl.options import LEVELS
from caxton.ids import SESSION_BIT
from workers.agents.delivery import Delivery
from workers.agents.mailbox import NORMAL, QUEUE_OF_LEVEL, WEIGHT_SHIFT, Entry, Mailbox, Queue, weight
from workers.agents.registry import Agent
from workers.queues.bounds import IN_LINE, SOME, turns_for_roots
from workers.worker_pass import MAX_PASS_NS, MAX_TURNS, NS_PER_MS, Pass

# Turns that an agent has in a row while others wait: enough to keep its sandbox warm, few enough to be fair.
QUANTUM = 16
# Of so many turns, one goes to a lower level than the highest that waits.
LOWER_EVERY = 8
Take = Callable[[Agent, Envelope, int, int, int, Delivery | None], int]
Room = Callable[[Agent, Mailbox], None]


class Dispatcher:
    """Holds who is ready on each level, and how much waits.

    queued, queued_bytes: what waits in all mailboxes; durable: how many of these messages the file has, or will have.
    effects: what the effects among them weigh. begun: what of these can have turns now, by their origin; resting: the
    rest, of agents that have no turns here, and what waits for other shards. elsewhere: what effects weigh that wait
    for shards that are there.
    """

    def __init__(self) -> None:
        self.ready: tuple[deque[Agent], ...] = tuple(deque() for _ in LEVELS)
        # Turns that were given while several levels waited.
        self._chosen = 0
        # How often it was asked how many turns roots may have.
        self._visits = 0
        self.queued = 0
        self.queued_bytes = 0
        self.durable = 0
        self.effects = self.elsewhere = 0
        self.begun: dict[int, int] = {}
        self.resting: dict[int, int] = {}
        # Agents for which messages came and no turn runs here.
        self.arrivals: set[int] = set()

    def enqueue(
        self, agent: Agent, mailbox: Mailbox, message: Envelope, source: int, sequence: int, now_ns: int, origin: int
    ) -> None:
        """Put a message in its mailbox, and the agent in line."""
        self.put(agent, mailbox, (message, source, sequence, now_ns + message.timeout_ms * NS_PER_MS, None, origin))

    def put(self, agent: Agent, mailbox: Mailbox, entry: Entry) -> None:
        """Put an entry in its mailbox, and the agent in line."""
        message = entry[0]
        level = QUEUE_OF_LEVEL[message.level]
        queue = mailbox.normal if level == NORMAL else mailbox.queue(level)
        if not queue.in_line:
            queue.in_line = True
            self.ready[level].append(agent)
        if message.sender >= SESSION_BIT:
            queue.roots.append(entry)
        else:
            queue.of(message).append(entry)
            self._came(mailbox, entry)
        mailbox.depth += 1
        self.queued += 1
        self.queued_bytes += len(message.content)
        if entry[4] is not None:
            self.durable += 1

    def put_back(self, agent: Agent, entries: Iterable[Entry]) -> None:
        """Put entries that were taken out back in front, in their order. They kept their places in the depth."""
        mailbox = agent.mailbox or agent.open_mailbox()
        for entry in reversed(list(entries)):
            message = entry[0]
            mailbox.queue(QUEUE_OF_LEVEL[message.level]).of(message).appendleft(entry)
            if message.sender < SESSION_BIT:
                self._came(mailbox, entry)
            self.queued += 1
            self.queued_bytes += len(message.content)
            self.durable += entry[4] is not None
        if agent.attached:
            self.arrivals.add(agent.agent_id)
        self.resume(agent)

    def draw(self, agent: Agent, most: int, most_bytes: int) -> list[Entry]:
        """Take out up to so many entries for whoever runs the agent's turns, highest level first, some roots in each.

        They keep their places in the depth until `leave`.
        """
        drawn: list[Entry] = []
        if agent.mailbox is None:
            return drawn
        size = 0
        for _, queue in agent.mailbox.queues():
            kept = self._roots(agent, most - len(drawn), queue) if queue.roots and queue.effects else 0
            for line, until in ((queue.effects, most - kept), (queue.roots, most)):
                while line and len(drawn) < until and (not drawn or size + len(line[0][0].content) <= most_bytes):
                    entry = line.popleft()
                    size += len(entry[0].content)
                    drawn.append(entry)
        self._left(agent.mailbox, drawn)
        return drawn

    def expired(self, agent: Agent, now_ns: int) -> list[Entry]:
        """Take out, and return, what waited too long in front of the queues of an agent that runs no turns."""
        late: list[Entry] = []
        if agent.mailbox is None:
            return late
        for line in agent.mailbox.lines():
            while line and line[0][3] <= now_ns:
                late.append(line.popleft())
        agent.mailbox.depth -= len(late)
        self._left(agent.mailbox, late)
        return late

    def leave(self, agent: Agent, count: int, room: Room) -> None:
        """Entries that were drawn, or waited for a retry, are finished: their places are free."""
        mailbox = agent.mailbox
        if mailbox is not None:
            mailbox.depth -= count
            if mailbox.fed_by is not None and mailbox.depth <= mailbox.low:
                room(agent, mailbox)

    def run(self, a_pass: Pass, take: Take, room: Room) -> None:  # noqa: C901, PLR0912, PLR0915 (the loop around every turn)
        """Run turns until nothing is ready, or the pass has had its 5 ms or 4,096 of them.

        `take` runs one turn and returns when it began (monotonic ns). `room` is told of each mailbox that was full and
        is down to a half.
        """
        ready, begun = self.ready, self.begun
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
            if agent.attached:
                self.arrivals.add(agent.agent_id)
            effects, roots = queue.effects, queue.roots
            done = size = gone = 0
            if mailbox.held and not agent.holds:
                self._release(mailbox)
            if effects:
                share = self._roots(agent, most, queue) if roots and not agent.holds else 0
                most -= share
                while effects and done < most and now_ns < end_ns and not agent.holds:
                    message, source, sequence, expires_ns, delivery, origin = effects.popleft()
                    done += 1
                    mailbox.depth -= 1
                    length = len(message.content)
                    size += length
                    weighs = 1 + (length >> WEIGHT_SHIFT)
                    gone += weighs
                    left = begun[origin] - weighs
                    if left:
                        begun[origin] = left
                    else:
                        del begun[origin]
                    a_pass.origin = origin
                    if delivery is not None:
                        self.durable -= 1
                    now_ns = take(agent, message, source, sequence, expires_ns, delivery)
                a_pass.origin = 0
                mailbox.effects -= done
                mailbox.weight -= gone
                self.effects -= gone
                most = done + share
            elif begun or self.elsewhere:
                most = self._roots(agent, most, queue)
            while roots and done < most and now_ns < end_ns and not agent.holds:
                if begun and done and begun.get(agent.agent_id, 0) > IN_LINE // len(begun):
                    break  # what it has just begun is enough
                message, source, sequence, expires_ns, delivery, _ = roots.popleft()
                done += 1
                mailbox.depth -= 1
                size += len(message.content)
                if delivery is not None:
                    self.durable -= 1
                now_ns = take(agent, message, source, sequence, expires_ns, delivery)
            turns += done
            self.queued -= done
            self.queued_bytes -= size
            if (roots or queue.effects) and not agent.holds:
                ready[level].append(agent)
            else:
                queue.in_line = False  # `enqueue` or `resume` puts it in line again
                if agent.holds:
                    self._hold(mailbox)
            if mailbox.fed_by is not None and mailbox.depth <= mailbox.low:
                room(agent, mailbox)
        a_pass.turns += turns

    def resume(self, agent: Agent) -> None:
        """Put an agent in line again that was held, or let whoever runs its turns know."""
        if agent.attached:
            self.arrivals.add(agent.agent_id)
        mailbox = agent.mailbox
        if mailbox is not None and not agent.holds:
            if mailbox.held:
                self._release(mailbox)
            for level, queue in mailbox.queues():
                if queue and not queue.in_line:
                    queue.in_line = True
                    self.ready[level].append(agent)

    def discard(self, agent: Agent) -> list[Entry]:
        """Empty the mailbox of an agent that takes nothing more, and return what was in it."""
        mailbox = agent.mailbox
        if mailbox is None:
            return []
        # Where it stands in line it is passed over: nothing waits for it any more.
        entries = [entry for line in mailbox.lines() for entry in line]
        for line in mailbox.lines():
            line.clear()
        mailbox.depth = 0
        self._left(mailbox, entries)
        return entries

    @property
    def idle(self) -> bool:
        """True when nobody is ready."""
        low, normal, high, critical = self.ready
        return not (low or normal or high or critical)

    def takes_at_once(self, *, roots: bool) -> bool:
        """True when nobody waits for a turn; for roots, when hardly anything waits for other shards either."""
        return self.idle and not (roots and self.elsewhere >= SOME)

    def _roots(self, agent: Agent, most: int, queue: Queue) -> int:
        """Return how many of an agent's next turns roots may have."""
        self._visits += 1
        begun, beside = self.begun, bool(queue.effects)
        mine = begun.get(agent.agent_id, 0)
        return turns_for_roots(most, mine, len(begun), self.elsewhere, self._visits, beside_effects=beside)

    def _came(self, mailbox: Mailbox, entry: Entry) -> None:
        """An effect waits in a mailbox."""
        added = weight(len(entry[0].content))
        mailbox.effects += 1
        mailbox.weight += added
        self.effects += added
        charge(self.resting if mailbox.held else self.begun, entry[5], added)

    def _left(self, mailbox: Mailbox, entries: list[Entry]) -> None:
        """Entries are no longer in a mailbox."""
        charged = self.resting if mailbox.held else self.begun
        count = gone = 0
        for message, _, _, _, delivery, origin in entries:
            self.queued_bytes -= len(message.content)
            self.durable -= delivery is not None
            if message.sender < SESSION_BIT:
                weighs = weight(len(message.content))
                count += 1
                gone += weighs
                charge(charged, origin, -weighs)
        self.queued -= len(entries)
        mailbox.effects -= count
        mailbox.weight -= gone
        self.effects -= gone

    def _hold(self, mailbox: Mailbox) -> None:
        """An agent has no turns now: what waits for it is in nobody's way."""
        if not mailbox.held:
            mailbox.held = True
            self._move(mailbox, self.begun, self.resting)

    def _release(self, mailbox: Mailbox) -> None:
        """It has turns again."""
        mailbox.held = False
        self._move(mailbox, self.resting, self.begun)

    @staticmethod
    def _move(mailbox: Mailbox, source: dict[int, int], target: dict[int, int]) -> None:
        for _, queue in mailbox.queues():
            for entry in queue.effects or ():
                weighs = weight(len(entry[0].content))
                charge(source, entry[5], -weighs)
                charge(target, entry[5], weighs)

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


def charge(account: dict[int, int], origin: int, weighs: int) -> None:
    """Add to what waits of an origin; who has nothing left is forgotten."""
    now = account.get(origin, 0) + weighs
    if now:
        account[origin] = now
    else:
        del account[origin]

"""The next turn: round robin over agents with a quantum, higher levels first, one turn in eight from below.

Agents whose turns are long share a tenth of the time while others wait, and each of their turns begins a pass.
"""

from collections.abc import Callable, Iterable

from caxton.acl.envelope import Envelope
from caxton.ids import SESSION_BIT
from workers.agents.delivery import Delivery
from workers.agents.mailbox import NORMAL, QUEUE_OF_LEVEL, WEIGHT_SHIFT, Entry, Mailbox, Queue, draw_from, weight
from workers.agents.registry import Agent
from workers.queues.accounts import charge, move
from workers.queues.bounds import IN_LINE, SOME, turns_for_roots
from workers.queues.far_shards import FarShards
from workers.queues.lines import QUANTUM, Lines
from workers.queues.timed_turn import SampledTurns, Take
from workers.queues.turn_time import LONG_NS, PROVEN, TurnTime
from workers.worker_pass import HURRY_NS, MAX_PASS_NS, MAX_TURNS, NS_PER_MS, SLICE_NS, Pass

# Agents of each level at which one looks for what has waited longest.
OLDEST_OF = 256
Room = Callable[[Agent, Mailbox], None]


class Dispatcher:
    """Knows who stands in line, and how much waits.

    queued, queued_bytes: what waits in all mailboxes; durable: how many of these messages the file has, or will have.
    effects: what the effects among them weigh. begun: what of these can have turns now, by their origin; resting: the
    rest, of agents that have no turns here, and what waits for other shards. elsewhere: what effects weigh that wait
    for shards that are there. far: whose roots wait for another shard; they stand in no line meanwhile.
    """

    def __init__(self, turn_time: TurnTime, far: FarShards) -> None:
        self.far = far
        self.lines = Lines(turn_time)
        self._join = self.lines.join
        self._turn_time = turn_time
        # Which turn of the pass under way is measured, over all of its slices.
        self._sample: SampledTurns | None = None
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
            self.lines.come(agent, mailbox, level)
        size = len(message.content)
        if message.sender >= SESSION_BIT:
            queue.roots.append(entry)
            mailbox.root_bytes += size
        else:
            queue.of(message).append(entry)
            self._came(mailbox, entry)
        mailbox.depth += 1
        self.queued += 1
        self.queued_bytes += size
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
            else:
                mailbox.root_bytes += len(message.content)
            self.queued += 1
            self.queued_bytes += len(message.content)
            self.durable += entry[4] is not None
        if agent.attached:
            self.arrivals.add(agent.agent_id)
        self.resume(agent)

    def draw(self, agent: Agent, most: int, most_bytes: int, admits: Callable[[Envelope], bool]) -> list[Entry]:
        """Take out up to so many entries for whoever runs the agent's turns, highest level first, some roots in each.

        They keep their places in the depth until `leave`. What is not admitted stays where it is.
        """
        drawn: list[Entry] = []
        if agent.mailbox is None:
            return drawn
        begins = not self.far.keeps_back(agent.agent_id)
        for _, queue in agent.mailbox.queues():
            kept = self._roots(agent, most - len(drawn), queue) if queue.roots and queue.effects else 0
            for line, until in ((queue.effects, most - kept), (queue.roots, most)):
                if line and (begins or line is queue.effects):
                    most_bytes -= draw_from(line, until, most_bytes, admits, drawn)
        self._left(agent.mailbox, drawn)
        return drawn

    def expired(self, agent: Agent, now_ns: int, is_late: Callable[[Agent, Delivery], bool]) -> list[Entry]:
        """Take out, and return, what waited too long for an agent that runs no turns.

        Of durable messages only those in front, as `is_late` says: they come in the order in which they end, nearly.
        """
        late: list[Entry] = []
        if agent.mailbox is None:
            return late
        for line in agent.mailbox.lines():
            while line and (delivery := line[0][4]) is not None and is_late(agent, delivery):
                late.append(line.popleft())
            some = [entry for entry in line if entry[3] <= now_ns]
            if some:
                left = [entry for entry in line if entry[3] > now_ns]
                line.clear()
                line.extend(left)
                late += some
        agent.mailbox.depth -= len(late)
        self._left(agent.mailbox, late)
        return late

    def leave(self, agent: Agent, count: int, room: Room) -> None:
        """Entries that were drawn, or waited for a retry, are finished: their places are free."""
        mailbox = agent.mailbox
        if mailbox is not None:
            mailbox.depth -= count
            if mailbox.fed_by is not None and mailbox.has_room:
                room(agent, mailbox)

    def run(self, a_pass: Pass, take: Take, room: Room) -> None:  # noqa: C901, PLR0912, PLR0915 (the loop around every turn)
        """Run turns until nothing is ready, for 0.25 ms at most, or until the pass has had its 5 ms or 4,096 of them.

        `take` runs one turn and returns when it began (monotonic ns). `room` is told of each mailbox that was full and
        is down to a half. A turn that will be long is left for the next pass: what came before it leaves first. The
        pass is hurried when an agent that needs few turns has handled what a client sent it: then newcomers are the
        last, for 0.2 ms.
        """
        begun, turn_time, crowded, lines = self.begun, self._turn_time, self.far.crowded, self.lines
        low, normal, high, critical = lines.ready
        newcomers = lines.newcomers
        clock, before, last_ns = turn_time.now_ns, a_pass.turns, a_pass.now_ns + MAX_PASS_NS
        most_turns = MAX_TURNS - before
        now_ns = max(a_pass.now_ns, clock())
        if not before:
            last_ns = max(last_ns, now_ns + 1)  # however long it took to take what came, somebody has a turn
        end_ns = min(last_ns, now_ns + SLICE_NS)
        turns, proven = 0, before > 0
        before_ns = now_ns
        visit_ns = turn_time.begin(now_ns, a_pass.now_ns, long_wait=lines.aside > 0)
        owed = turn_time.owed_ns > 0
        sample = self._sample
        stop = 0  # where the next turn may be one that is measured, and at last where the pass ends
        if sample is not None:
            take, stop = sample.resume()
        while True:
            several = low or high or critical or lines.aside
            if not newcomers and (a_pass.hurried or not (several or normal)):
                break
            if turns >= stop or now_ns >= end_ns:
                if turns >= most_turns or now_ns >= end_ns:
                    a_pass.unfinished = turns >= most_turns or now_ns >= last_ns
                    break
                if sample is None:
                    sample = self._sample = SampledTurns(take)
                take, stop = sample.go_on(turns)
                stop = min(stop, most_turns)
            if several or owed:
                chosen = lines.choose(long=not (turns or before), unknown=not proven)
                if chosen is None:
                    a_pass.unfinished = True
                    break
                agent, level, most, is_new = chosen
                proven = proven or agent.run >= PROVEN
            elif newcomers:
                (agent, is_new), level, most = lines.next_normal(), NORMAL, QUANTUM
            else:
                agent, level, most, is_new = normal.popleft(), NORMAL, QUANTUM, False
                lines.in_row = 0
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
            elif begun or self.elsewhere or crowded:
                most = self._roots(agent, most, queue)
            of_effects, effects_done = size, done
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
            mailbox.root_bytes -= size - of_effects
            turns += done
            mailbox.had = mailbox.had + done if mailbox.round == lines.round else done
            mailbox.round = lines.round
            self.queued -= done
            self.queued_bytes -= size
            if visit_ns:
                began_ns, visit_ns = visit_ns, clock()
                if visit_ns - began_ns >= LONG_NS or agent.long_turns is not None or owed:
                    turn_time.note(agent, began_ns, visit_ns)
                    owed = turn_time.owed_ns > 0
                    now_ns = max(now_ns, visit_ns)  # a turn tells when it began: this one may have used up the pass
            elif now_ns - before_ns >= LONG_NS or (agent.run < PROVEN and clock() - now_ns >= LONG_NS):
                now_ns = visit_ns = turn_time.watch(before_ns, owes=agent.run < PROVEN)  # in a turn, or between two
                owed = turn_time.owed_ns > 0
            before_ns = now_ns
            if (queue.effects or (roots and not (crowded and self.far.keeps_back(agent.agent_id)))) and not agent.holds:
                self._join(agent, level)
            else:
                queue.in_line = False  # `enqueue` or `resume` puts it in line again
                few = mailbox.had <= QUANTUM and len(newcomers) <= QUANTUM  # a pass for each of many would be too much
                if is_new and done > effects_done and few and not a_pass.hurried:
                    a_pass.hurried = True
                    end_ns = min(end_ns, now_ns + HURRY_NS)
                if agent.holds:
                    self._hold(mailbox)
            if mailbox.fed_by is not None and mailbox.has_room:
                room(agent, mailbox)
        if turns and not visit_ns and clock() - before_ns >= LONG_NS:
            turn_time.watch(before_ns)
        a_pass.turns += turns
        if sample is not None:
            sample.turns += turns

    def tell_measured(self, a_pass: Pass) -> None:
        """The pass is over: let the turn that was measured count for all that ran."""
        if self._sample is not None:
            self._sample.tell(a_pass)
            self._sample = None

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
                    self._join(agent, level)

    def discard(self, agent: Agent) -> list[Entry]:
        """Empty the mailbox of an agent that takes nothing more, and return what was in it."""
        mailbox = agent.mailbox
        if mailbox is None:
            return []
        # Where it stands in line it is passed over: nothing waits for it any more.
        self.far.forget(agent.agent_id)
        entries = [entry for line in mailbox.lines() for entry in line]
        for line in mailbox.lines():
            line.clear()
        mailbox.depth = mailbox.away = 0
        self._left(mailbox, entries)
        return entries

    def oldest_ns(self) -> int | None:
        """Return since when (monotonic) a message waits for a turn, of the 256 agents who are next; None for nobody."""
        first = self.lines.first(OLDEST_OF)
        waits = [
            since
            for a in first
            if not a.holds and a.mailbox is not None and (since := a.mailbox.oldest_ns()) is not None
        ]
        return min(waits, default=None)

    @property
    def idle(self) -> bool:
        """True when nobody is ready."""
        return self.lines.empty

    def takes_at_once(self, pass_ns: int, *, roots: bool) -> bool:
        """Whether those of a frame may have their turns at once, in a pass that began then; `took_at_once` ends them.

        True when nobody waits for a turn, nor lately had a long one, and, for roots, when hardly anything waits for
        other shards.
        """
        if roots and (self.elsewhere >= SOME or self.far.crowded):
            return False
        return self.idle and self._turn_time.begin_frame(pass_ns)

    def took_at_once(self, count: int) -> None:
        """Of a frame of so many, some have had their turns at once, or none."""
        self._turn_time.end_frame(count)

    def _roots(self, agent: Agent, most: int, queue: Queue) -> int:
        """Return how many of an agent's next turns roots may have."""
        if self.far.crowded:
            if self.far.keeps_back(agent.agent_id):
                return 0
            most = min(most, 1)  # until it is known where what it begins goes
        self._visits += 1
        begun, beside = self.begun, bool(queue.effects)
        mine = begun.get(agent.agent_id, 0)
        return turns_for_roots(most, mine, len(begun), self.elsewhere, self._visits, beside_effects=beside)

    def _came(self, mailbox: Mailbox, entry: Entry) -> None:
        """An effect waits in a mailbox."""
        origin, added = entry[5], 1 + (len(entry[0].content) >> WEIGHT_SHIFT)
        mailbox.effects += 1
        mailbox.weight += added
        self.effects += added
        charged = self.resting if mailbox.held else self.begun
        charged[origin] = charged.get(origin, 0) + added

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
            else:
                mailbox.root_bytes -= len(message.content)
        self.queued -= len(entries)
        mailbox.effects -= count
        mailbox.weight -= gone
        self.effects -= gone

    def _hold(self, mailbox: Mailbox) -> None:
        """An agent has no turns now: what waits for it is in nobody's way."""
        if not mailbox.held:
            mailbox.held = True
            move(mailbox, self.begun, self.resting)

    def _release(self, mailbox: Mailbox) -> None:
        """It has turns again."""
        mailbox.held = False
        move(mailbox, self.resting, self.begun)

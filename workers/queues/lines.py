"""Who stands in line for a turn: in order those whose turns are short, and by virtual time those whose are long."""

from collections import deque
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from itertools import islice

from caxton.acl.options import LEVELS
from workers.agents.mailbox import NORMAL, Mailbox
from workers.agents.registry import Agent
from workers.queues.turn_time import LONG_NS, PROVEN, TurnTime

# Turns that an agent has in a row while others wait: enough to keep its sandbox warm, few enough to be fair.
QUANTUM = 16
# Of so many turns, one goes to a lower level than the highest that waits.
LOWER_EVERY = 8
# Of so many visits while others wait, one is to who has waited, and the rest to who needs few turns.
NEWCOMERS = 4
# Where an agent stands, who came when of those at the same place, and the agent.
Place = tuple[int, int, Agent]
# Who is next, on which level, how many turns it may have, and whether it is a newcomer.
Chosen = tuple[Agent, int, int, bool]


class Lines:
    """Of one dispatcher. An agent stands once on each level on which something waits for it.

    ready: in the order in which they came. newcomers: of the normal level, for whom nothing waited, and who had less
    than a quantum in this round, of which each pass is one. slow: heaps of those with long turns, who used least first.
    unknown: of whom nobody knows whether their turns are short, with their level, while it matters. aside: how many are
    in the last two.
    """

    def __init__(self, turn_time: TurnTime) -> None:
        self.ready: tuple[deque[Agent], ...] = tuple(deque() for _ in LEVELS)
        self.slow: tuple[list[Place], ...] = tuple([] for _ in LEVELS)
        self.newcomers: deque[Agent] = deque()
        self.round = 0
        # Newcomers that had their visits since one that has waited had one.
        self.in_row = 0
        self.unknown: deque[tuple[Agent, int]] = deque()
        self.aside = 0
        self._turn_time = turn_time
        # Turns that were given while several levels waited.
        self._chosen = 0
        # Agents that came to stand with those with long turns.
        self._came = 0
        # One of those had the last turn: the next one is somebody else's.
        self._slow_last = False

    @property
    def empty(self) -> bool:
        """True when nobody stands here."""
        return not (self.newcomers or self.aside or any(self.ready))

    def join(self, agent: Agent, level: int) -> None:
        """Let an agent stand on a level; whoever calls knows that it does not stand there."""
        if agent.long_turns is None:
            self.ready[level].append(agent)
        else:
            self._came += 1
            self.aside += 1
            heappush(self.slow[level], (self._turn_time.place_of(agent), self._came, agent))

    def come(self, agent: Agent, mailbox: Mailbox, level: int) -> None:
        """As `join`, for an agent for which nothing waited until now: before others, if it has had few turns lately."""
        if level == NORMAL and agent.long_turns is None and (mailbox.round != self.round or mailbox.had < QUANTUM):
            self.newcomers.append(agent)
        else:
            self.join(agent, level)

    def next_normal(self) -> tuple[Agent, bool]:
        """Take who is next of the normal level, and whether it is a newcomer; somebody stands there."""
        waiting = self.ready[NORMAL]
        if self.newcomers and (self.in_row < NEWCOMERS - 1 or not waiting):
            self.in_row += 1
            return self.newcomers.popleft(), True
        self.in_row = 0
        return waiting.popleft(), False

    def choose(self, *, long: bool, unknown: bool) -> Chosen | None:
        """Take who is next out of line; somebody stands here.

        None when it is the turn of one that took long last time, and not `long`, or of whom nothing is known, and not
        `unknown`.

        While time is owed, those come first who are known to have short turns, on whichever level, then those of whom
        nothing is known, and those with long turns last. Otherwise these and all others take turns.
        """
        owed = self._turn_time.owed_ns > 0
        if owed:
            self._pass_over()
        ready = bool(self.newcomers) or any(self.ready)
        if not self.aside or (owed and ready):
            return self._of_ready()
        known = self.aside > len(self.unknown)
        if known and not (owed and self.unknown) and not (self._slow_last and (ready or self.unknown)):
            return self._of_slow(long=long)
        if not self.unknown:
            return self._of_ready()
        if not unknown:
            return None
        self.aside -= 1
        self._slow_last = False
        return *self.unknown.popleft(), 1, False

    def first(self, most: int) -> Iterator[Agent]:
        """Return some of the agents that stand here, of each line so many."""
        for line in (self.newcomers, *self.ready):
            yield from islice(line, most)
        for agent, _ in islice(self.unknown, most):
            yield agent
        for heap in self.slow:
            for _, _, agent in islice(heap, most):
                yield agent

    def _of_ready(self) -> Chosen:
        standing = [len(line) for line in self.ready]
        standing[NORMAL] += len(self.newcomers)
        level, alone, self._chosen = self._level_of(standing)
        self._slow_last = False
        agent, is_new = self.next_normal() if level == NORMAL else (self.ready[level].popleft(), False)
        return agent, level, QUANTUM if alone else 1, is_new

    def _of_slow(self, *, long: bool) -> Chosen | None:
        level, _, chosen = self._level_of([len(heap) for heap in self.slow])
        slow = self.slow[level]
        place, _, agent = slow[0]
        is_long = agent.long_turns is not None and agent.long_turns.took_ns >= LONG_NS and not agent.holds
        if is_long and not long:
            return None
        heappop(slow)
        self.aside -= 1
        self._chosen, self._slow_last = chosen, True
        self._turn_time.at_ns = max(self._turn_time.at_ns, place)
        return agent, level, 1 if is_long else QUANTUM, False

    def _level_of(self, standing: Sequence[int]) -> tuple[int, bool, int]:
        """Return whose turn it is of the levels that wait, whether it is the only one, and how many were chosen so."""
        waiting = [level for level in range(len(standing) - 1, -1, -1) if standing[level]]
        if len(waiting) == 1:
            return waiting[0], True, self._chosen
        chosen = self._chosen + 1
        lower = waiting[1:] if chosen % LOWER_EVERY == 0 else waiting[:1]
        return lower[chosen // LOWER_EVERY % len(lower)], False, chosen

    def _pass_over(self) -> None:
        """Let those stand aside, of who would be next, of whom nobody knows that their turns are short."""
        for level, line in (*enumerate(self.ready), (NORMAL, self.newcomers)):
            while line and not line[0].holds and (line[0].run < PROVEN or line[0].long_turns is not None):
                agent = line.popleft()
                if agent.long_turns is not None:
                    self.join(agent, level)
                else:
                    self.unknown.append((agent, level))
                    self.aside += 1

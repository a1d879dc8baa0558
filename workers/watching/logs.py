"""What agents log, kept for whoever asks: the last lines of each agent, and so many bytes of a shard."""

from collections import OrderedDict
from itertools import islice
from sys import getsizeof

from caxton.ring import Ring
from caxton.wire.watching import MAX_LOG_PAGE, LogLine
from workers.watching.waits import Waits

# Of one agent.
MOST_LINES, MOST_LINE_BYTES = MAX_LOG_PAGE, 512 << 10
# Of a shard, with what it takes to keep them.
MOST_LOG_BYTES = 16 << 20
# What a line, and the log of an agent, take beside the texts.
OF_LINE, OF_LOG = 320, 512
# Agents that are looked at to find one whose lines make room.
LOOKED_AT = 64


class AgentLog:
    """The last lines of one agent. number: by which its readers know whether it is the one that they read before."""

    __slots__ = ("number", "ring")

    def __init__(self, number: int) -> None:
        self.number = number
        self.ring: Ring[LogLine] = Ring(MOST_LINES, MOST_LINE_BYTES)


class Logs:
    """Of a shard's agents, in memory alone: they end with the worker. bytes: what they weigh. evicted: lines that went.

    A line that finds no room takes that of an agent which has more than agents have on average. waits: who waits for
    lines of an agent.
    """

    def __init__(self, waits: Waits) -> None:
        self.waits = waits
        self._of: OrderedDict[int, AgentLog] = OrderedDict()
        self._made = 0
        self.bytes = self.evicted = 0

    def find(self, agent_id: int) -> AgentLog | None:
        """Return the log of an agent; None for one that has logged nothing that is still kept."""
        return self._of.get(agent_id)

    def write(self, agent_id: int, level: int, text: str | None, message: bytes, at: int) -> None:
        """Keep a line, printable and bounded by the sandbox; None is one that the sandbox dropped, which counts."""
        log = self._of.get(agent_id)
        if log is None:
            self._made += 1
            log = self._of[agent_id] = AgentLog(self._made)
            self.bytes += OF_LOG
        ring = log.ring
        before, dropped = ring.bytes, ring.dropped
        if text is None:
            ring.skip()
        else:
            ring.add(LogLine(ring.last + 1, at, level, message, text), OF_LINE + getsizeof(text))
            self.evicted += ring.dropped - dropped
        self.bytes += ring.bytes - before
        while self.bytes > MOST_LOG_BYTES:
            self._make_room()
        self.waits.tell(agent_id)

    def forget(self, agent_id: int) -> None:
        """An agent was removed, or nothing is left of what it logged."""
        log = self._of.pop(agent_id, None)
        if log is not None:
            self.bytes -= log.ring.bytes + OF_LOG
        self.waits.tell(agent_id)

    def _make_room(self) -> None:
        """Let one line go. Who was passed over is looked at last next time, and who lost one first."""
        average = (self.bytes - OF_LOG * len(self._of)) // len(self._of)
        heaviest = None
        for agent_id in list(islice(self._of, LOOKED_AT)):
            log = self._of[agent_id]
            if heaviest is None or log.ring.bytes > self._of[heaviest].ring.bytes:
                heaviest = agent_id
            if log.ring.bytes > average:
                break
            self._of.move_to_end(agent_id)
        if heaviest is not None:
            self._lose_oldest(heaviest)

    def _lose_oldest(self, agent_id: int) -> None:
        ring = self._of[agent_id].ring
        before = ring.bytes
        self.evicted += len(ring) > 0
        ring.drop_oldest()
        self.bytes += ring.bytes - before
        if not len(ring):
            self.forget(agent_id)

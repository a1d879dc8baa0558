"""The call for the busiest agents: one look at all of them for everybody who asks in the same half second."""

import asyncio
from collections.abc import Callable
from heapq import heappush, heappushpop
from time import monotonic_ns

from caxton.wire.busy import MAX_BUSIEST, AskBusiest, Busiest, BusyAgent, BusyBy
from workers.agents.registry import Agent, state_of
from workers.loop.call_line import CallLine, Check
from workers.loop.shard import Shard
from workers.worker_pass import NS_PER_MS

# How long a look answers everybody who asks.
FRESH_NS = 500 * NS_PER_MS
# Agents that are looked at before the loop goes on: a millisecond or two where all of them are busy.
OF_LOOK = 512
_NS_PER_S = 1_000 * NS_PER_MS
# Who came first of those with as much; an agent, and what it did since the look before: turns, time in ns, failures.
_Found = tuple[float, int, Agent, tuple[int, int, int]]


class BusyCalls:
    """Answers `AskBusiest`. Agents that did nothing and have nothing are passed over.

    A look goes in slices, with passes and commits between them, and to its end, whoever waits for it.
    """

    def __init__(self, shard: Shard, clock: Callable[[], int] = monotonic_ns) -> None:
        self._shard = shard
        self._clock = clock
        self._walks = CallLine()
        self._looked_ns = clock()
        self._answers: dict[BusyBy, list[BusyAgent]] = {}
        self._over_ns = 0

    async def answer(self, asked: AskBusiest, check: Check) -> Busiest:
        """Return the busiest. Raises what `check` raises."""
        async with self._walks.turn(check):
            if not self._answers or self._clock() - self._looked_ns >= FRESH_NS:
                await self._look()
        total = len(self._shard.registry.agents)
        return Busiest(self._answers[asked.by][: asked.limit], self._over_ns // NS_PER_MS, total)

    async def _look(self) -> None:
        now_ns = self._clock()
        over_ns, self._looked_ns = max(1, now_ns - self._looked_ns), now_ns
        most: dict[BusyBy, list[_Found]] = {by: [] for by in BusyBy}
        agents = list(self._shard.registry.agents.values())
        for start in range(0, len(agents), OF_LOOK):
            for place, agent in enumerate(agents[start : start + OF_LOOK], start):
                _note(agent, place, most)
            await asyncio.sleep(0)
        self._over_ns = over_ns
        self._answers = {by: self._told(found, over_ns) for by, found in most.items()}

    def _told(self, found: list[_Found], over_ns: int) -> list[BusyAgent]:
        a_second = _NS_PER_S / over_ns
        return [
            BusyAgent(
                agent.agent_id,
                agent.manifest.name,
                self._shard.number,
                state_of(agent),
                round(turns * a_second, 3),
                round(failures * a_second, 3),
                round(took_ns / over_ns, 4),
                _queued(agent),
                agent.run,
                _failures(agent),
            )
            for _, _, agent, (turns, took_ns, failures) in sorted(found, reverse=True)
        ]


def _note(agent: Agent, place: int, most: dict[BusyBy, list[_Found]]) -> None:
    """Look at an agent, and keep it where it is one of the busiest."""
    queued, before = _queued(agent), agent.looked
    if agent.run == before[0] and not queued:
        return
    agent.looked = now = (agent.run, agent.took_ns, _failures(agent))
    did = (now[0] - before[0], now[1] - before[1], now[2] - before[2])
    for by, amount in zip(BusyBy, (*did, queued), strict=True):
        if amount > 0:
            found, heap = (float(amount), -place, agent, did), most[by]
            if len(heap) < MAX_BUSIEST:
                heappush(heap, found)
            elif amount > heap[0][0]:
                heappushpop(heap, found)


def _queued(agent: Agent) -> int:
    return 0 if agent.mailbox is None else agent.mailbox.depth


def _failures(agent: Agent) -> int:
    counters = agent.counters
    return counters.get("failed", 0) + counters.get("agent_errors", 0) if counters else 0

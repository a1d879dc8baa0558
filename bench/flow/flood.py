"""One graph under a flood: more messages enter than its mailboxes hold, and all that follows is counted to the end."""

import asyncio
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.flow.crew import Crew
from bench.flow.graphs import Graph
from bench.flow.guests import content
from bench.flow.pulse import TURNS, Standstill, beating
from bench.load.closed_loop import BATCH, Load
from bench.load.lanes import DEFAULT_WINDOWS
from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions, Lane
from caxton.acl.performative import Performative
from caxton.client.client import Client
from caxton.errors import CaxtonError
from caxton.ids import AgentId

_LOOK_PERIOD_S = 0.01
# How long what has run may take until all of it is committed and nothing waits any more.
_SETTLE_S = 10.0
# What a message may come to instead of a turn, by the names of what a worker counts. `failures` follow from the others,
# or from a fault, and those that were `full` are among the refused.
AMISS = {
    "expired": ("expired", "given_up"),
    "refused": ("refused",),
    "full_receiver": ("full_receiver",),
    "full_origin": ("full_origin",),
    "full_shard": ("full_shard",),
    "full_link": ("full_link",),
    "failed": ("failed", "agent_errors"),
    "overruns": ("overruns",),
    "dead": ("dead_letters",),
    "failures": ("failures_sent",),
    "failures_dropped": ("failures_dropped",),
    "dropped": ("discarded", "session_gone", "session_full", "unsent", "gaps", "over_credit", "garbage", "forged"),
}


@dataclass(frozen=True)
class Bounds:
    """When a graph is given up: after so many seconds in which no turn ran, and after so many in all."""

    still_s: float
    deadline_s: float


class Flood:
    """Messages that enter a graph: all at once, or where answers are waited for, as a closed loop has them under way.

    unsent: those that ended with an error, once all have ended. error: the first of these.
    """

    def __init__(self, client: Client, graph: Graph, agents: dict[str, AgentId], lane: Lane, count: int) -> None:
        options = DeliveryOptions(reliability=lane.reliability)
        self._each = [
            Message(agents[entry], content(graph.hops), performative=Performative.REQUEST, delivery_options=options)
            for entry in graph.entries
        ]
        self._client = client
        self._window = DEFAULT_WINDOWS[lane] if graph.asked else 0
        self.count = count
        self.unsent = 0
        self.error: CaxtonError | None = None

    async def run(self, timeout_s: float) -> None:
        """Send all of them. timeout_s: the longest time in which none of them gets anywhere."""
        messages = list(itertools.islice(itertools.cycle(self._each), self.count))
        if not self._window:
            results = await self._client.send_batch(messages, timeout_s=timeout_s)
            errors = [result for result in results if isinstance(result, CaxtonError)]
            self.unsent, self.error = len(errors), next(iter(errors), None)
            return
        load, batches = Load(self._client, self._each, window=0), iter(range(0, self.count, BATCH))

        async def ask() -> None:
            for at in batches:
                await load.ask(messages[at : at + BATCH])

        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._window):
                tasks.create_task(ask())
        self.unsent = load.refused + load.unknown


async def measure(client: Client, graph: Graph, crew: Crew, flood: Flood, bounds: Bounds) -> dict[str, Any]:
    """Let the flood in, wait until all turns have run that follow from it and nothing waits, and tell what happened.

    A graph that stands still, or takes too long, is given up. Messages that did not enter are amiss, and no turns are
    waited for that would have followed from them.
    """
    wanted = graph.turns(flood.count)
    before, idle_bytes, began_s = crew.counters(), crew.resident_bytes(), time.monotonic()
    computed_s = crew.computing_s()
    with beating(crew.books, crew.processes, wanted) as pulse:
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(flood.run(bounds.deadline_s))
            given_up = await _Course(graph, crew, flood, pulse.standstill, bounds).end(sending)
            sending.cancel()
        if given_up is None:
            given_up = await _settle(crew)
    computed_s = crew.computing_s() - computed_s
    lost = (await client.stats()).lost["total"]
    counted = crew.counters()
    counted.subtract(before)
    standstill = pulse.standstill
    turns, ended_s = _turns(counted), standstill.ended_s
    seconds = (time.monotonic() if ended_s is None else ended_s) - began_s
    amiss = {name: sum(counted[counter] for counter in counters) for name, counters in AMISS.items()}
    amiss |= {"lost": lost, "unsent": flood.unsent}
    return {
        "graph": graph.name,
        "agents": len(graph.agents),
        "wanted_turns": wanted,
        "turns": turns,
        "seconds": round(seconds, 3),
        "turns_per_s": round(turns / seconds),
        "computing_us": round(computed_s * 1e6 / turns, 3) if turns else None,
        "longest_standstill_ms": round(standstill.longest_s * 1_000),
        **amiss,
        "grown_bytes": max(most - idle_bytes[name] for name, most in pulse.most_bytes.items()),
        "problem": _problem(given_up, turns, wanted, amiss, flood.error),
    }


@dataclass(frozen=True)
class _Course:
    """One flood from its first message to the last turn that follows."""

    graph: Graph
    crew: Crew
    flood: Flood
    standstill: Standstill
    bounds: Bounds

    async def end(self, sending: "asyncio.Task[None]") -> str | None:
        """Wait until everything was sent and all turns have run; return why it was given up, or None."""
        standstill, bounds, began_s = self.standstill, self.bounds, time.monotonic()
        over = None
        while standstill.ended_s is None or not sending.done():
            if sending.done() and over is None:
                standstill.wanted = self.graph.turns(self.flood.count - self.flood.unsent)
            if standstill.still_s >= bounds.still_s:
                if not sending.done() or self.crew.waiting():
                    return "stood still"
                standstill.wanted, over = standstill.turns, "was over"
            if time.monotonic() - began_s >= bounds.deadline_s:
                return f"was not done within {bounds.deadline_s:g} s"
            await asyncio.sleep(_LOOK_PERIOD_S)
        return over


async def _settle(crew: Crew) -> str | None:
    """Wait until nothing waits in any worker; return what does after ten seconds, or None."""
    give_up_s = time.monotonic() + _SETTLE_S
    while time.monotonic() < give_up_s:
        if not crew.waiting():
            return None
        await asyncio.sleep(_LOOK_PERIOD_S)
    return "left messages that wait"


def _turns(counted: Mapping[str, int]) -> int:
    """Return the turns of a graph, without those in which its agents were told of failures.

    Of the failures that were made some go to the client, which is sent nothing else: who asks has content agents, and
    these are told of none.
    """
    told = counted["failures_sent"] - counted["failures_dropped"] - counted["emitted_to_sessions"]
    return counted[TURNS] - max(0, told)


def _problem(
    given_up: str | None, turns: int, wanted: int, amiss: dict[str, int], error: CaxtonError | None
) -> str | None:
    """Return what was not as it should be, as text; None when all was."""
    problems = []
    if given_up is not None:
        problems.append(f"{given_up} with {turns:,} of {wanted:,} turns done")
    elif turns != wanted:
        problems.append(f"{turns:,} turns instead of {wanted:,}")
    problems += [f"{count:,} {name}" for name, count in amiss.items() if count]
    if error is not None:
        problems.append(str(error))
    return "; ".join(problems) or None

"""What a flood costs a neighbour: an echo agent that is asked now and then, alone, and beside a coordinator in a flood.

Run as a module, this file is the flood: `python -m bench.flow.neighbour DIRECTORY GRAPH LANE ENTRY…` sends to these
agents until it is ended. It is a process of its own, so that a client that is busy does not look like a slow runtime.
"""

import asyncio
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop

import caxton
from bench.flow import graphs
from bench.flow.crew import Crew
from bench.flow.deployed import deploy, wake
from bench.flow.graphs import Graph
from bench.flow.guests import content
from bench.flow.pulse import TURNS, beating
from bench.guests.echo import echo_wasm, requests_to
from bench.load.latencies import Latencies
from bench.load.open_loop import OpenLoop, Paced
from caxton import testing
from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions, Lane
from caxton.acl.performative import Performative
from caxton.client.client import Client
from caxton.ids import AgentId
from workers.agents.mailbox import WEIGHT_SHIFT
from workers.queues.bounds import MOST_IN_ALL, MOST_QUEUED_BYTES

GRAPHS = graphs.coordinator_replies().name, graphs.coordinator_news().name
RATE_PER_S = 500
PAYLOAD = 100
# Of the flood, under way at once: more than a mailbox holds, however many were handled.
_WAVES, _WAVE = 4, 1_000
_MOVES_WITHIN_S = 1.0
_WITHOUT_END = 1 << 62
# What a shard keeps in mailboxes at most, of effects and of what clients send, as docs/limits.md says.
MOST_GROWN_BYTES = (MOST_IN_ALL << WEIGHT_SHIFT) + MOST_QUEUED_BYTES
_ROOT = Path(__file__).parents[2]
# Whatever ends the bench, the flood is told to end as well.
_ENDS_WITH_US = (sys.executable, "-m", "caxton.client.own_runtime")


def measure(graph: Graph, lane: Lane, workers: int, seconds: float) -> dict[str, Any]:
    """Ask the neighbour for so many seconds alone, and for as many beside the flood; return a row."""
    with testing.runtime(workers) as served:
        row = uvloop.run(_measure(graph, lane, workers, seconds, served.runtime_dir))
        served.kill()  # a flood would have to be waited for
    return {"graph": graph.name, "workers": workers, "lane": lane.name.lower(), "rate": RATE_PER_S} | row


async def _measure(graph: Graph, lane: Lane, workers: int, seconds: float, runtime_dir: Path) -> dict[str, Any]:
    async with caxton.connect(runtime_dir) as client:
        agents = await deploy(client, graph, workers)
        crew = await Crew.of(client, runtime_dir)
        await wake(client, list(agents.values()), crew)
        requests = requests_to([await _neighbour(client, agents[graph.entries[0]])], PAYLOAD, lane)
        alone, alone_paced = await _ask(client, requests, seconds)
        idle_bytes = crew.resident_bytes()
        with _flood(runtime_dir, graph, lane, agents), beating(crew.books, crew.processes, _WITHOUT_END) as pulse:
            began_s, before = time.monotonic(), crew.counters()[TURNS]
            beside, beside_paced = await _ask(client, requests, seconds)
            turns_per_s = (crew.counters()[TURNS] - before - beside_paced.sent) / (time.monotonic() - began_s)
            is_flood = await _moves(client, agents[graph.entries[0]])
    unanswered = sum(paced.sent - paced.answered for paced in (alone_paced, beside_paced))
    problems = [f"{unanswered:,} of the neighbour's requests without an answer"] if unanswered else []
    problems += [] if is_flood else ["the flood stood still"]
    grown_bytes = max(most - idle_bytes[name] for name, most in pulse.most_bytes.items())
    problems += [] if grown_bytes <= MOST_GROWN_BYTES else [f"a worker grew beyond {MOST_GROWN_BYTES >> 20} MiB"]
    alone_us, beside_us = alone.summary(), beside.summary()
    return {
        "alone_us": alone_us,
        "beside_us": beside_us,
        "p99_ratio": round(beside_us["p99"] / alone_us["p99"], 2),
        "turns_per_s": round(turns_per_s),
        "grown_bytes": grown_bytes,
        "most_grown_bytes": MOST_GROWN_BYTES,
        "problem": "; ".join(problems) or None,
    }


async def _neighbour(client: Client, coordinator: AgentId) -> AgentId:
    """Deploy an echo agent on the coordinator's shard: one that agents of other workers do not help."""
    shard_of = {view.agent_id: view.shard for view in await client.agents()}
    for number in itertools.count():
        agent = await client.deploy(f"neighbour-{number}", echo_wasm())
        if (await client.inspect(agent)).shard == shard_of[coordinator]:
            return agent
    raise AssertionError("names have an end")


async def _ask(client: Client, requests: Sequence[Message], seconds: float) -> tuple[Latencies, Paced]:
    latencies = Latencies()
    paced = await OpenLoop(client, requests, RATE_PER_S).run(seconds, latencies, lambda *_: None)
    return latencies, paced


async def _moves(client: Client, coordinator: AgentId) -> bool:
    """Whether the coordinator runs turns: a neighbour of a flood that stands still has nothing to suffer from."""
    ran = (await client.inspect(coordinator)).counters["run"]
    await asyncio.sleep(_MOVES_WITHIN_S)
    return (await client.inspect(coordinator)).counters["run"] > ran


@contextmanager
def _flood(runtime_dir: Path, graph: Graph, lane: Lane, agents: dict[str, AgentId]) -> Iterator[None]:
    entries = [str(int(agents[entry])) for entry in graph.entries]
    words = [str(runtime_dir), graph.name, lane.name, *entries]
    command = [*_ENDS_WITH_US, str(os.getpid()), sys.executable, "-m", __name__, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=_ROOT) as process:
        try:
            if process.stdout is None or not process.stdout.readline():
                raise RuntimeError("the flood did not begin")
            yield
        finally:
            process.terminate()


async def flood(runtime_dir: Path, hops: int, lane: Lane, entries: Sequence[AgentId]) -> None:
    """Send to these agents for ever, and say so first."""
    options = DeliveryOptions(reliability=lane.reliability)
    each = [
        Message(entry, content(hops), performative=Performative.REQUEST, delivery_options=options) for entry in entries
    ]
    wave = list(itertools.islice(itertools.cycle(each), _WAVE))
    async with caxton.connect(runtime_dir) as client, asyncio.TaskGroup() as tasks:

        async def send() -> None:
            while True:
                await client.send_batch(wave)

        for _ in range(_WAVES):
            tasks.create_task(send())
        print("sending", flush=True)


if __name__ == "__main__":
    _directory, _graph, _lane, *_entries = sys.argv[1:]
    _flooded = graphs.GRAPHS[_graph]
    uvloop.run(flood(Path(_directory), _flooded.hops, Lane[_lane], [AgentId(int(entry)) for entry in _entries]))

"""How a runtime does on what systems of many agents do: graphs of agents under a flood, counted to the last turn."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import mean
from typing import Any

import uvloop

import caxton
from bench.flow import neighbour
from bench.flow.crew import Crew
from bench.flow.deployed import deploy, wake
from bench.flow.flood import Bounds, Flood
from bench.flow.flood import measure as measure_flood
from bench.flow.graphs import GRAPHS, Graph
from bench.output import Bar
from caxton import testing
from caxton.acl.options import Lane

FLAT = next(iter(GRAPHS))


@dataclass(frozen=True)
class Plan:
    """What is measured.

    graphs: by name; flat is measured in any case. workers: numbers of worker processes, one after the other. turns: of
    each graph, about. neighbour_s: seconds of the neighbour, alone and as long beside a flood; 0 for none.
    """

    graphs: tuple[str, ...]
    lanes: tuple[Lane, ...]
    workers: tuple[int, ...]
    turns: int
    bounds: Bounds
    neighbour_s: float

    @property
    def order(self) -> list[str]:
        """The graphs in the order in which they run: flat at both ends, so that a machine's pace shows in it."""
        return [FLAT, *(graph for graph in self.graphs if graph != FLAT), FLAT]

    @property
    def runs(self) -> int:
        """How many runtimes are started."""
        neighbours = len(neighbour.GRAPHS) if self.neighbour_s else 0
        return len(self.lanes) * len(self.workers) * (len(self.order) + neighbours)


def measure(plan: Plan, bar: Bar) -> dict[str, Any]:
    """Run one graph after the other, each in a runtime of its own."""
    rows: list[dict[str, Any]] = []
    beside: list[dict[str, Any]] = []
    for workers in plan.workers:
        for lane in plan.lanes:
            rows += _compared(list(_rows(plan, lane, workers, bar, len(rows) + len(beside))))
            if plan.neighbour_s:
                for name in neighbour.GRAPHS:
                    bar.show(len(rows) + len(beside), f"a neighbour of {name}, {lane.name.lower()}, {workers} workers")
                    beside.append(neighbour.measure(GRAPHS[name], lane, workers, plan.neighbour_s))
    return {
        "graphs": rows,
        "neighbours": beside,
        "amiss": sum(row["problem"] is not None for row in [*rows, *beside]),
        "turns": plan.turns,
        "still_s": plan.bounds.still_s,
        "deadline_s": plan.bounds.deadline_s,
    }


def _rows(plan: Plan, lane: Lane, workers: int, bar: Bar, done: int) -> Iterator[dict[str, Any]]:
    for place, name in enumerate(plan.order):
        bar.show(done + place, f"{name}, {lane.name.lower()}, {workers} workers")
        yield _run(GRAPHS[name], lane, workers, plan)


def _run(graph: Graph, lane: Lane, workers: int, plan: Plan) -> dict[str, Any]:
    with testing.runtime(workers) as served:
        row = uvloop.run(_measure(graph, lane, workers, plan, served))
        served.kill()  # what stands still would have to be waited for
    return row


async def _measure(graph: Graph, lane: Lane, workers: int, plan: Plan, served: testing.ServedRuntime) -> dict[str, Any]:
    roots = graph.roots(plan.turns)
    async with caxton.connect(served.runtime_dir) as client:
        agents = await deploy(client, graph, workers)
        crew = await Crew.of(client, served.runtime_dir)
        await wake(client, list(agents.values()), crew)
        flood = Flood(client, graph, agents, lane, roots)
        row = await measure_flood(client, graph, crew, flood, plan.bounds)
    return {"workers": workers, "lane": lane.name.lower(), "roots": roots} | row


def _compared(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of one lane and one number of workers, each with its ratio to flat."""
    flat_per_s = mean(row["turns_per_s"] for row in rows if row["graph"] == FLAT)
    return [row | {"ratio_to_flat": round(row["turns_per_s"] / flat_per_s, 3) if flat_per_s else None} for row in rows]

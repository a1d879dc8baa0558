"""How a runtime does on what systems of many agents do: graphs of agents under a flood, counted to the last turn."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import mean
from typing import Annotated, Any

import typer
import uvloop

import caxton
from bench.flow import neighbour
from bench.flow.crew import Crew
from bench.flow.deployed import deploy, wake
from bench.flow.flood import Bounds, Flood
from bench.flow.flood import measure as measure_flood
from bench.flow.graphs import GRAPHS, Graph
from bench.options import RESULTS_DIR, LaneName, ResultsDir
from bench.output import Bar, bar
from bench.results import finish
from caxton import testing
from caxton.acl.options import Lane
from caxton.cli.output import FAILED, Format, Output, print_table, reports_errors
from caxton.placement.slot_table import MAX_WORKERS

FLAT, FLAT_MSGPACK = list(GRAPHS)[:2]


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
    """Return rows of one lane and one number of workers, each with its ratios to flat, and to flat-msgpack if it ran.

    One is of the turns a second, the others of the turns in a second of the workers' computing time, which what else a
    machine does changes little.
    """
    return [row | _ratios(row, rows) for row in rows]


def _ratios(row: Mapping[str, Any], rows: list[dict[str, Any]]) -> dict[str, float | None]:
    per_s, computing, msgpack = (
        [one[figure] for one in rows if one["graph"] == graph and one[figure]]
        for graph, figure in ((FLAT, "turns_per_s"), (FLAT, "computing_us"), (FLAT_MSGPACK, "computing_us"))
    )
    own_us = row["computing_us"]
    return {
        "ratio_to_flat": round(row["turns_per_s"] / mean(per_s), 3) if per_s else None,
        "computing_to_flat": round(mean(computing) / own_us, 3) if computing and own_us else None,
        "computing_to_flat_msgpack": round(mean(msgpack) / own_us, 3) if msgpack and own_us else None,
    }


EXAMPLES = "Examples: python -m bench flow -o json; python -m bench flow --only circle,ring --workers 2 --lane durable"


def _known(only: str) -> str:
    """Refuse names of graphs that there are not."""
    unknown = sorted(set(only.split(",")) - {*GRAPHS})
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: take some of {','.join(GRAPHS)}")
    return only


def _numbers(workers: str) -> str:
    """Refuse what are no numbers of workers."""
    for part in workers.split(","):
        if not (part.isascii() and part.isdigit() and 1 <= int(part[:4]) <= MAX_WORKERS):
            raise typer.BadParameter(f"{part!r} is no number of workers; give some from 1 to {MAX_WORKERS}: 1,2,4")
    return workers


@reports_errors
def flow(
    only: Annotated[
        str, typer.Option(callback=_known, help="Graphs to measure beside flat, with commas between them.")
    ] = ",".join(GRAPHS),
    lane: Annotated[
        LaneName | None, typer.Option(help="Reliability of the messages; otherwise both, one after the other.")
    ] = None,
    workers: Annotated[
        str, typer.Option(callback=_numbers, help="Worker processes, one number after the other, with commas.")
    ] = "1,2,4",
    turns: Annotated[int, typer.Option(min=1, help="Turns of each graph, about.")] = 200_000,
    still: Annotated[
        float, typer.Option(min=0.1, help="Seconds without a turn, while work waits, after which a graph is given up.")
    ] = 5.0,
    deadline: Annotated[float, typer.Option(min=1.0, help="Seconds after which a graph is given up.")] = 60.0,
    *,
    flood: Annotated[
        bool, typer.Option("--flood", help="Ask an echo agent alone, and beside a coordinator under a flood, too.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=1.0, help="With --flood: of each of the two.")] = 5.0,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Graphs of agents under a flood: turns a second, standstills, and whether every turn ran that was to.

    Exit code 1 when a graph stood still, ran other turns than it should, or a message expired, was refused, failed or
    got lost.
    """
    plan = Plan(
        tuple(only.split(",")),
        tuple(each.lane for each in (LaneName if lane is None else (lane,))),
        tuple(int(count) for count in workers.split(",")),
        turns,
        Bounds(still, deadline),
        seconds if flood else 0.0,
    )
    with bar(total=plan.runs) as progress:
        result = measure(plan, progress)
    if output is Format.TEXT:
        _print(result)
    finish("flow", result, output, results, tables=("graphs", "neighbours"))
    if result["amiss"]:
        raise typer.Exit(FAILED)


_COLUMNS = ["graph", "lane", "workers", "turns/s", "to flat", "µs", "to flat", "to msgpack", "still ms"]
_COLUMNS += ["expired", "refused", "failed", "lost", "MB"]
_NEIGHBOURS = ["beside", "lane", "workers", "turns/s", "MB", "p99 µs alone", "p99 µs beside", "ratio", ""]


def _print(result: Mapping[str, Any]) -> None:
    print_table(f"About {result['turns']:,} turns of each graph", [*_COLUMNS, ""], list(_graphs(result["graphs"])))
    if result["neighbours"]:
        title = "An echo agent on the coordinator's worker"
        print_table(title, _NEIGHBOURS, list(_neighbours(result["neighbours"])))


def _graphs(rows: list[Mapping[str, Any]]) -> Iterator[list[object]]:
    for row in rows:
        yield [
            row["graph"],
            row["lane"],
            row["workers"],
            f"{row['turns_per_s']:,}",
            row["ratio_to_flat"],
            row["computing_us"],
            row["computing_to_flat"],
            row["computing_to_flat_msgpack"],
            row["longest_standstill_ms"],
            *(row[name] for name in ("expired", "refused", "failed", "lost")),
            round(row["grown_bytes"] / 1e6, 1),
            row["problem"],
        ]


def _neighbours(rows: list[Mapping[str, Any]]) -> Iterator[list[object]]:
    for row in rows:
        yield [
            row["graph"],
            row["lane"],
            row["workers"],
            f"{row['turns_per_s']:,}",
            round(row["grown_bytes"] / 1e6, 1),
            row["alone_us"]["p99"],
            row["beside_us"]["p99"],
            row["p99_ratio"],
            row["problem"],
        ]

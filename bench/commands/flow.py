"""`python -m bench flow`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from bench.flow.flood import Bounds
from bench.flow.graphs import GRAPHS
from bench.options import RESULTS_DIR, LaneName, ResultsDir
from bench.output import bar
from bench.questions.flow import Plan, measure
from bench.results import finish
from caxton.cli.output import FAILED, Format, Output, print_table, reports_errors
from caxton.placement.slot_table import MAX_WORKERS

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


_COLUMNS = ["graph", "lane", "workers", "turns/s", "to flat", "still ms", "expired", "refused", "failed", "lost", "MB"]
_NEIGHBOURS = ["beside", "lane", "workers", "turns/s", "p99 µs alone", "p99 µs beside", "ratio", ""]


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
            row["alone_us"]["p99"],
            row["beside_us"]["p99"],
            row["p99_ratio"],
            row["problem"],
        ]

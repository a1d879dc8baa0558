"""`python -m bench peers`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from bench.options import RESULTS_DIR, Payload, ResultsDir
from bench.output import bar
from bench.peers.catalogue import PEERS
from bench.questions.peers import Plan, measure
from bench.results import finish
from caxton.cli.output import Format, Output, print_table, reports_errors

EXAMPLES = "Examples: python -m bench peers --seconds 3 -o json; python -m bench peers --only erlang,pyzmq --rounds 1"


def _known(only: str) -> str:
    """Refuse names of peers that there are not."""
    unknown = sorted(set(only.split(",")) - {*PEERS})
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: take some of {','.join(PEERS)}")
    return only


@reports_errors
def peers(
    seconds: Annotated[float, typer.Option(min=0.2, help="Of measurement for each form of each peer.")] = 3.0,
    only: Annotated[
        str, typer.Option(callback=_known, help="Peers to measure beside Caxton, with commas between them.")
    ] = ",".join(PEERS),
    rounds: Annotated[
        int,
        typer.Option(
            min=1, max=10, help="Runs of all peers, every other one in the opposite order; the better figures count."
        ),
    ] = 2,
    payload: Payload = 100,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """The same requests and answers by other runtimes and by this one, in one run.

    A peer that is not installed, or that fails, has a row that says so; the exit code is 0.
    """
    plan = Plan(tuple(only.split(",")), payload, seconds, rounds)
    with bar(total=plan.runs) as progress:
        result = measure(plan, progress)
    if output is Format.TEXT:
        _print(result)
    finish("peers", result, output, results, tables=("peers", "ratios"))


_COLUMNS = ["peer", "form", "round trips/s", "under way", "p50 µs", "p99 µs", "processes", "version"]
_RATIOS = ["Caxton batched is", "Caxton one by one is"]


def _print(result: Mapping[str, Any]) -> None:
    title = f"Requests and answers of {result['payload']} bytes, best first; latencies are of one at a time"
    print_table(title, [*_COLUMNS, *_RATIOS, "note"], list(_lines(result)))


def _lines(result: Mapping[str, Any]) -> Iterator[list[object]]:
    ratios = {(each["peer"], each["form"]): each for each in result["ratios"]}
    for row in result["peers"]:
        rate, latency = row["round_trips_per_s"], row["latency_us"] or {}
        ratio = ratios.get((row["peer"], row["form"]), {})
        yield [
            row["peer"],
            row["form"] or row["status"],
            None if rate is None else f"{rate:,}",
            row["under_way"],
            latency.get("p50"),
            latency.get("p99"),
            row["processes"],
            row["version"],
            *(ratio.get(name) and f"{ratio[name]} times" for name in ("batched", "one_by_one")),
            row["note"] or row.get("reason") or row.get("install"),
        ]

"""`python -m bench scale`."""

from typing import Annotated

import typer

from bench.load.series import By
from bench.options import RESULTS_DIR, ResultsDir
from bench.output import bar
from bench.questions.scale import Plan, measure
from bench.results import finish
from caxton.cli.output import FAILED, Format, Output, reports_errors

EXAMPLES = "Examples: python -m bench scale -o json; python -m bench scale --by agents --most 10000 --seconds 2"


@reports_errors
def scale(
    by: Annotated[By | None, typer.Option(help="What grows; otherwise all four, one after the other.")] = None,
    seconds: Annotated[
        float, typer.Option(min=1.0, help="Of measurement of each size, half on the way up, half on the way down.")
    ] = 3.0,
    most: Annotated[
        int | None, typer.Option(min=0, help="The largest size of each series.", show_default=False)
    ] = None,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """What a message costs, in computing time and rate, against agents, payload, workers and registered agents.

    In its full length it needs about 5 GB of memory and some minutes. Exit code 1 when a message was not answered: then
    a figure does not say what it seems to.
    """
    plan = Plan(tuple(By) if by is None else (by,), seconds, most)
    with bar(total=plan.total_s) as progress:
        result = measure(plan, progress)
    finish("scale", result, output, results)
    if result["refused"] or result["lost"] or result["lost_by_stats"]:
        raise typer.Exit(FAILED)

"""`python -m bench kill`."""

from typing import Annotated

import typer

from bench.options import RESULTS_DIR, Agents, ResultsDir, Window, Workers
from bench.output import bar
from bench.questions.kill import measure
from bench.results import finish
from caxton.cli.output import FAILED, Format, Output, reports_errors

EXAMPLES = "Example: python -m bench kill --runs 20 -o json"


@reports_errors
def kill(
    runs: Annotated[int, typer.Option(min=1, help="Workers to kill, one after another.")] = 20,
    workers: Workers = 2,
    agents: Agents = 1_000,
    window: Window = 16,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Kill workers under load: when their agents answer again, and whether the loss is counted exactly.

    Exit code 1 when the client's loss and that of `caxton stats` differ in any run.
    """
    with bar(total=runs) as progress:
        result = measure(runs, workers, agents, window, progress)
    finish("kill", result, output, results)
    if result["equal_runs"] != runs:
        raise typer.Exit(FAILED)

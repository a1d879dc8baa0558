"""`python -m bench agents`."""

from typing import Annotated

import typer

from bench.options import RESULTS_DIR, Agents, ResultsDir, Workers
from bench.output import bar
from bench.questions.agents import measure
from bench.results import finish
from caxton.cli.output import Format, Output, reports_errors

EXAMPLES = "Example: python -m bench agents --agents 10000 -o json"


@reports_errors
def agents(
    agents: Agents = 10_000,
    starts: Annotated[int, typer.Option(min=1, help="Starts on fresh directories; the median is shown.")] = 5,
    workers: Workers = 2,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Start of a runtime, deployments, first messages, and what an agent takes of memory."""
    with bar(total=starts + 1) as progress:
        result = measure(agents, starts, workers, progress)
    finish("agents", result, output, results)

"""`python -m bench lookup`."""

from typing import Annotated

import typer

from bench.options import RESULTS_DIR, ResultsDir, Workers
from bench.output import bar
from bench.questions.lookup import AGENTS, Plan, measure
from bench.results import finish
from caxton.cli.output import Format, Output, reports_errors

EXAMPLES = "Examples: python -m bench lookup -o json; python -m bench lookup --most 100000"


@reports_errors
def lookup(
    most: Annotated[int, typer.Option(min=AGENTS[0], help="The largest number of registered agents.")] = AGENTS[-1],
    count: Annotated[int, typer.Option(min=1, help="Single lookups over the wire, of each kind.")] = 2_000,
    workers: Workers = 2,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """How long a lookup takes with 1,000 to 1,000,000 agents, alone and in batches, in a worker and over the wire."""
    plan = Plan(most, count, workers)
    with bar(total=plan.total_agents) as progress:
        result = measure(plan, progress)
    finish("lookup", result, output, results)

"""`python -m bench recovery`."""

from typing import Annotated

import typer

from bench.options import RESULTS_DIR, Agents, ResultsDir, Workers
from bench.output import bar
from bench.questions.recovery import Plan, Victim, measure
from bench.results import finish
from caxton.cli.output import FAILED, Format, Output, reports_errors

EXAMPLES = "Examples: python -m bench recovery --backlog 100000 -o json; python -m bench recovery --kill workers"


@reports_errors
def recovery(
    backlog: Annotated[int, typer.Option(min=1, help="Durable messages that wait for paused agents.")] = 100_000,
    workers: Workers = 2,
    agents: Agents = 100,
    kill: Annotated[Victim, typer.Option(help="Who is killed; whoever is gone is then started again.")] = Victim.ALL,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Kill a runtime with a backlog: how soon it is ready again, and how fast the backlog is replayed.

    Exit code 1 when a message of the backlog is neither handled nor a dead letter, or the ledger does not balance.
    """
    plan = Plan(backlog, workers, agents, kill)
    with bar(total=2 * backlog) as progress:
        result = measure(plan, progress)
    finish("recovery", result, output, results)
    if result["lost"] or not result["ledger_balanced"]:
        raise typer.Exit(FAILED)

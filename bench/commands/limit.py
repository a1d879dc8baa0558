"""`python -m bench limit`."""

from typing import Annotated

import typer

from bench.limits.worker import Stage
from bench.options import RESULTS_DIR, Agents, Payload, ResultsDir, Workers
from bench.output import bar
from bench.questions.limit import Plan, measure
from bench.results import finish
from caxton.cli.output import Format, Output, reports_errors

EXAMPLES = "Example: python -m bench limit --stage sandbox --stage commit --seconds 5 -o json"


@reports_errors
def limit(
    stage: Annotated[
        list[Stage] | None, typer.Option(help="Stage to measure; may be repeated. Otherwise all four.")
    ] = None,
    workers: Workers = 1,
    agents: Agents = 1_000,
    payload: Payload = 100,
    seconds: Annotated[float, typer.Option(min=0.5, help="Of measurement of each stage.")] = 5.0,
    window: Annotated[int, typer.Option(min=1, help="Frames of 256 under way to each worker.")] = 16,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """The bare loops: frames alone, with messages, with the raw sandbox call, with the commit; nothing of Caxton.

    Each stage has all that the one before it has. Around `sandbox` the stand-alone script runs with the same load.
    """
    stages = [each for each in Stage if not stage or each in stage]
    plan = Plan(stages, workers, agents, payload, seconds, window)
    with bar(total=plan.total_s) as progress:
        result = measure(plan, progress)
    finish("limit", result, output, results)

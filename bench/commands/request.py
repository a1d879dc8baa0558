"""`python -m bench request`."""

from typing import Annotated

import typer

from bench.options import RESULTS_DIR, Payload, ResultsDir, Workers
from bench.output import bar
from bench.questions.request import measure
from bench.results import finish
from caxton.cli.output import Format, Output, reports_errors

EXAMPLES = "Example: python -m bench request --count 20000 -o json"


@reports_errors
def request(
    count: Annotated[int, typer.Option(min=1, help="Requests, one after another.")] = 20_000,
    workers: Workers = 1,
    payload: Payload = 100,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Latency of one request at a time, in microseconds."""
    with bar(total=count) as progress:
        result = measure(count, workers, payload, progress)
    finish("request", result, output, results)

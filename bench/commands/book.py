"""`python -m bench book`."""

from typing import Annotated

import typer

from bench.options import RESULTS_DIR, ResultsDir
from bench.output import bar
from bench.questions.book import MOST_CHANGES, Plan, measure
from bench.results import finish
from caxton.cli.output import Format, Output, reports_errors
from caxton.store.book_layout import MAX_PEERS

EXAMPLES = "Example: python -m bench book --peers 100 -o json"


@reports_errors
def book(
    peers: Annotated[int, typer.Option(min=0, max=MAX_PEERS, help="Links in the book.")] = 34,
    changes: Annotated[int, typer.Option(min=1, max=MOST_CHANGES, help="Numbers that a commit changes.")] = 18,
    count: Annotated[int, typer.Option(min=1, help="Readings of each kind: at rest, and beside a writer.")] = 5_000,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """What a commit of a worker's book costs, and a reading of it, at rest and beside a writer at full speed."""
    plan = Plan(peers, changes, count)
    with bar(total=2 * count) as progress:
        result = measure(plan, progress)
    finish("book", result, output, results)

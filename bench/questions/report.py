"""All of it on one page: the newest result of each question, beside the figures to reach."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.options import RESULTS_DIR, ResultsDir
from bench.report.document import Draw, compose
from bench.report.files import write
from bench.report.runs import run_all
from bench.report.sources import commands
from bench.results import Results
from caxton.cli.output import FAILED, Format, Output, print_json, print_text, reports_errors
from caxton.errors import ConfigurationError

REPORT_DIR = Path(__file__).parents[2] / "docs/bench-report"
EXAMPLES = "Examples: python -m bench report --run; python -m bench report --run --quick --to try-out"


@reports_errors
def report(
    results: ResultsDir = RESULTS_DIR,
    to: Annotated[Path, typer.Option(help="Folder of the report; made where it is not there.")] = REPORT_DIR,
    *,
    run: Annotated[bool, typer.Option("--run", help="First measure everything; about half an hour.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="With --run: so short that it only shows the form.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Write the newest results as Markdown, as plots (PNG) and as one page of HTML, beside the figures to reach.

    What has no result is named, with the command that makes it. Exit code 1 when a subcommand of --run failed; the
    report is written all the same.
    """
    if quick and not run:
        raise ConfigurationError("--quick", "it shortens what --run measures", "add --run, or leave it out")
    draw = _plots()
    failed = run_all(commands(quick=quick), results, _tell) if run else []
    document = compose(Results(results), draw)
    paths = write(document, to)
    if output is Format.JSON:
        figures = [
            {
                "figure": each.goal.what,
                "bar": each.goal.asked,
                "measured": each.value,
                "outcome": each.outcome,
                "why": each.why,
            }
            for each in document.reached
        ]
        files = [str(path) for path in paths]
        print_json({"figures": figures, "missing": document.missing, "failed": failed, "files": files})
    else:
        for each in document.reached:
            print_text(f"{each.outcome:<13} {each.goal.what}: {each.measured} (bar: {each.goal.asked})")
        for path in paths:
            print_text(f"written: {path}")
    if failed:
        raise typer.Exit(FAILED)


def _plots() -> Draw:
    """Return what draws, before anything is measured. Raises ConfigurationError when its library is missing."""
    try:
        from bench.report.plots import draw  # noqa: PLC0415 (only a report needs what draws: an extra of its own)
    except ModuleNotFoundError as error:
        problem = f"plots need {error.name}, which is not installed"
        raise ConfigurationError("report", problem, "pip install '.[report]'") from None
    return draw


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")

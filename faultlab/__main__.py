"""The laboratory's command line: `python -m faultlab --help`."""

import signal
from typing import Annotated, NoReturn

import typer

from bench.output import bar
from caxton.cli.output import Format, Output, reports_errors
from caxton.errors import ConfigurationError
from faultlab.cases.catalogue import CASES
from faultlab.row import Row
from faultlab.table import print_table

FAILED = 1

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog="Examples: python -m faultlab --case 7 --runs 5; python -m faultlab --long -o json")
@reports_errors
def run(
    case: Annotated[
        list[str] | None, typer.Option(help=f"Only this one; may be given again. One of {', '.join(CASES)}.")
    ] = None,
    runs: Annotated[int | None, typer.Option(min=1, help="Runs of each case.", show_default=False)] = None,
    *,
    long: Annotated[
        bool, typer.Option("--long", help="As many runs as the figures of docs/faults.md ask for.")
    ] = False,
    output: Output = Format.TEXT,
) -> None:
    """Try every fault on a runtime of its own, and print what was lost: nothing. Exit code 1 when a case is broken."""
    chosen = _chosen(case or list(CASES))
    rows = [_tried(name, runs, long=long) for name in chosen]
    print_table(rows, output)
    if not all(row.clean for row in rows):
        raise typer.Exit(FAILED)


def _chosen(names: list[str]) -> list[str]:
    for name in names:
        if name not in CASES:
            raise ConfigurationError("--case", f"there is no case {name}", f"choose one of {', '.join(CASES)}")
    return names


def _tried(name: str, runs: int | None, *, long: bool) -> Row:
    """Run a case; an error of its is its problem, and the others still run."""
    case = CASES[name]
    times = runs or (case.long if long else case.short)
    with bar(total=times) as progress:
        try:
            return case.run(times, lambda done, about: progress.show(done, f"case {name}: {about}"))
        except Exception as error:  # noqa: BLE001 (a case that breaks off is a row that says so)
            notes = "\n".join(getattr(error, "__notes__", []))
            return Row(name, "it broke off", times, problems=[f"{error!r}\n{notes}"])


def _end(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)  # as Ctrl-C does: what was started is ended first
    app()

"""The table of a run, for people and as JSON."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from caxton.cli.output import Format, print_json
from faultlab.row import Row

_COLUMNS = ("case", "what happens", "runs", "acknowledged", "lost", "double", "recovery s: p50", "p95", "max", "")


def print_table(rows: Sequence[Row], output: Format) -> None:
    """Print all rows, and below them what did not hold."""
    if output is Format.JSON:
        print_json({"cases": [row.as_json() for row in rows], "clean": all(row.clean for row in rows)})
        return
    table = Table(*_COLUMNS)
    for row in rows:
        recovery = row.as_json()["recovery_s"] or {"p50": "", "p95": "", "max": ""}
        figures = (row.runs, f"{row.acknowledged:,}", row.lost, row.double, *recovery.values())
        table.add_row(row.case, row.about, *map(str, figures), "held" if row.clean else "BROKEN")
    console = Console(width=None if Console().is_terminal else 160)
    console.print(table)
    for row in rows:
        for problem in row.problems:
            console.print(f"case {row.case}: {problem}", markup=False)

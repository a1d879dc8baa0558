"""How commands speak: text or JSON, and what an error looks like, in one place.

Exit codes: 0 it is done, 1 it failed, 2 the command line is wrong, 3 no runtime was found.
"""

import json
import sys
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Annotated, Any, ParamSpec

import orjson
import typer
from rich.console import Console
from rich.table import Table

from caxton.errors import CaxtonError, RuntimeNotFound, to_fields

FAILED = 1
NO_RUNTIME = 3

P = ParamSpec("P")


class Format(StrEnum):
    """What a command prints."""

    TEXT = "text"
    JSON = "json"


Output = Annotated[Format, typer.Option("-o", "--output", help="What to print: text for people, json for programs.")]


def print_json(value: Any) -> None:
    """Print one JSON value on one line; what JSON does not know, such as bytes, is written as text."""
    print_text(_dump(value))


def _dump(value: Any) -> str:
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # text that is no UTF-8, or a number beyond 64 bits
        return json.dumps(value, default=str)


def print_text(line: str) -> None:
    """Print a line for people."""
    # A name on disk may be no UTF-8; it is shown with escapes.
    sys.stdout.write(line.encode(errors="backslashreplace").decode() + "\n")
    sys.stdout.flush()


_WIDE = 240


def print_table(title: str, columns: list[str], rows: list[list[object]]) -> None:
    """Print a table for people."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")  # an id that is cut short is no id
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    # A file or a pipe has no width, and whoever reads it wants whole lines.
    Console(width=None if sys.stdout.isatty() else _WIDE).print(table)


def report_error(error: CaxtonError, output: Format) -> int:
    """Print an error to standard error and return the exit code that says so."""
    if output is Format.JSON:
        told = {"error": type(error).__name__, "fields": to_fields(error), "message": str(error)}
        sys.stderr.write(_dump(told) + "\n")
    else:
        sys.stderr.write(f"caxton: {error}\n")
    return NO_RUNTIME if isinstance(error, RuntimeNotFound) else FAILED


def reports_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Make a command print the CaxtonErrors that it raises, in its own output format, and exit with the right code."""

    @wraps(command)
    def reporting(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except CaxtonError as error:
            output = kwargs.get("output")
            raise typer.Exit(report_error(error, output if isinstance(output, Format) else Format.TEXT)) from None

    return reporting

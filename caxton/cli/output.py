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
from caxton.printable import printable

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
    _write(as_json(value) + "\n")


def as_json(value: Any) -> str:
    """Return one JSON value on one line, in which everything prints: what does not is escaped, as JSON may."""
    try:
        text = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # text that is no UTF-8, or a number beyond 64 bits
        text = json.dumps(value, default=str)
    return text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def print_text(line: str) -> None:
    """Print a line for people; what of it does not print is escaped."""
    _write(printable(line) + "\n")


def _write(text: str) -> None:
    sys.stdout.write(text)
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
        sys.stderr.write(as_json(told) + "\n")
    else:
        sys.stderr.write(printable(f"caxton: {error}") + "\n")
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

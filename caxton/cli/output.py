"""How commands speak: text or JSON, and what an error looks like, in one place.

Exit codes: 0 it is done, 1 it failed, 2 the command line is wrong, 3 no runtime was found.
"""

import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from functools import wraps
from typing import Annotated, Any, ParamSpec

import orjson
import typer

from caxton.cli.columns import Columns
from caxton.errors import CaxtonError, ParseError, RuntimeNotFound, ValidationError, to_fields
from caxton.printable import printable

# Measured together, and printed together.
_PAGE_ROWS = 100
FAILED = 1
WRONG = 2
NO_RUNTIME = 3

P = ParamSpec("P")


class Format(StrEnum):
    """What a command prints."""

    TEXT = "text"
    JSON = "json"


Output = Annotated[Format, typer.Option("-o", "--output", help="What to print: text for people, json for programs.")]


def print_json(value: Any) -> None:
    """Print one JSON value on one line; what JSON does not know, such as bytes, is written as text."""
    _write(as_json(value, sys.stdout.encoding) + "\n")


def print_yaml(value: Any) -> None:
    """Print one YAML document; what does not print is escaped."""
    import yaml  # noqa: PLC0415 (of all commands the few that print it pay for it)

    _write(yaml.safe_dump(value, sort_keys=False, allow_unicode=False))


class TableItems:
    """Prints items as the rows of one table as they come, a page at a time: those of their values that are `named`."""

    def __init__(self, named: Sequence[str]) -> None:
        self._named = named
        self._columns = Columns([name.replace("_", " ") for name in named])
        self._page: list[list[object]] = []

    def add(self, values: dict[str, Any]) -> None:
        """Print an item, at the latest when its page is full."""
        self._page.append([values[name] for name in self._named])
        if len(self._page) == _PAGE_ROWS:
            self.end()

    def end(self) -> None:
        """Print what was not printed yet; without items the names alone."""
        print_lines(self._columns.page(self._page))
        self._page = []


class JsonItems:
    """Prints the items of one JSON array as they come, on one line; `end` closes it."""

    def __init__(self) -> None:
        self._before = "["

    def add(self, values: dict[str, Any]) -> None:
        """Print an item."""
        sys.stdout.write(self._before + as_json(values, sys.stdout.encoding))
        self._before = ","

    def end(self) -> None:
        """Print what closes the array, also one without items."""
        _write("]\n" if self._before == "," else "[]\n")


def as_json(value: Any, encoding: str = "utf-8") -> str:
    """Return one JSON value on one line, in which everything prints: what does not is escaped, as JSON may.

    So is what is no ASCII where the encoding is none of Unicode: as other escapes it would be no JSON.
    """
    try:
        text = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # text that is no UTF-8, or a number beyond 64 bits
        text = json.dumps(value, default=str)
    if encoding.lower().replace("-", "") != "utf8" and not text.isascii():
        text = "".join(c if c.isascii() else json.dumps(c)[1:-1] for c in text)
    return text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def print_text(line: str) -> None:
    """Print a line for people; what of it does not print is escaped."""
    _write(printable(line) + "\n")


def print_content(content: bytes) -> None:
    """Print what a message says: byte for byte, or, on a terminal, with what does not print escaped, and a line end.

    Line ends and tabs are left as they are there.
    """
    if not sys.stdout.isatty():
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    text = printable(content.decode(errors="backslashreplace"), keep="\n\t")
    _write(text if text.endswith("\n") else text + "\n")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def print_table(title: str, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table for people: a title, a line of names unless all are empty, and a line for each row."""
    print_text(title)
    print_lines(Columns(names).page(rows))


def print_lines(lines: Iterable[str]) -> None:
    """Print lines that are printable already."""
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


def print_hint(hint: str) -> None:
    """Print to standard error what to do to see more: there it is seen also when the rest goes into a pipe."""
    sys.stderr.write(printable(f"caxton: {hint}") + "\n")


def report_error(error: CaxtonError, output: Format) -> int:
    """Print an error to standard error and return the exit code that says so.

    A value outside its bounds is one of the command line.
    """
    if output is Format.JSON:
        told = {"error": type(error).__name__, "fields": to_fields(error), "message": str(error)}
        sys.stderr.write(as_json(told, sys.stderr.encoding) + "\n")
    else:
        sys.stderr.write(printable(f"caxton: {error}") + "\n")
    return (
        WRONG
        if type(error) in {ValidationError, ParseError}
        else NO_RUNTIME
        if isinstance(error, RuntimeNotFound)
        else FAILED
    )


def reports_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Make a command print the CaxtonErrors that it raises, in its own output format, and exit with the right code.

    It is not begun with a number that is none, which is within any bounds: "nan" is a mistake of the command line.
    """

    @wraps(command)
    def reporting(*args: P.args, **kwargs: P.kwargs) -> None:
        for name, value in kwargs.items():
            if isinstance(value, float) and math.isnan(value):
                raise typer.BadParameter("nan is not a valid number", param_hint=f"'--{name.replace('_', '-')}'")
        try:
            command(*args, **kwargs)
        except CaxtonError as error:
            as_json = kwargs.get("output") == Format.JSON.value
            raise typer.Exit(report_error(error, Format.JSON if as_json else Format.TEXT)) from None

    return reporting

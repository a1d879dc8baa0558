"""What is wrong with a command line, as an error like others: the words of typer, and what to write instead."""

import re
from collections.abc import Sequence

import typer

from caxton.errors import ConfigurationError

_EXTRA = "Got unexpected extra argument"
_RANGE = re.compile(r"(?:int|integer|float) range$")  # typer's word for the type of a number that has bounds


def usage_mistake(error: typer.TyperException, words: Sequence[str]) -> ConfigurationError:
    """Return the error for a command line; its last words say where to look."""
    context = getattr(error, "ctx", None)
    path = "caxton" if context is None else context.command_path
    parameters = set() if context is None else {parameter.name for parameter in context.command.params}
    problem = _RANGE.sub("number", " ".join(error.format_message().split()).rstrip("."))
    advice = _advice(problem, getattr(error, "option_name", ""), path, parameters)
    if path == "caxton" and words and words[0].startswith("-"):
        advice = "options stand behind the command, as in `caxton health -o json`"
    return ConfigurationError("the command line", problem, "; ".join(filter(None, (advice, f"see `{path} --help`"))))


def _advice(problem: str, unknown_option: str, path: str, parameters: set[str | None]) -> str:
    """Return what may have been meant, by what the command takes; "" where that is not known."""
    if unknown_option == "--json" and "output" in parameters:
        return "for JSON say -o json"
    if unknown_option and "flags" in parameters:
        return f"flags of `caxton serve` stand behind --, as in `{path} -- --workers 2`"
    if problem.startswith(_EXTRA) and "content" in parameters:
        return "a content with blanks stands in quotes"
    if problem.startswith(_EXTRA) and "ids" in parameters:
        return "dead letters are named by --id, as in `--id 0-17`"
    return ""

"""Results on disk: one JSON file for each run, with the machine, the versions and the settings that it came from."""

import datetime as dt
import itertools
import shlex
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from bench.machine import describe
from bench.output import print_result
from caxton.cli.output import Format
from caxton.errors import ConfigurationError

_WHERE = {"-o", "--output", "--results"}


def finish(
    question: str, figures: Mapping[str, Any], output: Format, results_dir: Path, tables: Collection[str] = ()
) -> None:
    """Print what a question was answered with, beside the machine, and save it: the path is told on stderr.

    tables: names of figures that are left out of what is printed for people, who were shown them as tables.
    """
    result = {"question": question, **figures, "command": command_of(sys.argv[1:]), "machine": describe()}
    shown = {name: value for name, value in result.items() if output is Format.JSON or name not in tables}
    print_result(shown, output)
    sys.stderr.write(f"saved: {save(result, results_dir)}\n")


def command_of(words: Sequence[str]) -> str:
    """Return the command line with these words that gives the same figures: where they go is left out."""
    kept: list[str] = []
    for before, word in itertools.pairwise(["", *words]):
        if word.partition("=")[0] not in _WHERE and before not in _WHERE:
            kept.append(word)
    return shlex.join(["python", "-m", "bench", *kept])


def save(result: Mapping[str, Any], results_dir: Path) -> Path:
    """Write one result as a file of its own and return its path. Raises ConfigurationError if that cannot be."""
    name = f"{result['question']}-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S.%fZ}.json"
    path = results_dir / name
    try:
        results_dir.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    except OSError as error:
        raise ConfigurationError("--results", str(error), "name a folder that can be written") from None
    return path


class Results:
    """The results of a folder, oldest first."""

    def __init__(self, results_dir: Path) -> None:
        self._all = list(_read(results_dir))

    def newest(self, question: str, **settings: object) -> dict[str, Any] | None:
        """Return the newest result of a question that was run with these settings; None if there is none."""
        wanted = {"question": question, **settings}.items()
        return next((result for result in reversed(self._all) if wanted <= result.items()), None)

    def newest_first(self, question: str) -> Iterator[dict[str, Any]]:
        """Go through all results of a question, the newest first."""
        return (result for result in reversed(self._all) if result["question"] == question)


def _read(results_dir: Path) -> Iterator[dict[str, Any]]:
    paths = results_dir.glob("*-*.json")
    for path in sorted(paths, key=lambda path: path.stem.rpartition("-")[2]):
        try:
            result: Any = orjson.loads(path.read_bytes())
        except (OSError, orjson.JSONDecodeError) as error:
            raise ConfigurationError("--results", f"{path} cannot be read: {error}", "remove that file") from None
        if not isinstance(result, dict) or "question" not in result:
            raise ConfigurationError("--results", f"{path} is no result of the bench", "remove that file")
        yield result

"""Turns every limit off, one at a time, in a copy of the code: `python -m faultlab.limits --help`."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated

import typer

from caxton.cli.output import Format, Output, print_json, print_text, reports_errors
from caxton.errors import ConfigurationError
from faultlab.dice import dice
from faultlab.limits.account import Limit, constants, limits
from faultlab.limits.outcome import Outcome, Word
from faultlab.limits.scratch import Scratch

FAILED = 1
_ROOT = Path(__file__).parents[2]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@dataclass(frozen=True)
class Row:
    """What came of one limit."""

    limit: str
    test: str
    outcome: Word
    seconds: float
    how: str


@app.command(
    epilog="Examples: python -m faultlab.limits --only '*queues*'; python -m faultlab.limits --some 3 --seed 7"
)
@reports_errors
def run(
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only limits whose name has this in it, * for anything; may be given again."),
    ] = None,
    some: Annotated[int | None, typer.Option(min=1, help="Only so many, by chance.", show_default=False)] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of that chance.", show_default="another")] = None,
    output: Output = Format.TEXT,
) -> None:
    """Turn each limit of docs/limits.toml off, run the test that it names, and print whether that test fails.

    Exit code 1 when a limit is missed, or a test fails without saying why: by its timeout, or for want of memory.
    """
    all_of_them = limits(_ROOT)
    chosen = _chosen(all_of_them, only or ["*"])
    if some is not None:
        seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
        chosen = dice(seed).sample(chosen, min(some, len(chosen)))
    rows = []
    for row in _tried(chosen, constants(all_of_them)):
        rows.append(row)
        if output is Format.TEXT:
            _print_row(row)
    _print_end(rows, seed if some is not None else None, output)
    if any(row.outcome != "caught" for row in rows):
        raise typer.Exit(FAILED)


def _chosen(all_of_them: list[Limit], patterns: list[str]) -> list[Limit]:
    found = [limit for limit in all_of_them if any(fnmatch(str(limit.off), f"*{pattern}*") for pattern in patterns)]
    if not found:
        problem, cure = f"no limit has {' or '.join(patterns)} in its name", "see docs/limits.toml"
        raise ConfigurationError("--only", problem, cure)
    return found


def _tried(chosen: list[Limit], others: frozenset[tuple[str, str]]) -> Iterator[Row]:
    """Try them one after the other. A test is believed only where it passes with the limit on."""
    amiss: dict[str, str] = {}
    with Scratch(_ROOT) as scratch:
        for limit in chosen:
            began_s = time.monotonic()
            if limit.test not in amiss:
                before = scratch.run(limit.test)
                amiss[limit.test] = "" if before.word == "missed" else f"it fails as it is: {before.how}"
            problem = amiss[limit.test]
            found = Outcome("no test", problem) if problem else scratch.tried(limit, others)
            yield Row(str(limit.off), limit.test, found.word, round(time.monotonic() - began_s, 1), found.how)


def _print_row(row: Row) -> None:
    test = row.test.rpartition("::")[2]
    print_text(f"{row.outcome:<8} {row.seconds:>6.1f} s  {row.limit:<60} {test}" + f": {row.how}" * bool(row.how))


def _print_end(rows: list[Row], seed: int | None, output: Format) -> None:
    counted = Counter(row.outcome for row in rows)
    if output is Format.JSON:
        print_json({"limits": [asdict(row) for row in rows], "outcomes": counted, "seed": seed})
        return
    chance = "" if seed is None else f" (seed {seed})"
    print_text(", ".join(f"{n} {word}" for word, n in sorted(counted.items())) + chance)


if __name__ == "__main__":
    app()

"""How much of a long list a command shows: a page as text, all of it as JSON, or what it is told."""

from typing import Annotated

import typer

from caxton.cli.output import Format

PAGE = 100
# More than anybody has, and a number that every part of the runtime can count to.
MOST = 1_000_000_000

LimitOption = Annotated[
    int | None,
    typer.Option(
        "--limit",
        min=1,
        max=MOST,
        help=f"At most so many. Otherwise {PAGE} of them as text, and all as JSON.",
        show_default=False,
    ),
]
WholeOption = Annotated[bool, typer.Option("--all", help="All of them, however many there are.")]


def most(limit: int | None, output: Format, *, whole: bool) -> int | None:
    """Return how many to show, None for all; raises BadParameter for --limit with --all."""
    if limit is not None and whole:
        raise typer.BadParameter("it goes with no --limit", param_hint="--all")
    return limit if limit is not None or whole or output is Format.JSON else PAGE

"""How much of a long list a command shows: a page as text, all of it as JSON, or what it is told."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any, TypeVar

import typer

from caxton.cli.output import Format, JsonItems, TableItems, print_hint, print_text
from caxton.printable import counted

T = TypeVar("T")

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


class Listing:
    """Shows what is found as it comes: as text in the columns that are `named`, and how many more there are."""

    def __init__(self, what: str, named: Sequence[str], count: int | None, output: Format) -> None:
        self._what = what
        self._count = count
        self._output = output
        self._items = JsonItems() if output is Format.JSON else TableItems(named)
        self._listed = 0
        # Whether something was found that is not shown.
        self.more = False

    @property
    def asked(self) -> int | None:
        """How many are to be asked for, None for all: one more than is shown tells whether there are more."""
        return None if self._count is None else self._count + 1

    @property
    def nothing(self) -> bool:
        """True when there was nothing to show."""
        return not self._listed

    async def show(self, found: AsyncIterator[T], values: Callable[[T], dict[str, Any]]) -> None:
        """Show these, as far as they are wanted."""
        async for one in found:
            if self._listed == self._count:
                self.more = True
                return
            self._items.add(values(one))
            self._listed += 1

    def end(self, total: int | None = None) -> None:
        """Show the rest, how many there were, and how to see more. total: of how many, where that is known."""
        self._items.end()
        if self._output is Format.JSON:
            return
        print_text(counted(self._listed, self._what))
        if self.more:
            left = "" if total is None or total <= self._listed else f"{total - self._listed:,} "
            print_hint(f"there are {left}more {self._what}; see them with --all, or --limit and how many")

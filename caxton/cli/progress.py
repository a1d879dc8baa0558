"""Progress on standard error, for people who watch: nothing where that is no terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

Advance = Callable[[int], None]


@contextmanager
def bytes_sent(total: int) -> Iterator[Advance]:
    """Show how many of these bytes were sent."""
    with _shown("sent", total, DownloadColumn(), TransferSpeedColumn()) as advance:
        yield advance


@contextmanager
def rows_done(total: int) -> Iterator[Advance]:
    """Show how many of these rows were seen to."""
    with _shown("rows", total, MofNCompleteColumn()) as advance:
        yield advance


@contextmanager
def agents_done(total: int) -> Iterator[Advance]:
    """Show how many of these agents were seen to."""
    with _shown("agents", total, MofNCompleteColumn()) as advance:
        yield advance


@contextmanager
def modules_done(total: int) -> Iterator[Advance]:
    """Show how many of these modules were compiled."""
    with _shown("modules", total, MofNCompleteColumn()) as advance:
        yield advance


@contextmanager
def _shown(what: str, total: int, *columns: ProgressColumn) -> Iterator[Advance]:
    console = Console(stderr=True)
    around = TextColumn("{task.description}", markup=False), BarColumn(), *columns, TimeRemainingColumn()
    with Progress(*around, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.advance(task, done)

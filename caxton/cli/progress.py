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
def bytes_done(what: str, total: int, *, hidden: bool) -> Iterator[Advance]:
    """Show how many of these bytes were seen to."""
    with _shown(what, total, DownloadColumn(), TransferSpeedColumn(), hidden=hidden) as advance:
        yield advance


@contextmanager
def bytes_of(what: str, *, hidden: bool) -> Iterator[Callable[[int, int], None]]:
    """Show how many bytes were seen to, and of how many, which may become more."""
    console = Console(stderr=True)
    around = TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*around, console=console, disable=hidden or not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


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
def _shown(what: str, total: int, *columns: ProgressColumn, hidden: bool = False) -> Iterator[Advance]:
    console = Console(stderr=True)
    around = TextColumn("{task.description}", markup=False), BarColumn(), *columns, TimeRemainingColumn()
    with Progress(*around, console=console, disable=hidden or not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.advance(task, done)

"""What a bench prints: its result on stdout, how far it is on stderr."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from caxton.cli.output import Format, print_json, print_text

# Seldom enough that drawing costs the measurement nothing that one could see.
_DRAW_PERIOD_S = 0.5


class Bar:
    """A progress bar on a terminal; nothing elsewhere."""

    def __init__(self, progress: Progress, total: float) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=total)
        self._due_s = 0.0

    def show(self, done: float, about: str) -> None:
        """Show how far it is, at most twice a second."""
        now_s = time.monotonic()
        self._progress.update(self._task, completed=done, description=about)
        if now_s >= self._due_s:
            self._due_s = now_s + _DRAW_PERIOD_S
            self._progress.refresh()

    def after(self, done: float, about: str = "") -> Callable[[float, int], None]:
        """Return what shows how many more, from here on, are done, and how many messages were answered."""
        return lambda more, answered: self.show(done + more, f"{about}{answered:,} answers")


@contextmanager
def bar(total: float) -> Iterator[Bar]:
    """Show a bar on stderr while the block runs, if that is a terminal. No thread draws it: `show` does."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description:<44}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %")
    with Progress(
        *columns, console=console, disable=not console.is_terminal, auto_refresh=False, transient=True
    ) as progress:
        yield Bar(progress, total)


def print_result(result: Mapping[str, Any], output: Format) -> None:
    """Print a result as one line of JSON, or as lines for people."""
    if output is Format.JSON:
        print_json(result)
        return
    for name, value in _flat(result):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        print_text(f"{name:<32} {value:,}" if is_number else f"{name:<32} {value}")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            # A list of anything else than figures is a curve to be drawn: nothing to read.
            for number, each in enumerate([each for each in value if isinstance(each, Mapping)], 1):
                shown = (f"{k} {v}" for k, v in each.items() if not isinstance(v, list))
                yield f"{prefix}{name}.{number}", ", ".join(shown)
        else:
            yield f"{prefix}{name}", value

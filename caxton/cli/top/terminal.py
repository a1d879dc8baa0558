"""The terminal of a live screen: keys one by one, a page at a time, and all as it was when it ends."""

import os
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from caxton.cli.top.page import Line
from caxton.cli.top.view import keys_of

_OF_READ = 1_024
_STYLES = {"": "", "head": "bold", "bad": "bold red", "name": "reverse", "keys": "dim"}


class Screen:
    """Shows lines on the terminal's other screen, each cut to its width; the one that was there comes back."""

    def __init__(self, live: Live, console: Console) -> None:
        self._live = live
        self._console = console

    @property
    def height(self) -> int:
        """How many lines there is room for, now."""
        return self._console.size.height

    def show(self, lines: Sequence[Line]) -> None:
        """Show these lines, from the top. Text is text: nothing in it is markup."""
        page = Text("\n", no_wrap=True, overflow="ellipsis", end="").join(
            Text(line.text, style=_STYLES[line.style], no_wrap=True, overflow="ellipsis") for line in lines
        )
        self._live.update(page, refresh=True)


@contextmanager
def screen(environment: Mapping[str, str]) -> Iterator[Screen]:
    """Have the terminal's other screen, of whichever size it is at the time, until the block ends."""
    # COLUMNS and LINES are those of a shell that started us, and do not change with the terminal.
    known = {name: value for name, value in environment.items() if name not in {"COLUMNS", "LINES"}}
    console = Console(file=sys.stdout, markup=False, highlight=False, emoji=False, _environ=known)
    with Live(console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        yield Screen(live, console)


@contextmanager
def keys(pressed: Callable[[str], None], closed: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Have each key at once until the block ends, and no echo; yields what is to be called when there may be some.

    closed: called when the terminal has gone. A stop (Ctrl-Z) is left out: it would leave the terminal as it is now.
    """
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    stop = signal.signal(signal.SIGTSTP, signal.SIG_IGN)

    def take() -> None:
        try:
            raw = os.read(terminal, _OF_READ)
        except OSError:
            raw = b""
        if not raw:
            closed()
        for key in keys_of(raw):
            pressed(key)

    try:
        tty.setcbreak(terminal)
        yield take
    finally:
        signal.signal(signal.SIGTSTP, stop)
        try:
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        except termios.error:  # it has gone
            return

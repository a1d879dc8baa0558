"""How far a run is: a bar on a terminal, and elsewhere a line every now and then, with how long the rest may take."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.output import Bar, bar

_LINE_PERIOD_S = 20.0


class Far:
    """Shows how much of something is done. before: how much of it was done when this run began."""

    def __init__(self, shown: Bar, about: str, total: int, before: int) -> None:
        self._bar, self._about, self._total = shown, about, total
        self._before, self._done = before, before
        self._began_s = time.monotonic()
        self._told_s = self._began_s

    def on(self, some: int = 1, what: str = "") -> None:
        """Note that so much more is done."""
        self._done += some
        self._bar.show(self._done, what or self._about)
        now_s = time.monotonic()
        if sys.stderr.isatty() or now_s - self._told_s < _LINE_PERIOD_S:
            return
        self._told_s = now_s
        left_s = (now_s - self._began_s) / (self._done - self._before) * (self._total - self._done)
        sys.stderr.write(f"{self._about}: {self._done:,} of {self._total:,}, some {left_s / 60:.1f} min left\n")


@contextmanager
def far(about: str, total: int, before: int = 0) -> Iterator[Far]:
    """Show how far something is while the block runs."""
    with bar(total=total) as shown:
        yield Far(shown, about, total, before)

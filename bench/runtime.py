"""A runtime to measure, and how long it took to be ready."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from caxton import testing


@dataclass(frozen=True)
class Served:
    """A runtime that serves. ready_s: seconds from the spawn of `caxton serve` to the line that says it is ready."""

    runtime_dir: Path
    data_dir: Path
    ready_s: float


@contextmanager
def serving(workers: int, options: Sequence[str] = ()) -> Iterator[Served]:
    """Serve from a child process until the block ends; `options` are further ones of `caxton serve`.

    Raises what entering a `caxton.testing.runtime` raises.
    """
    began_s = time.perf_counter()
    with testing.runtime(workers, options=options) as served:
        yield Served(served.runtime_dir, served.data_dir, time.perf_counter() - began_s)

"""What a commit of a worker's book costs, and a reading of it beside a writer that does nothing but commit.

Run as a module, this file is the writer: `python -m bench.questions.book PATH PEERS CHANGES`. It commits to a new book
at that path until it is ended.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.load.latencies import Latencies
from bench.options import RESULTS_DIR, ResultsDir
from bench.output import Bar, bar
from bench.results import finish
from caxton.cli.output import Format, Output, reports_errors
from caxton.store.book_layout import MAX_PEERS
from caxton.store.books import Book, read
from caxton.wire.counters import COUNTERS

# A worker's counters, and 120 buckets for each of ten histograms beside them.
HISTOGRAMS = {f"histogram_{number}": 120 for number in range(10)}
MOST_CHANGES = len(COUNTERS)
_COMMITS = 10_000
_SHOW_EVERY = 100


@dataclass(frozen=True)
class Plan:
    """peers: links in the book. changes: numbers that a commit changes. count: readings of each kind."""

    peers: int
    changes: int
    count: int


@dataclass(frozen=True)
class _Readings:
    """How long each took, the computing time in it, and the commits in a second meanwhile."""

    wall: Latencies
    cpu: Latencies
    commits_per_s: float


def measure(plan: Plan, bar: Bar) -> dict[str, Any]:
    """Commit in this process alone, read what is at rest, and then beside a process that commits all the time."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rest.book"
        book = _made(path, plan.peers)
        began_s = time.perf_counter()
        _commit(book, plan.changes, _COMMITS)
        commit_us = (time.perf_counter() - began_s) / _COMMITS * 1e6
        book.close()
        at_rest = _read(path, plan.count, bar, 0)
        path = Path(folder) / "busy.book"
        with _writer(path, plan):
            beside = _read(path, plan.count, bar, plan.count)
    return {
        "commit_us": round(commit_us, 1),
        "read_at_rest_us": at_rest.wall.summary(),
        "read_at_rest_cpu_us": at_rest.cpu.summary(),
        "read_beside_us": beside.wall.summary(),
        "read_beside_cpu_us": beside.cpu.summary(),
        "commits_per_s": round(beside.commits_per_s),
        **asdict(plan),
    }


def _made(path: Path, peers: int) -> Book:
    book = Book.create(path, 1, tuple(COUNTERS), histograms=HISTOGRAMS)
    for peer in range(1, peers + 1):
        book.emitted(peer, 1)
    book.commit()
    return book


def _commit(book: Book, changes: int, times: int) -> None:
    names = tuple(COUNTERS)[:changes]
    for _ in range(times):
        for name in names:
            book.count(name)
        book.commit()


def _read(path: Path, count: int, bar: Bar, done: int) -> _Readings:
    wall, cpu, name = Latencies(), Latencies(), next(iter(COUNTERS))
    first, start_s = read(path).counters[name], time.perf_counter()
    for number in range(count):
        began_s, began_cpu_s = time.perf_counter(), time.thread_time()
        read(path)
        cpu.record(time.thread_time() - began_cpu_s)
        wall.record(time.perf_counter() - began_s)
        if number % _SHOW_EVERY == 0:
            bar.show(done + number, "readings")
    return _Readings(wall, cpu, (read(path).counters[name] - first) / (time.perf_counter() - start_s))


@contextmanager
def _writer(path: Path, plan: Plan) -> Iterator[None]:
    command = [sys.executable, "-m", __name__, str(path), str(plan.peers), str(plan.changes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        try:
            if process.stdout is None or not process.stdout.readline():
                raise RuntimeError("the writer of the book did not begin")
            yield
        finally:
            process.kill()


def write(path: Path, peers: int, changes: int) -> None:
    """Make a book, say so, and commit for ever."""
    book = _made(path, peers)
    print("made", flush=True)
    while True:
        _commit(book, changes, _COMMITS)


EXAMPLES = "Example: python -m bench book --peers 100 -o json"


@reports_errors
def book(
    peers: Annotated[int, typer.Option(min=0, max=MAX_PEERS, help="Links in the book.")] = 34,
    changes: Annotated[int, typer.Option(min=1, max=MOST_CHANGES, help="Numbers that a commit changes.")] = 18,
    count: Annotated[int, typer.Option(min=1, help="Readings of each kind: at rest, and beside a writer.")] = 5_000,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """What a commit of a worker's book costs, and a reading of it, at rest and beside a writer at full speed."""
    plan = Plan(peers, changes, count)
    with bar(total=2 * count) as progress:
        result = measure(plan, progress)
    finish("book", result, output, results)


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))

"""`caxton demo`: words."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

import caxton
from caxton.cli.options import RuntimeDirOption, resolve_runtime_dir
from caxton.cli.output import Format, Output, print_json, print_table, print_text, reports_errors
from caxton.client.own_runtime import own_runtime
from caxton.demo.cast import COUNTER_WASM, MOST_COUNTERS
from caxton.demo.words import Advance, Plan, WordCount, count_words
from caxton.errors import ConfigurationError
from caxton.placement.slot_table import MAX_WORKERS
from caxton.printable import printable
from caxton.store.directory_lock import holder

app = typer.Typer(
    name="demo",
    help="See agents at work.",
    epilog="Examples: caxton demo words README.md; caxton demo words --help",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

MAX_TOP = 10_000
_LONGEST_SHOWN = 60


@app.callback()
def demo() -> None:
    """See agents at work."""


@app.command(
    epilog="Examples: caxton demo words README.md docs/*.md; caxton demo words book.txt --workers 2 --top 50 -o json"
)
@reports_errors
def words(
    files: Annotated[
        list[Path],
        typer.Argument(help="Files of any bytes.", exists=True, dir_okay=False, readable=True, show_default=False),
    ],
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_WORKERS, help="Workers of the demo's own runtime. Otherwise one for each core."),
    ] = None,
    counters: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_COUNTERS, help="Counter agents. Otherwise one for each 24 KiB of text, at least 64."
        ),
    ] = None,
    counter_wasm: Annotated[
        Path, typer.Option(help="The counters' module.", exists=True, dir_okay=False, readable=True, show_default=False)
    ] = COUNTER_WASM,
    top: Annotated[int, typer.Option(min=0, max=MAX_TOP, help="How many of the most frequent words to show.")] = 20,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Count the words of files in sandboxed agents that talk to each other across workers.

    Uses the runtime that serves in the runtime directory, or starts one of its own and stops it at the end. A word is a
    run of bytes other than space, tab, newline, carriage return, vertical tab and form feed.
    """
    plan = Plan(files, top, counters, counter_wasm)
    directory = resolve_runtime_dir(runtime_dir)
    if holder(directory) is not None:
        found = _count(directory, plan, workers)
    else:
        with own_runtime(workers) as own:
            found = _count(own, plan, None)
    if output is Format.JSON:
        print_json(found.values())
    else:
        _show(found)


def _count(runtime_dir: Path, plan: Plan, workers: int | None) -> WordCount:
    async def connected(advance: Advance) -> WordCount:
        async with caxton.connect(runtime_dir, reconnect=False) as client:
            if workers is not None and workers != (serving := len((await client.health())["workers"])):
                raise ConfigurationError(
                    "--workers",
                    f"the runtime in {runtime_dir} has {serving}, not {workers}",
                    "leave it out, or stop that runtime and let the demo start one of its own",
                )
            return await count_words(client, plan, advance)

    with _progress(plan) as advance:
        return asyncio.run(connected(advance))


@contextmanager
def _progress(plan: Plan) -> Iterator[Advance]:
    """Show on standard error how many bytes were sent, if that is a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("sent", total=sum(path.stat().st_size for path in plan.files))
        yield lambda size: progress.advance(task, size)


def _show(found: WordCount) -> None:
    rows = [
        (f"{place}.", printable(word.decode(errors="backslashreplace"), _LONGEST_SHOWN), f"{times:,}")
        for place, (word, times) in enumerate(found.top, 1)
    ]
    print_table(f"the {len(rows)} most frequent words", ["", "word", "times"], rows)
    crossed = found.across_workers / max(1, found.total_words)
    rate = found.messages_delivered / max(found.seconds, 1e-9)
    print_text(
        f"{found.total_words:,} words, {found.distinct_words:,} of them different, from {found.lines:,} lines and "
        f"{found.files:,} files"
    )
    print_text(
        f"{found.messages_delivered:,} messages delivered to sandboxed agents on {found.workers} workers in "
        f"{found.seconds:.1f} s: {rate:,.0f} messages per second"
    )
    print_text(
        f"{found.across_workers:,} messages went from one worker to another ({crossed:.0%} of the words), "
        f"{found.lost} were lost; workers restarted meanwhile: {found.restarted}"
    )

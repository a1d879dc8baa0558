"""`caxton demo`: words, market."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

import caxton
from caxton.cli.demo_text import show_market, show_words
from caxton.cli.options import RuntimeDirOption, resolve_runtime_dir
from caxton.cli.output import FAILED, Format, Output, print_json, reports_errors
from caxton.cli.progress import bytes_sent, rows_done
from caxton.client.client import Client
from caxton.client.interactions.contract_net import DEADLINE_S
from caxton.client.own_runtime import own_runtime
from caxton.demo.cast import COUNTER_WASM, MOST_COUNTERS
from caxton.demo.freight import jobs_of
from caxton.demo.market import AT_ONCE, MarketReport, trade
from caxton.demo.words import Plan, WordCount, count_words
from caxton.errors import ConfigurationError
from caxton.placement.slot_table import MAX_WORKERS
from caxton.store.directory_lock import holder

T = TypeVar("T")

app = typer.Typer(
    name="demo",
    help="See agents at work.",
    epilog="Examples: caxton demo words README.md; caxton demo market freight.csv; caxton demo words --help",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

MAX_TOP = 10_000
MOST_AT_ONCE = 1_000


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

    async def use(client: Client) -> WordCount:
        with bytes_sent(sum(path.stat().st_size for path in files)) as advance:
            return await count_words(client, plan, advance)

    found = _on_runtime(resolve_runtime_dir(runtime_dir), workers, use)
    if output is Format.JSON:
        print_json(found.values())
    else:
        show_words(found)


@app.command(
    epilog="Examples: caxton demo market tests/data/freight.csv; caxton demo market jobs.csv --workers 2 -o json"
)
@reports_errors
def market(
    file: Annotated[
        Path,
        typer.Argument(
            help="A table (CSV) of jobs with the columns km and kg.",
            exists=True,
            dir_okay=False,
            readable=True,
            show_default=False,
        ),
    ],
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_WORKERS, help="Workers of the demo's own runtime. Otherwise one for each core."),
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, max=MOST_AT_ONCE, help="Negotiations at a time.")] = AT_ONCE,
    deadline: Annotated[float, typer.Option(min=0.001, help="Seconds in which carriers may propose.")] = DEADLINE_S,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Have carriers bid for every row of a table of freight: a contract net each, over the durable lane.

    Some carriers are sandboxes, some are Python. Who wins at what price is held to a computation without agents, and
    what the carriers' own books say to what was awarded; exit code 1 when something differs. Uses the runtime that
    serves in the runtime directory, or starts one of its own and stops it at the end.
    """

    async def use(client: Client) -> MarketReport:
        with rows_done(sum(1 for _ in jobs_of(file))) as advance:
            return await trade(client, file, advance, at_once=at_once, deadline_s=deadline)

    report = _on_runtime(resolve_runtime_dir(runtime_dir), workers, use)
    if output is Format.JSON:
        print_json(report.values())
    else:
        show_market(report)
    if report.agrees < report.rows or report.lost:
        raise typer.Exit(FAILED)


def _on_runtime(runtime_dir: Path, workers: int | None, use: Callable[[Client], Awaitable[T]]) -> T:
    """Let `use` work with a client of the runtime there, or of one of this demo's own where there is none."""
    if holder(runtime_dir) is None:
        with own_runtime(workers) as own:
            return _on_runtime(own, None, use)

    async def connected() -> T:
        async with caxton.connect(runtime_dir, reconnect=False) as client:
            if workers is not None and workers != (serving := len((await client.health()).workers)):
                raise ConfigurationError(
                    "--workers",
                    f"the runtime in {runtime_dir} has {serving}, not {workers}",
                    "leave it out, or stop that runtime and let the demo start one of its own",
                )
            return await use(client)

    return asyncio.run(connected())

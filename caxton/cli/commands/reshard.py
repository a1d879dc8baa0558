"""`caxton reshard`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from caxton.cli.options import resolve_data_dir
from caxton.cli.output import Format, Output, print_json, print_text, reports_errors
from caxton.placement.slot_table import MAX_WORKERS
from caxton.printable import counted
from caxton.store.reshard.copying import Progress as Tell
from caxton.supervisor.premises.reshard import Resharded, forget
from caxton.supervisor.premises.reshard import reshard as change

EXAMPLES = (
    "Examples: caxton reshard --workers 4; caxton stop && caxton reshard --workers 4 && caxton serve; "
    "caxton reshard --workers 2 --data-dir ./data -o json; caxton reshard --forget"
)


@reports_errors
def reshard(
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_WORKERS, help="How many it is to have, one shard each.", show_default=False),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Where shards keep their files. Otherwise CAXTON_DATA_DIR or ~/.local/share/caxton."),
    ] = None,
    *,
    forget_old: Annotated[
        bool, typer.Option("--forget", help="Remove the files that an earlier change has kept as they were before.")
    ] = False,
    output: Output = Format.TEXT,
) -> None:
    """Give the data directory of a stopped runtime another number of workers; nothing in it is lost.

    Agents, their states, messages, dead letters and the ledger are copied into new files, which are compared with the
    old ones. These are kept until --forget. A run that was ended in its midst is repeated.
    """
    if forget_old == (workers is not None):
        raise typer.BadParameter("say how many --workers, or --forget")
    where = resolve_data_dir(data_dir)
    if workers is None:
        gone = forget(where)
        if output is Format.JSON:
            print_json({"forgotten": gone})
        else:
            print_text(f"removed {', '.join(gone)}" if gone else "nothing of before is kept")
        return
    with _progress(output) as tell:
        found = change(where, workers, tell)
    if output is Format.JSON:
        print_json(msgspec.to_builtins(found))
    else:
        _show(found)


def _show(found: Resharded) -> None:
    print_text(f"{counted(found.shards_before, 'shards')} became {found.shards}")
    if found.copied is not None:
        counts = msgspec.to_builtins(found.copied)
        print_text(", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items()))
    if found.durable is not None:
        print_text(f"the ledger balances: {found.durable.accepted} durable messages, ever")
    for path in found.earlier:
        print_text(f"as an earlier release had it: {path}")
    print_text(f"the old files are in {found.kept}; `caxton reshard --forget` removes them")


@contextmanager
def _progress(output: Format) -> Iterator[Tell]:
    """Show on standard error how far it is, if people look at it."""
    console = Console(stderr=True)
    columns = TextColumn("copying"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    hidden = output is Format.JSON or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)

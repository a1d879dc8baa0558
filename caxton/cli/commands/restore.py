"""`caxton restore`."""

import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from caxton.cli.commands.backup import values
from caxton.cli.output import FAILED, Format, Output, print_hint, print_json, print_text, reports_errors
from caxton.cli.progress import bytes_done
from caxton.config.settings import data_directory
from caxton.printable import counted
from caxton.store.backup.manifest import read_manifest
from caxton.supervisor.premises.backups import Restored
from caxton.supervisor.premises.backups import restore as make

EXAMPLES = (
    "Examples: caxton restore ./backup-1 --data-dir ./restored && caxton serve --data-dir ./restored; "
    "caxton restore ./backup-1 --data-dir ./restored -o json"
)


@reports_errors
def restore(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the backup is.")],
    data_dir: Annotated[
        Path | None,
        typer.Option(help="A new or an empty directory. Otherwise CAXTON_DATA_DIR or ~/.local/share/caxton."),
    ] = None,
    output: Output = Format.TEXT,
) -> None:
    """Make a new data directory from a backup, which is looked through before it can be served.

    Every file is compared with the manifest, every row is read, and the books have to balance. Other runtimes may go on
    meanwhile, also the one that was backed up. The backup stays as it is.
    """
    where = data_directory(data_dir, os.environ)
    found: Restored | None = None
    try:
        with bytes_done("restored", read_manifest(directory).size, hidden=output is Format.JSON) as tell:
            found = make(directory, where, tell)
    except KeyboardInterrupt:
        if found is None:  # else it was done by then, and is told
            print_hint(f"interrupted: nothing was restored into {where}")
            raise typer.Exit(FAILED) from None
    if output is Format.JSON:
        told = {"data_dir": found.data_dir, **values(found.backup), "durable": msgspec.to_builtins(found.durable)}
        print_json(told)
    else:
        print_text(f"{where}: {counted(found.backup.shards, 'shards')}, {found.backup.size:,} bytes")
        print_text(
            f"the ledger balances: {counted(found.durable.accepted, 'durable messages')}, ever; "
            f"{counted(found.durable.pending, 'messages that wait')}"
        )
        print_text(f"serve it with `caxton serve --data-dir {where}`")

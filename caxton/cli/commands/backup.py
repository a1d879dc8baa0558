"""`caxton backup` and `caxton backup verify`."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from typer.core import TyperGroup

import caxton
from caxton.cli.options import RuntimeDirOption, resolve_runtime_dir
from caxton.cli.output import FAILED, Format, Output, print_hint, print_json, print_text, reports_errors
from caxton.cli.progress import bytes_done, bytes_of
from caxton.printable import counted
from caxton.store.backup.manifest import Backup, read_manifest
from caxton.store.ledger import Figures
from caxton.supervisor.premises.backups import verify as look_through

EXAMPLES = (
    "Examples: caxton backup ./backup-1; caxton backup verify ./backup-1; caxton backup ./backup-2 -o json; "
    "caxton restore ./backup-1 --data-dir ./restored"
)
EXAMPLES_OF_TAKE = "Examples: caxton backup take ./backup-1; caxton backup ./backup-2 -o json"
EXAMPLES_OF_VERIFY = "Examples: caxton backup verify ./backup-1; caxton backup verify ./backup-1 -o json"
_TAKE, _VERIFY = "take", "verify"


class _Backups(TyperGroup):
    """A first word that is no command is the directory that a backup is taken into."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {_TAKE, _VERIFY, "--help"}:
            args = [_TAKE, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_Backups,
    help="Copy everything that a runtime keeps into a directory, while it goes on.\n\n`caxton backup DIR` is short for "
    "`caxton backup take DIR`.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command(_TAKE, epilog=EXAMPLES_OF_TAKE)
@reports_errors
def take(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where it is to be: a new or an empty directory.")],
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Back up everything, of one moment, while the runtime goes on: what was acknowledged before is in it.

    The directory is on the runtime's machine, and holds its keys: keep it as safe as the data directory. Its manifest
    is written last, so one without a manifest is no backup. Of one that fails nothing is left.
    """
    if directory.name in {_TAKE, _VERIFY} and directory == Path(directory.name):
        raise typer.BadParameter(f"for a directory of this name say ./{directory.name}")

    taken: list[Backup] = []

    async def use() -> None:
        async with caxton.connect(resolve_runtime_dir(runtime_dir), reconnect=False) as client:
            with bytes_of("copied", hidden=output is Format.JSON) as tell:
                taken.append(await client.backup(directory, progress=tell))

    try:
        asyncio.run(use())
    except KeyboardInterrupt:
        if not taken:  # by then it was whole: it is told
            print_hint(f"interrupted: no backup was taken into {directory}")
            raise typer.Exit(FAILED) from None
    (backup,) = taken
    if output is Format.JSON:
        print_json(_values(directory, backup))
    else:
        print_text(
            f"{directory}: {counted(backup.shards, 'shards')}, {counted(len(backup.files), 'files')}, "
            f"{backup.size:,} bytes; the shards stood still for {backup.held_ms} ms"
        )


@app.command(_VERIFY, epilog=EXAMPLES_OF_VERIFY)
@reports_errors
def verify(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the backup is.")],
    output: Output = Format.TEXT,
) -> None:
    """Look through a backup: its files are what its manifest says, its rows what was written, and its books balance.

    Nothing is written, and no runtime is asked. Exits with 1 for anything that is not so, and names it.
    """
    with bytes_done("compared", read_manifest(directory).size, hidden=output is Format.JSON) as tell:
        backup, durable = look_through(directory, tell)
    if output is Format.JSON:
        print_json(_values(directory, backup, durable))
    else:
        print_text(
            f"{directory}: {counted(backup.shards, 'shards')}, {counted(len(backup.files), 'files')}, as written"
        )
        print_text(
            f"the ledger balances: {counted(durable.accepted, 'durable messages')}, ever; "
            f"{counted(durable.pending, 'messages that wait')}"
        )


def values(backup: Backup) -> dict[str, Any]:
    """Return what a backup is as `-o json` prints it: its files are in its manifest."""
    told: dict[str, Any] = msgspec.to_builtins(backup)
    return told | {"files": len(backup.files), "bytes": backup.size}


def _values(directory: Path, backup: Backup, durable: Figures | None = None) -> dict[str, Any]:
    told = {"directory": str(directory), **values(backup)}
    return told if durable is None else told | {"durable": msgspec.to_builtins(durable)}

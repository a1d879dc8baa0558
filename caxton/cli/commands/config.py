"""`caxton config`: what `caxton serve` is told, and by whom; and whether a file is as it should be."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from caxton.cli.effective import effective as settings_of
from caxton.cli.layers import ServeConfig, ServeFlags, ServePreset, serve_context
from caxton.cli.output import FAILED, Format, Output, print_json, print_lines, print_table, print_text, reports_errors
from caxton.config.file import read_config
from caxton.config.keys import BY_PATH
from caxton.config.setting import Setting
from caxton.printable import counted, printable

app = typer.Typer(
    name="config",
    help="What `caxton serve` is told by flags, the environment, a file and a preset.",
    epilog="Examples: caxton config show --effective; caxton config show --config caxton.yaml -- --workers 2; "
    "caxton config validate caxton.yaml",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


_PRINTED = ("key", "value", "source", "place", "sets")


@app.command(
    epilog="Examples: caxton config show; caxton config show --effective -o json; "
    "caxton config show --preset production --config caxton.yaml -- --workers 2 --retention 36h"
)
@reports_errors
def show(
    flags: ServeFlags = None,
    config: ServeConfig = None,
    preset: ServePreset = None,
    *,
    effective: Annotated[bool, typer.Option("--effective", help="Also what has its default.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Show what `caxton serve` would have here, and whence.

    Without --effective those that somebody has set.
    """
    ctx = serve_context(config, preset, flags)
    rows = [row for row in settings_of(ctx) if row.source != "default" or effective]
    if output is Format.JSON:
        print_json([{name: getattr(row, name) for name in _PRINTED} for row in rows])
        return
    if not rows:
        print_text("nothing is set: every setting has its default; see `caxton config show --effective`")
        return
    table = [(row.key, _text(row), row.source if row.place is None else f"{row.source} {row.place}") for row in rows]
    print_table(f"{counted(len(rows), 'settings')}", ("key", "value", "from"), table)
    print_lines(f"{row.key}: {row.sets}" for row in rows if row.sets)


@app.command(
    epilog="Examples: caxton config validate caxton.yaml; caxton config validate /etc/caxton/config.yaml -o json"
)
@reports_errors
def validate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file of YAML.", show_default=False)],
    output: Output = Format.TEXT,
) -> None:
    """Say all that is wrong with a file, and where.

    Exit code 1 for a file with mistakes.
    """
    found = read_config(file)
    if output is Format.JSON:
        mistakes = [asdict(mistake) for mistake in found.mistakes]
        valid = not found.mistakes
        print_json(
            {"file": str(file), "valid": valid, "settings": len(found.values), "mistakes": mistakes, "more": found.more}
        )
    elif found.mistakes:
        print_lines(printable(f"{file}:{mistake}") for mistake in found.mistakes)
        if found.more:
            print_text(f"and {found.more:,} more")
    else:
        print_text(f"{file}: {counted(len(found.values), 'settings')}, nothing is wrong")
    if found.mistakes:
        raise typer.Exit(FAILED)


def _text(row: Setting) -> str:
    value = row.value
    if value is None:
        return BY_PATH[row.key].unset
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)

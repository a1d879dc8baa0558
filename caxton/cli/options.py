"""Options that several commands have."""

import os
from pathlib import Path
from typing import Annotated

import typer

from caxton.config.settings import runtime_directory

RuntimeDirOption = Annotated[
    Path | None,
    typer.Option(
        "--runtime-dir",
        help="Where its sockets are. Otherwise CAXTON_RUNTIME_DIR, $XDG_RUNTIME_DIR/caxton or /tmp/caxton-UID.",
        show_default=False,
    ),
]


def resolve_runtime_dir(option: Path | None) -> Path:
    """Return the runtime directory that this process means."""
    return runtime_directory(option, os.environ, os.getuid())

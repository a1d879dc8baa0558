"""Options that several commands have."""

import os
from pathlib import Path
from typing import Annotated

import typer

from caxton.cli.elsewhere import check_here
from caxton.config.settings import data_directory, runtime_directory

RuntimeDirOption = Annotated[
    Path | None,
    typer.Option(
        "--runtime-dir",
        help="Where its sockets are. Otherwise CAXTON_RUNTIME_DIR, the file of CAXTON_CONFIG_PATH, "
        "$XDG_RUNTIME_DIR/caxton or /tmp/caxton-UID.",
        show_default=False,
    ),
]


def resolve_runtime_dir(option: Path | None) -> Path:
    """Return the runtime directory that this process means.

    Raises ConfigurationError for a file that it needs, and Unsupported where a gateway of another machine is meant.
    """
    check_here(option)
    if option is None and not os.environ.get("CAXTON_RUNTIME_DIR"):
        option = _configured("runtime_dir")
    return runtime_directory(option, os.environ, os.getuid())


def resolve_data_dir(option: Path | None) -> Path:
    """Return the data directory that this process means. Raises ConfigurationError, Unsupported."""
    check_here(option)
    if option is None and not os.environ.get("CAXTON_DATA_DIR"):
        option = _configured("data_dir")
    return data_directory(option, os.environ)


def _configured(name: str) -> Path | None:
    """Return what the file of CAXTON_CONFIG_PATH says, so that all commands mean the runtime that serves by it."""
    if not (path := os.environ.get("CAXTON_CONFIG_PATH")):
        return None
    from caxton.config.file import read_config  # noqa: PLC0415 (who has no file does not load what reads it)

    file = read_config(Path(path))
    file.check()
    return Path(file.values[name]) if name in file.values else None

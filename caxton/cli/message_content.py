"""What a command line has a message say: text, a file, or standard input."""

import os
import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from caxton.acl.envelope import MAX_CONTENT
from caxton.errors import ConfigurationError, MessageTooLarge

ContentArgument = Annotated[
    str | None,
    typer.Argument(metavar="CONTENT", help="What to say; - is read from standard input.", show_default=False),
]
FileOption = Annotated[
    Path | None,
    typer.Option("--file", help="Say what is in this file.", exists=True, dir_okay=False, readable=True),
]


def content_of(content: str | None, file: Path | None) -> bytes:
    """Return the bytes to send; raises BadParameter unless there is exactly one source of them."""
    if (content is None) == (file is None):
        raise typer.BadParameter("give the content, or - for standard input, or --file, and one of them only")
    if file is not None:
        with file.open("rb") as opened:
            return _read(opened, str(file))
    return _read(sys.stdin.buffer, "standard input") if content == "-" else os.fsencode(content or "")


def _read(source: BinaryIO, name: str) -> bytes:
    """Return what a source says; raises ConfigurationError when it cannot be read, MessageTooLarge."""
    try:
        said = source.read(MAX_CONTENT + 1)
    except OSError as error:
        raise ConfigurationError(name, error.strerror or str(error), "give what to say in another way") from None
    if len(said) > MAX_CONTENT:
        raise MessageTooLarge.of(len(said), MAX_CONTENT, f"{name}, as far as it was read")
    return said

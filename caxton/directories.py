"""Directories that are one user's alone, whatever the umask says, and themselves: no link is followed to them."""

import os
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from caxton.errors import ConfigurationError

_OTHERS = 0o077


def make_directory(path: Path) -> None:
    """Make a directory unless it is there, and what is missing above it, each for its owner alone. Raises OSError."""
    for directory in reversed(missing_directories(path)):
        with suppress(FileExistsError):
            directory.mkdir(mode=0o700)


def missing_directories(path: Path) -> list[Path]:
    """Return what is to be made so that a directory is there: itself, and what is missing above it. Raises OSError."""
    missing: list[Path] = []
    while not path.exists() and (not missing or path != missing[-1]):
        missing.append(path)
        path = path.parent
    return missing


def remove_directories(made: Sequence[Path]) -> None:
    """Remove directories that were missing, up to one that is not empty, or not there."""
    with suppress(OSError):
        for directory in made:
            directory.rmdir()


def remove_left(path: Path) -> None:
    """Remove what somebody who has ended left under a name, whatever it is: a directory with all that is in it.

    Raises OSError.
    """
    try:
        path.unlink(missing_ok=True)
    except IsADirectoryError:
        shutil.rmtree(path)


def own_directory(path: Path) -> None:
    """Make a directory or take one that is there. Raises OSError.

    ConfigurationError for what is no directory, a link to one included, and for one that others own or may enter.
    """
    make_directory(path)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        what = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "no directory"
        raise ConfigurationError(str(path), what, "name the directory itself")
    if found.st_uid != os.geteuid():
        raise ConfigurationError(str(path), f"owned by user {found.st_uid}", "choose a directory of your own")
    mode = stat.S_IMODE(found.st_mode)
    if mode & _OTHERS:
        raise ConfigurationError(str(path), f"others may enter it (mode {mode:o})", f"run chmod 700 {path}")


def sync_directory(directory: Path) -> None:
    """Make the names in a directory safe from a power cut. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

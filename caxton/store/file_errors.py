"""What the system says of files, in the words of `caxton.errors`."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from caxton.errors import CaxtonError, StorageError, StorageFull

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
# What to do about a full disk where nobody goes on by himself.
TRY_AGAIN = "make room on its disk, and try again"
T = TypeVar("T")


def acting_on(path: Path, act: Callable[[], T]) -> T:
    """Do something with files, with `path` unless the system names another, and return what it returns.

    Raises StorageError for what the system says against it: StorageFull when there is no room. A name that no file can
    have, with a NUL in it for example, is one of these too.
    """
    try:
        return act()
    except CaxtonError:  # some of them are Python's own errors too
        raise
    except (OSError, ValueError) as error:
        told = refused(path, error)
        raise (told.suggesting(TRY_AGAIN) if isinstance(told, StorageFull) else told) from None


def refused(path: Path, error: OSError | ValueError, problem: str = "") -> StorageError:
    """Return the error that this one means, of the file that it names or else of `path`. problem: what did not go."""
    named, told = str(path), str(error)
    if isinstance(error, OSError):
        if isinstance(error.filename, str | bytes):  # it may be a descriptor
            named = os.fsdecode(error.filename)
        told = error.strerror or told
    kind = StorageFull if getattr(error, "errno", 0) in NO_ROOM else StorageError
    return kind(named, f"{problem}: {told}" if problem else told)

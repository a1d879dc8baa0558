"""What the system says of files, in the words of `caxton.errors`."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from caxton.errors import StorageError, StorageFull

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
T = TypeVar("T")


def acting_on(path: Path, act: Callable[[], T]) -> T:
    """Do something with files, by default with `path`, and return what it returns.

    Raises StorageError for what the system says against it: StorageFull when there is no room. A name that no file can
    have, with a NUL in it for example, is one of these too.
    """
    try:
        return act()
    except (OSError, ValueError) as error:
        raise refused(path, error) from None


def refused(path: Path, error: OSError | ValueError, problem: str = "") -> StorageError:
    """Return the error that this one means, of the file that it names or else of `path`. problem: what did not go."""
    told = str(error)
    if isinstance(error, OSError):
        path, told = Path(error.filename or path), error.strerror or told
    kind = StorageFull if getattr(error, "errno", 0) in NO_ROOM else StorageError
    return kind(str(path), f"{problem}: {told}" if problem else told)

"""Opens files that others could have put there: whatever it is, opening and reading it never waits."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

# What the opening of a symbolic link ends with, and that of a socket.
_NOT_REGULAR = {errno.ELOOP, errno.ENXIO}


class NotRegularFileError(OSError):
    """What is there is a FIFO, a directory, a link, a device or a socket."""


@contextlib.contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open a regular file to be read, for the block. Raises NotRegularFileError for anything else, and OSError."""
    # Without O_NONBLOCK the opening of a FIFO waits for somebody who writes into it.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise (_not_regular(path) if error.errno in _NOT_REGULAR else error) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _not_regular(path)
        yield descriptor
    finally:
        os.close(descriptor)


def _not_regular(path: Path) -> NotRegularFileError:
    return NotRegularFileError(errno.EINVAL, "not a regular file", str(path))

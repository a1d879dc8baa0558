"""The three standard streams of a command, whatever it was started with: closed, full, or read by nobody."""

import errno
import io
import os
import select
import sys
from typing import IO, Any

STDIN, STDOUT, STDERR = 0, 1, 2
_ENCODING = "utf-8"


class OutputFailed(Exception):
    """Standard output took no more; `quiet` when its reader has gone, as that of `caxton agent list | head -1` has."""

    def __init__(self, cause: OSError) -> None:
        self.quiet = cause.errno == errno.EPIPE
        super().__init__(cause.strerror or str(cause))


def prepare() -> None:
    """Have the standard streams as a command can use them; once, before anything else is opened.

    Those that are closed are nobody's from then on: else the next file or socket would get their numbers, and what is
    meant for people would go into it. Standard output raises OutputFailed, and only once; standard error never fails.
    """
    for descriptor in (STDIN, STDOUT, STDERR):
        _fill(descriptor)
    if sys.stdin is None:
        sys.stdin = open(STDIN, encoding=_ENCODING, closefd=False)  # noqa: SIM115 (open as long as the process)
    sys.stdout = _guarded(STDOUT, sys.stdout, told=True)
    sys.stderr = _guarded(STDERR, sys.stderr, told=False)


class _Guarded(io.FileIO):
    """A descriptor whose first error is raised as OutputFailed if it is `told`; after it what is written is lost."""

    def __init__(self, descriptor: int, *, told: bool) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._told = told

    def write(self, data: Any, /) -> int:
        """Write as much as there is room for; waits for room also where the descriptor is a non-blocking one."""
        try:
            while (written := super().write(data)) is None:
                select.select([], [self], [])
        except OSError as error:
            if self._told:
                self._told = False
                raise OutputFailed(error) from None
            return memoryview(data).nbytes
        return written


def _guarded(descriptor: int, old: Any, *, told: bool) -> io.TextIOWrapper:
    """Return a text stream that writes what its encoding has no characters for as escapes."""
    encoding = old.encoding if isinstance(old, io.TextIOWrapper) else _ENCODING
    raw: IO[bytes] = io.BufferedWriter(_Guarded(descriptor, told=told))
    return io.TextIOWrapper(raw, encoding, "backslashreplace", line_buffering=os.isatty(descriptor) or not told)


def _fill(descriptor: int) -> None:
    """Open a closed descriptor: standard input so that reading fails, the others so that what is written is lost."""
    try:
        os.fstat(descriptor)
    except OSError:
        opened = os.open(os.devnull, os.O_WRONLY)
        if opened != descriptor:
            os.dup2(opened, descriptor)
            os.close(opened)
        os.set_inheritable(descriptor, True)  # children have standard streams too

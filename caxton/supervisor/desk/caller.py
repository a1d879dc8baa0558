"""Who calls at the desk."""

from typing import NamedTuple


class Caller(NamedTuple):
    """A connection, and the process at its other end, as the kernel names it: a program has one, whatever it opens."""

    line: int
    process: int

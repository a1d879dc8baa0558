"""Children that the supervisor did not start: in a container, where it is process 1, it inherits what others left."""

import ctypes
import os
from collections.abc import Callable
from collections.abc import Set as AbstractSet

_PR_GET_CHILD_SUBREAPER = 37
# In one go, so that a flood of them does not hold the loop.
_AT_ONCE = 256


def inherits_orphans() -> bool:
    """True for process 1, and for one that asked to be given orphans (PR_SET_CHILD_SUBREAPER)."""
    asked = ctypes.c_int(0)
    ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(asked), 0, 0, 0)
    return os.getpid() == 1 or bool(asked.value)


class Orphans:
    """Reaps inherited processes that have ended, and never one of `own`, whose exit code somebody waits for.

    Does nothing in a process that inherits none: every child of such a one is waited for by whoever started it.
    """

    def __init__(self, own: Callable[[], AbstractSet[int]]) -> None:
        self._own = own
        self._inherits = inherits_orphans()
        # Processes that were reaped.
        self.reaped = 0

    def reap(self) -> None:
        """Reap those that have ended. One of our own that has ended too goes first: the rest follows the next time."""
        if not self._inherits:
            return
        own = self._own()
        for _ in range(_AT_ONCE):
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None or ended.si_pid in own:
                return
            os.waitpid(ended.si_pid, os.WNOHANG)
            self.reaped += 1

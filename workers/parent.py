"""A child that does not outlive the process that started it."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int | None = None) -> None:
    """Have the kernel kill this process when its parent's thread ends; raises OSError when it will not.

    `parent_pid`: who should be the parent; a process that has lost it already ends here, with exit code 1.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    if parent_pid is not None and os.getppid() != parent_pid:
        raise SystemExit(1)

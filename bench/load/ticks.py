"""Ticks closer together than an event loop's own timers, which wait for whole milliseconds (uvloop's and asyncio's).

A timer of the kernel (timerfd) makes a descriptor readable, so between two ticks the process sleeps and its core is
free: nothing here waits in a loop of its own.
"""

import asyncio
import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_CLOCK_MONOTONIC = 1
_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_COUNTER_BYTES = 8
_NS_PER_S = 1_000_000_000
# CPython 3.11 has no call for it.
_libc = ctypes.CDLL(None, use_errno=True)


class _Setting(ctypes.Structure):
    """itimerspec: two timespecs, the period and the first expiry."""

    _fields_ = (
        ("period_s", ctypes.c_long),
        ("period_ns", ctypes.c_long),
        ("first_s", ctypes.c_long),
        ("first_ns", ctypes.c_long),
    )


@contextmanager
def ticking(period_s: float, tick: Callable[[], None]) -> Iterator[None]:
    """Call `tick` in the running event loop every `period_s` while the block runs.

    The loop's clock is not asked: the kernel's timer is precise to some 10 µs where the core is free. A loop that is
    busy for several periods is called once afterwards, so `tick` must look at the time itself. Raises OSError where
    the kernel gives no timer.
    """
    loop = asyncio.get_running_loop()
    descriptor = _open_timer(period_s)

    def expired() -> None:
        with suppress(BlockingIOError):
            os.read(descriptor, _COUNTER_BYTES)
        tick()

    try:
        loop.add_reader(descriptor, expired)
        yield
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _open_timer(period_s: float) -> int:
    """Return the descriptor of a timer that expires for the first time after one period."""
    descriptor: int = _libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK_CLOEXEC)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "timerfd_create")
    whole_s, ns = divmod(round(period_s * _NS_PER_S), _NS_PER_S)
    setting = _Setting(whole_s, ns, whole_s, ns)
    if _libc.timerfd_settime(descriptor, 0, ctypes.byref(setting), None) < 0:
        os.close(descriptor)
        raise OSError(ctypes.get_errno(), "timerfd_settime")
    return descriptor

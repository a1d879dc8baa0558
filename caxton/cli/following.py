"""What a command shows as it comes, until it is told to end: Ctrl-C, SIGTERM, or a reader that has gone."""

import asyncio
import errno
import os
import select
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from caxton.cli.streams import STDOUT, OutputFailed

T = TypeVar("T")

# How often we look whether anybody reads what we write; while nothing is written, nothing else tells.
LOOK_S = 0.5


async def show_until_told(found: AsyncIterator[T], show: Callable[[T], Awaitable[None]]) -> None:
    """Show one after the other; return at the end, or when Ctrl-C or SIGTERM come.

    Raises OutputFailed when the reader of standard output has gone, also while there is nothing to show.
    """
    ending = _Ending()
    try:
        async for one in found:
            await show(one)
    except asyncio.CancelledError:
        if not ending.is_asked:
            raise
    finally:
        ending.close()
        if isinstance(found, AsyncGenerator):
            with suppress(asyncio.CancelledError):
                await found.aclose()
    if ending.is_unread:
        raise OutputFailed(OSError(errno.EPIPE, os.strerror(errno.EPIPE)))


class _Ending:
    """Cancels the task that made it when it is to end."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._poll = select.poll()
        self._poll.register(STDOUT, 0)  # errors are told whatever one asks for
        self._timer = self._loop.call_later(LOOK_S, self._look)
        self.is_asked = self.is_unread = False
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._end)

    def close(self) -> None:
        """Let signals do what they did before."""
        self._timer.cancel()
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.remove_signal_handler(number)

    def _end(self) -> None:
        if not self.is_asked and self._task is not None:
            self.is_asked = True
            self._task.cancel()

    def _look(self) -> None:
        if any(state & (select.POLLERR | select.POLLHUP) for _, state in self._poll.poll(0)):
            self.is_unread = True
            self._end()
        else:
            self._timer = self._loop.call_later(LOOK_S, self._look)

"""The handler of an attached agent: called in threads, unless it is a coroutine function."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, TypeAlias

from caxton.client.attached.turns import Delivered, Said

EachHandler: TypeAlias = Callable[[Delivered], Said | Awaitable[Said]]
BatchHandler: TypeAlias = Callable[[list[Delivered]], Sequence[Said] | Awaitable[Sequence[Said] | None] | None]
ValueHandler: TypeAlias = Callable[[Delivered], object]
ValuesHandler: TypeAlias = Callable[[list[Delivered]], Sequence[object] | Awaitable[Sequence[object] | None] | None]


class Called:
    """Calls a handler, up to `concurrency` calls at the same time, each in a thread that is free.

    A call that runs cannot be cancelled: one that takes longer than it may is nobody's any more.
    """

    def __init__(self, handler: ValueHandler | ValuesHandler, concurrency: int) -> None:
        self._handler: Any = handler
        self._is_plain = not iscoroutinefunction(getattr(handler, "func", handler))
        self._concurrency = concurrency
        self._threads: ThreadPoolExecutor | None = None

    @property
    def handler(self) -> Any:
        """What the client of a loop takes as the handler."""
        return self._in_thread if self._is_plain and callable(self._handler) else self._handler

    def close(self) -> None:
        """Begin no more calls. Closing twice is fine."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, given: object) -> Any:
        if self._threads is None:  # not before: by now the concurrency is known to be one
            self._threads = ThreadPoolExecutor(self._concurrency, "caxton handler")
        work = partial(contextvars.copy_context().run, self._handler, given)
        said = await asyncio.get_running_loop().run_in_executor(self._threads, work)
        return await said if hasattr(said, "__await__") else said

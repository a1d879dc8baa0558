"""An `async with` block that is open between two calls of another thread."""

import asyncio
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Generic, Self, TypeVar

from caxton.sync.loop_thread import LoopThread

T = TypeVar("T")


class Block(Generic[T]):
    """One task of the loop has it open all the time, because what a block began must be ended by the same task."""

    def __init__(self, thread: LoopThread, block: AbstractAsyncContextManager[T]) -> None:
        self._thread, self._block = thread, block
        self._leaving = asyncio.Event()
        self._by_error = False
        self._task: asyncio.Task[None] | None = None

    def enter(self) -> T:
        """Open it; raises what that raises."""
        return self._thread.run(self._enter())

    def leave(self, error: BaseException | None = None) -> None:
        """Close it, as by this error; raises what that raises, unless there is an error already.

        Nothing happens when it is not open.
        """
        self._thread.run(self._leave(error))

    async def _enter(self) -> T:
        loop = asyncio.get_running_loop()
        entered: asyncio.Future[T] = loop.create_future()
        self._task = loop.create_task(self._hold(entered))
        try:
            return await entered
        except asyncio.CancelledError:
            self._task.cancel()
            await asyncio.wait([self._task])
            raise

    async def _hold(self, entered: "asyncio.Future[T]") -> None:
        try:
            async with self._block as value:
                if not entered.done():
                    entered.set_result(value)
                await self._left()
        except _LeftByError:
            pass
        except BaseException as error:
            if entered.done():
                raise
            entered.set_exception(error)

    async def _left(self) -> None:
        await self._leaving.wait()
        if self._by_error:
            raise _LeftByError

    async def _leave(self, error: BaseException | None) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        self._by_error = error is not None
        self._leaving.set()
        if error is None:
            await task
        else:
            await asyncio.gather(task, return_exceptions=True)


class Entered(Generic[T]):
    """What is used inside its `with` block, over something that is used inside an `async with` block."""

    def __init__(self, thread: LoopThread, block: AbstractAsyncContextManager[T]) -> None:
        self._thread = thread
        self._block = Block(thread, block)

    def __enter__(self) -> Self:
        self._block.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._block.leave(error)


class _LeftByError(Exception):
    """The block was left by an error, which stays in the thread that met it."""

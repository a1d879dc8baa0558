"""What is iterated with `for`: each step is a call into the loop, and waits as long as the `async for` would."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Generic, TypeVar

from caxton.sync.loop_thread import LoopThread

T = TypeVar("T")


class _End:
    """Nothing is left."""


_END = _End()


def iterated(thread: LoopThread, some: AsyncIterator[T]) -> Iterator[T]:
    """Yield what an asynchronous iterator yields. One that is left before its end is closed soon."""
    try:
        while True:
            found = thread.run(_next(some))
            if isinstance(found, _End):
                return
            yield found
    finally:
        if isinstance(some, AsyncGenerator):
            thread.later(some.aclose())


class Iterated(Generic[T]):
    """An iterator over an asynchronous one, without an end of its own: several loops may go on where one was left."""

    def __init__(self, thread: LoopThread, some: AsyncIterator[T]) -> None:
        self._thread, self._some = thread, some

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        found = self._thread.run(_next(self._some))
        if isinstance(found, _End):
            raise StopIteration
        return found


async def _next(some: AsyncIterator[T]) -> T | _End:
    return await anext(some, _END)

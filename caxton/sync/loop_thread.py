"""An event loop in a thread of its own, and calls into it from every other thread, which wait for their ends."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar

import uvloop

from caxton.errors import CaxtonError, ConfigurationError, NetworkError

T = TypeVar("T")

# How long the end of a client that nobody closed waits for its loop to end, in seconds.
UNCLOSED_S = 5.0
# A signal that comes as a thread begins to wait is seen only when that wait ends: so none is longer, in seconds.
LOOK_AGAIN_S = 0.5


class LoopThread:
    """Runs from when it is made until `close`. Every thread but its own may call it.

    A call that is interrupted, as by Ctrl-C, is cancelled and awaited, so that it leaves nothing behind; a second
    interruption leaves at once. After `close`, and in a child that was forked, calls raise ConfigurationError.
    """

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self._stop = asyncio.Event()
        # Held while a call is handed over: none comes after the stop.
        self._handing = threading.Lock()
        # Why there are no more calls, and what to do.
        self._over: tuple[str, str] | None = None
        # What nobody waits for: kept until it ends, because the loop itself does not keep its tasks.
        self._soon: set[asyncio.Task[None]] = set()
        # A daemon, or an interpreter that ends would wait for a client that nobody closes any more.
        self._thread = threading.Thread(target=_run, args=(self.loop, self._stop), name="caxton client", daemon=True)
        self._thread.start()

    @property
    def is_this(self) -> bool:
        """True in the thread of the loop."""
        return threading.get_ident() == self._thread.ident

    @property
    def over(self) -> CaxtonError | None:
        """Why it takes no more calls; None while it does."""
        return None if self._over is None else ConfigurationError("client", *self._over)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop, wait for its end and return or raise what it does."""
        call = _Call(coroutine)
        problem = _in_its_own_thread() if self.is_this else self._handed(call.begin)
        if problem is not None:
            coroutine.close()
            raise problem
        return call.result(self.loop)

    def made(self, make: Callable[[], T]) -> T:
        """Call a function in the loop and return or raise what it does."""
        return self.run(_awaited(make))

    def later(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """Run a coroutine in the loop soon; nobody waits for it, and nobody hears its errors."""
        if self._handed(partial(self._begin_in_silence, coroutine)) is not None:
            coroutine.close()

    def close(self, timeout_s: float | None = None) -> None:
        """End the loop and what still runs in it; in its own thread it ends soon. Closing twice is fine."""
        with self._handing:
            if self._over is None:
                self._over = ("it was closed", "connect again")
                self.loop.call_soon_threadsafe(self._stop.set)
        if not self.is_this:
            self._thread.join(timeout_s)

    def abandon(self) -> None:
        """In a forked child, which does not have the thread: calls are refused. Nothing is closed."""
        self._handing = threading.Lock()  # whoever held it in the parent does not release it here
        self._over = ("it was opened before this process was forked", "connect again here")

    def _handed(self, begin: Callable[[], object]) -> CaxtonError | None:
        """Have the loop begin a call; returns why it will not."""
        with self._handing:
            if self._over is None:
                self.loop.call_soon_threadsafe(begin)
            return self.over

    def _begin_in_silence(self, coroutine: Coroutine[Any, Any, object]) -> None:
        task = self.loop.create_task(_in_silence(coroutine))
        self._soon.add(task)
        task.add_done_callback(self._soon.discard)


class _Call(Generic[T]):
    """One coroutine that another thread waits for. It ends when its task has: also when that was cancelled."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._end: Future[T] = Future()
        self._task: asyncio.Task[T] | None = None

    def begin(self) -> None:
        """In the loop: begin it."""
        self._task = asyncio.get_running_loop().create_task(self._coroutine)
        self._task.add_done_callback(self._ended)

    def result(self, loop: asyncio.AbstractEventLoop) -> T:
        """In the other thread: wait for its end."""
        try:
            while not self._end.done():
                with suppress(TimeoutError):  # one of its own is raised below
                    return self._end.result(LOOK_AGAIN_S)
            return self._end.result()
        except BaseException:
            if not self._end.done():  # it is this thread that was interrupted
                loop.call_soon_threadsafe(self._cancel)
                self._end.exception()
            raise

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _ended(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            self._end.set_exception(NetworkError("the runtime", "this client was closed"))
        elif (error := task.exception()) is not None:
            self._end.set_exception(error)
        else:
            self._end.set_result(task.result())


def _run(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(_until(stop))


async def _until(stop: asyncio.Event) -> None:
    await stop.wait()


async def _awaited(make: Callable[[], T]) -> T:
    return make()


async def _in_silence(coroutine: Coroutine[Any, Any, object]) -> None:
    with suppress(Exception):
        await coroutine


def _in_its_own_thread() -> ConfigurationError:
    problem = "it was called in the thread of its own event loop, which would wait for itself"
    return ConfigurationError("client", problem, "write the handler with plain `def`, or use caxton.connect there")

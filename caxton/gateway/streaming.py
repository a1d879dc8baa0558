"""Server-sent events: what is live, at the pace of who reads it, with signs of life, and an end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from caxton.errors import CaxtonError
from caxton.gateway.limits import HEARTBEAT_S
from caxton.gateway.problem import Problem

T = TypeVar("T")

MEDIA_TYPE = "text/event-stream"
# A comment, which every reader of events passes over.
BEAT = b": still here\n\n"


def event(name: str, data: bytes) -> bytes:
    """Return one event; data is JSON, which has no line ends."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)


async def events_of(
    found: AsyncIterator[T],
    encode: Callable[[T], bytes],
    stopping: asyncio.Event,
    check: Callable[[], None],
    beat_s: float = HEARTBEAT_S,
) -> AsyncGenerator[bytes, None]:
    """Yield what is found, each encoded, and a comment when there is nothing for a while. Ends the search at its end.

    What is found is asked for only when what was found before is taken. `check` is called at each sign of life; it ends
    with an event `problem` when that raises a CaxtonError, or the search does, and with `end` when all was found, or
    the gateway stops.
    """
    loop = asyncio.get_running_loop()
    stops, finding = loop.create_task(stopping.wait()), None
    checked_s = loop.time()
    try:
        yield BEAT  # so that a reader knows at once that it is heard
        while not stopping.is_set():
            finding = finding or loop.create_task(_next(found))
            await asyncio.wait({stops, finding}, timeout=beat_s, return_when=asyncio.FIRST_COMPLETED)
            if loop.time() - checked_s >= beat_s:
                checked_s = loop.time()
                check()
            if not finding.done():
                yield BEAT
                continue
            one, finding = finding.result(), None
            if one is None:
                break
            yield encode(one)
        yield event("end", b"{}")
    except CaxtonError as error:
        yield event("problem", Problem.of(error).encode())
    finally:
        for task in (stops, finding):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError, CaxtonError):
                    await task
        async with closing(found):
            pass


@asynccontextmanager
async def closing(found: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Yield an iterator, and end it behind the block where it is a generator: what it holds is given back then.

    A generator that is dropped ends only when the interpreter comes across it.
    """
    try:
        yield found
    finally:
        if isinstance(found, AsyncGenerator):
            await found.aclose()


async def _next(found: AsyncIterator[T]) -> T | None:
    return await anext(found, None)

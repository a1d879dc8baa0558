"""Work on threads, which nothing ends from outside: whoever has begun it waits for its end, also when cancelled."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def to_its_end(work: Callable[[], T], give_up: Callable[[], None] | None = None) -> T:
    """Run `work` on a thread and return what it returns; raises what it raises.

    Whoever is cancelled meanwhile calls `give_up`, which may let the work end early, waits for its end, and only then
    raises CancelledError: nothing of the work happens afterwards. Cancelled once more, it waits no longer.
    """
    working = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        if give_up is not None:
            give_up()
        await asyncio.wait([working])
        if not working.cancelled():
            working.exception()  # nobody wants to know any more
        raise

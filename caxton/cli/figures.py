"""The client of commands that only want figures: a part of the client, which is loaded sooner."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from caxton.cli.options import resolve_runtime_dir
from caxton.client.calls.dead_letter_calls import DeadLetterCalls
from caxton.client.calls.runtime_calls import RuntimeCalls

T = TypeVar("T")


class Figures(RuntimeCalls, DeadLetterCalls):
    """What a runtime did and has, and its dead letters."""


def with_figures(runtime_dir: Path | None, use: Callable[[Figures], Awaitable[T]]) -> T:
    """Connect to the runtime, let `use` ask it, and return what it returns. Raises RuntimeNotFound."""

    async def connected() -> T:
        async with Figures(resolve_runtime_dir(runtime_dir), reconnect=False) as client:
            return await use(client)

    return asyncio.run(connected())

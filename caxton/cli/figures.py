"""The client of commands that only want figures: a part of the client, which is loaded sooner."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeVar

from caxton.cli.elsewhere import elsewhere
from caxton.cli.options import resolve_runtime_dir
from caxton.client.calls.dead_letter_calls import DeadLetterCalls
from caxton.client.calls.runtime_calls import RuntimeCalls
from caxton.store.ledger import Ledger
from caxton.wire.told import DeadLetterStats

T = TypeVar("T")


class Counted(Protocol):
    """What a runtime did and has, and its dead letters."""

    async def ledger(self) -> Ledger:
        """As the client's."""

    async def dead_letter_stats(self) -> DeadLetterStats:
        """As the client's."""


class Figures(RuntimeCalls, DeadLetterCalls):
    """The same and more, of a runtime of this machine."""


def with_figures(runtime_dir: Path | None, use: Callable[[Counted], Awaitable[T]]) -> T:
    """Connect to the runtime, let `use` ask it, and return what it returns. Raises RuntimeNotFound."""

    async def connected() -> T:
        if elsewhere(runtime_dir) is not None:
            from caxton.cli.session import client_of  # noqa: PLC0415 (all of the client, which is loaded later)

            async with client_of(runtime_dir) as client:
                return await use(client)
        async with Figures(resolve_runtime_dir(runtime_dir), reconnect=False) as here:
            return await use(here)

    return asyncio.run(connected())

"""A block in which this process is the program of several agents.

async with client.host(translate, Seller) as hosting:
    await hosting.wait()
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import NamedTuple, Self

from caxton.client.attached.agent import AttachedAgent
from caxton.errors import ConfigurationError


class Hosted(NamedTuple):
    """An agent that is to be hosted. threads: where its plain functions run."""

    name: str
    block: AbstractAsyncContextManager[AttachedAgent]
    threads: ThreadPoolExecutor


class Hosting:
    """Agents of this process, attached inside its `async with` block: all of them, or the block is not entered.

    agents: each `AttachedAgent` by its name. The block ends with the error of the first one that cannot go on (see
    there); the others finish the calls that run. Calls of plain functions cannot be cancelled: one that still runs then
    is nobody's any more, and its message is given to whoever attaches next.
    """

    def __init__(self, hosted: Sequence[Hosted]) -> None:
        self.agents: dict[str, AttachedAgent] = {}
        self._hosted = hosted
        self._group = asyncio.TaskGroup()
        self._over = asyncio.Event()
        self._is_entered = False

    async def __aenter__(self) -> Self:
        """Attach all of them; raises what `Client.attach` does."""
        if self._is_entered:
            raise ConfigurationError("hosted agents", "they were entered before", "host them again for another block")
        self._is_entered = True
        attached = asyncio.Semaphore(0)
        await self._group.__aenter__()
        try:
            for each in self._hosted:
                self._group.create_task(self._live(each, attached))
            for _ in self._hosted:
                await attached.acquire()
        except BaseException as error:
            await self._end(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._end(kind, error, traceback)

    async def wait(self) -> None:
        """Wait until the block ends."""
        await self._over.wait()

    async def _live(self, hosted: Hosted, attached: asyncio.Semaphore) -> None:
        """Be one agent until all end."""
        try:
            async with hosted.block as agent:
                self.agents[hosted.name] = agent
                attached.release()
                await self._over.wait()
        finally:
            hosted.threads.shutdown(wait=False, cancel_futures=True)

    async def _end(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Have all finish what runs, or, when the block ends by an error, leave it; raises why one could not go on."""
        self._over.set()
        try:
            await self._group.__aexit__(kind, error, traceback)
        except BaseExceptionGroup as group:
            raise (
                group.exceptions[0] if error is None or isinstance(error, asyncio.CancelledError) else error
            ) from None

"""Clients of the runtime, one for each principal that was here lately: what is done for one is done by its own."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Self

from caxton.client.client import Client
from caxton.errors import NetworkError, ResourceExhausted
from caxton.gateway.counts import Counts
from caxton.gateway.limits import MAX_CLIENTS


class Clients:
    """Opened by `async with`; at most `most` are open, and of those that nobody uses the least recently used go.

    connect: makes a client, not open yet, that acts for a principal. What agents send to it that no request waits for
    has nobody to read it: it is taken, so that it holds up nothing else, and counted.
    """

    def __init__(self, connect: Callable[[str], Client], counts: Counts, most: int = MAX_CLIENTS) -> None:
        self._counts = counts
        self._connect = connect
        self._most = most
        # By principal, the least recently used first.
        self._open: OrderedDict[str, _Opened] = OrderedDict()
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        for opened in self._open.values():
            opened.over.set()
        self._open.clear()
        await self._tasks.__aexit__(None, None, None)

    def __len__(self) -> int:
        return len(self._open)

    @asynccontextmanager
    async def acting_for(self, principal: str) -> AsyncIterator[Client]:
        """Yield an open client that acts for a principal.

        Raises what opening one raises, and ResourceExhausted when as many as may be are all in use.
        """
        opened = self._open.get(principal)
        if opened is None or opened.is_over:
            opened = self._opening(principal)
        self._open.move_to_end(principal)
        opened.users += 1
        try:
            yield await asyncio.shield(opened.client)
        finally:
            opened.users -= 1

    def _opening(self, principal: str) -> "_Opened":
        self._open.pop(principal, None)
        if len(self._open) >= self._most:
            idle = next((name for name, opened in self._open.items() if not opened.users), None)
            if idle is None:
                raise ResourceExhausted("principals at once", self._most)
            self._open.pop(idle).over.set()
        opened = self._open[principal] = _Opened()
        self._tasks.create_task(self._hold(principal, opened))
        return opened

    async def _hold(self, principal: str, opened: "_Opened") -> None:
        """Keep a client open, from one task, until it is over."""
        try:
            async with self._connect(principal) as client, asyncio.TaskGroup() as tasks:
                passing = tasks.create_task(self._pass_over(client))
                opened.client.set_result(client)
                await opened.over.wait()
                passing.cancel()
        except Exception as error:  # noqa: BLE001 (it is raised to whoever waits for the client)
            opened.fail(error)
        finally:
            opened.fail(NetworkError("the runtime", "the gateway ends"))
            if self._open.get(principal) is opened:
                del self._open[principal]

    async def _pass_over(self, client: Client) -> None:
        async for _ in client.inbox():
            self._counts.unasked += 1


class _Opened:
    """A client, which may still be opening. users: requests that have it. over: set when it is to be closed."""

    def __init__(self) -> None:
        self.client: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self.over = asyncio.Event()
        self.users = 0

    @property
    def is_over(self) -> bool:
        """Whether it is of no use any more."""
        return self.client.done() and not self.client.cancelled() and self.client.exception() is not None

    def fail(self, error: Exception) -> None:
        """Raise to whoever waits for it."""
        if not self.client.done():
            self.client.set_exception(error)
            self.client.exception()  # that nobody waits is no mistake

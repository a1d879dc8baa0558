"""Calls that look through much have their turns one after the other, so that all else goes on between two."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

# Looks after which whoever walks through what is in memory lets the loop go on: it takes a few ms.
OF_SLICE = 4_096
# Raises an error when the call is not to be answered any more, such as Timeout when whoever asked has given up.
Check = Callable[[], None]


class Wanted:
    """The check of a client's call, with the client's number, by which turns are shared. look: see `Check`."""

    def __init__(self, client: int, look: Check) -> None:
        self.client = client
        self._look = look

    def __call__(self) -> None:
        """Go on only for somebody who waits; raises what says why nobody does."""
        self._look()


class CallLine:
    """Gives turns to one client after the other, and to each in the order in which it asked for them.

    So who asks for many waits for its own. Whoever waits in it is one of the calls being answered.
    """

    def __init__(self) -> None:
        self._is_taken = False
        # By client, in the order in which their turns are next.
        self._waiting: OrderedDict[int, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, check: Check) -> AsyncIterator[None]:
        """Wait for a turn, and have it. Raises what `check` raises when the turn has come."""
        await self._come(check.client if isinstance(check, Wanted) else 0)
        try:
            check()
            yield
        finally:
            self._give()

    async def _come(self, client: int) -> None:
        if not self._is_taken:
            self._is_taken = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had just been given to this one
                self._give()
            raise

    def _give(self) -> None:
        """Let the next one have the turn, if anybody waits."""
        while self._waiting:
            client, line = next(iter(self._waiting.items()))
            turn = line.popleft()
            if line:
                self._waiting.move_to_end(client)
            else:
                del self._waiting[client]
            if not turn.done():
                turn.set_result(None)
                return
        self._is_taken = False


class Walk:
    """A look through much that is in memory: passes, commits and heartbeats go on between its slices."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._left = OF_SLICE

    async def looked(self, count: int = 1) -> None:
        """So many were looked at. Raises what `check` raises; what was seen before may be otherwise after it."""
        self._left -= count
        if self._left <= 0:
            self._left = OF_SLICE
            await asyncio.sleep(0)
            self._check()

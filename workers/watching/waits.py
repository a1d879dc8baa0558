"""Calls that wait until there is something to tell."""

import asyncio
from collections import Counter
from collections.abc import Callable

from caxton.errors import ResourceExhausted

# Calls of all clients of a shard that wait at a time, and of one client.
MOST_WAITING, MOST_WAITING_OF_ONE = 512, 64


class Waits:
    """Owned by the worker's loop. A key is what somebody waits for news of."""

    def __init__(self) -> None:
        self._waiting: dict[object, dict[asyncio.Future[None], int]] = {}
        self._of: Counter[int] = Counter()
        self._closed = False

    def __len__(self) -> int:
        return self._of.total()

    async def wait(self, session: int, key: object, until_s: float, has_news: Callable[[], bool]) -> None:
        """Return when there is news, at this time of the loop's clock, or when the session or the worker ends.

        Raises ResourceExhausted.
        """
        while not has_news():
            if self._closed or not await self._told(session, key, until_s):
                return

    def tell(self, key: object) -> None:
        """Let those look who wait for this."""
        for future in self._waiting.get(key, ()):
            if not future.done():
                future.set_result(None)

    def end(self, session: int) -> None:
        """A client is gone: none of its calls waits."""
        if self._of[session]:
            for waiting in self._waiting.values():
                for future, whose in waiting.items():
                    if whose == session:
                        future.cancel()

    def close(self) -> None:
        """Let no call wait any more: the worker ends."""
        self._closed = True
        for key in self._waiting:
            self.tell(key)

    async def _told(self, session: int, key: object, until_s: float) -> bool:
        """Wait until somebody tells; False when nobody did in time."""
        if len(self) >= MOST_WAITING:
            raise ResourceExhausted("calls that wait for news on this shard", MOST_WAITING)
        if self._of[session] >= MOST_WAITING_OF_ONE:
            raise ResourceExhausted("calls of one client that wait for news", MOST_WAITING_OF_ONE)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.setdefault(key, {})[future] = session
        self._of[session] += 1
        timer = loop.call_at(until_s, future.cancel)
        try:
            await asyncio.wait([future])
            return not future.cancelled()
        finally:
            timer.cancel()
            del self._waiting[key][future]
            if not self._waiting[key]:
                del self._waiting[key]
            self._of[session] -= 1
            if not self._of[session]:
                del self._of[session]

"""Calls of clients that watch messages go by: answered when there are some, and when they are committed."""

import asyncio
from collections.abc import Callable
from time import monotonic

from msgspec.structs import replace

from caxton.errors import AgentNotFound
from caxton.wire.calls import Done
from caxton.wire.watching import EndWatch, Watch, WatchedMessage, WatchPage
from workers.loop.shard import Shard
from workers.watching.watchers import Watcher

_MS = 0.001
# How long an answer waits for the commit of what it tells.
COMMIT_TIMEOUT_S = 5.0


class WatchCalls:
    """Answers `Watch` and `EndWatch`. wake: lets a pass, and a commit after it, see to what was gathered."""

    def __init__(self, shard: Shard, wake: Callable[[], None]) -> None:
        self._shard = shard
        self._wake = wake

    async def answer(self, session: int, asked: Watch | EndWatch) -> WatchPage | Done:
        """Return a page of what went by. Raises AgentNotFound; ResourceExhausted for too many watches, or calls."""
        watching = self._shard.watching
        if isinstance(asked, EndWatch):
            watching.watchers.end(session, asked.number)
            return Done()
        self._check(asked)
        watcher = watching.watchers.asked(session, asked, monotonic())
        if (asked.incarnation, asked.watch) != (self._shard.incarnation, watcher.number):
            return self._page(watcher, 0, [])  # it has begun, which its client is told at once

        def has_news() -> bool:
            self._check(asked)
            return watcher.ring.last > asked.after or not watching.watchers.has(watcher)

        if asked.wait_ms:
            until_s = asyncio.get_running_loop().time() + asked.wait_ms * _MS
            await watching.waits.wait(session, watcher, until_s, has_news)
        return await self._committed(self._news(watcher, asked.after), asked.after)

    def _check(self, asked: Watch) -> None:
        if asked.conversation is None and self._shard.registry.find(asked.agent) is None:
            raise AgentNotFound(f"{asked.agent:016x}")

    def _news(self, watcher: Watcher, after: int) -> WatchPage:
        found = [replace(item, missed=missed) if missed else item for _, item, missed in watcher.ring.behind(after)]
        return self._page(watcher, watcher.ring.last, found)

    def _page(self, watcher: Watcher, last: int, messages: list[WatchedMessage]) -> WatchPage:
        return WatchPage(self._shard.incarnation, watcher.number, last, messages)

    async def _committed(self, page: WatchPage, after: int) -> WatchPage:
        """Return a page when all of it is true: nobody sees anything that a crash would undo.

        Where a commit finds no room only what comes before is told, and the rest is asked for again.
        """
        durable = next((place for place, one in enumerate(page.messages) if one.is_durable), None)
        if durable is None:
            return page
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                await self._shard.durable.journal.committed_after(self._wake)
        except TimeoutError:
            before = page.messages[:durable]
            return replace(page, messages=before, last=before[-1].number if before else after)
        return page

"""Calls about what agents log: answered from memory, at once or when there is something to tell."""

import asyncio

from msgspec.structs import replace

from caxton.errors import AgentNotFound
from caxton.wire.watching import LogLine, LogPage, ReadLog
from workers.loop.shard import Shard

_MS = 0.001


class LogCalls:
    """Answers `ReadLog`."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def answer(self, session: int, asked: ReadLog) -> LogPage:
        """Return a page of an agent's log. Raises AgentNotFound; ResourceExhausted when too many wait for news."""
        page = self._page(asked)

        def is_news() -> bool:
            return bool(page.lines or page.missed or (page.incarnation, page.log) != (asked.incarnation, asked.log))

        def has_news() -> bool:
            nonlocal page
            if not is_news():
                page = self._page(replace(asked, after=page.last))  # what was looked at has nothing to tell
            return is_news()

        if asked.wait_ms:
            until_s = asyncio.get_running_loop().time() + asked.wait_ms * _MS
            await self._shard.watching.waits.wait(session, asked.agent_id, until_s, has_news)
        return page

    def _page(self, asked: ReadLog) -> LogPage:
        own = self._shard.incarnation
        if self._shard.registry.find(asked.agent_id) is None:
            raise AgentNotFound(f"{asked.agent_id:016x}")
        log = self._shard.watching.logs.find(asked.agent_id)
        if log is None:
            return LogPage(own, 0, 0, [])
        end = asked.after if (asked.incarnation, asked.log) == (own, log.number) else 0
        lines: list[LogLine] = []
        missed = 0
        for number, line, gap in log.ring.behind(end):
            missed, end = missed + gap, number
            if line.at < asked.since:
                missed = 0
            elif line.level_number >= asked.level:
                lines.append(replace(line, missed=missed) if missed else line)
                missed = 0
        missed += log.ring.last - end
        if asked.tail is not None:
            lines = lines[-asked.tail :] if asked.tail else []
            lines[:1] = [replace(first, missed=0) for first in lines[:1]]  # there is more before it anyway
            missed = missed if lines else 0
        return LogPage(own, log.number, log.ring.last, lines, missed)

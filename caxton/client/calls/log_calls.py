"""What a client asks about what agents log."""

import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Literal, TypeAlias

from msgspec.structs import replace

from caxton.client.calls.arguments import as_typed, check_whole, since_1970_ms
from caxton.client.calls.following import NO_ROOM, Following
from caxton.client.connection import Agent, Connection
from caxton.errors import AgentNotFound, ResourceExhausted, ValidationError
from caxton.printable import counted, shown
from caxton.wire.watching import LEVELS, MAX_LOG_PAGE, NOTE, LogLine, LogPage, ReadLog

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]


class LogCalls(Connection):
    """`logs`."""

    async def logs(
        self,
        agent: Agent,
        *,
        tail: int | None = None,
        since: int | datetime | None = None,
        level: LogLevel = "debug",
        follow: bool = False,
    ) -> AsyncIterator[LogLine]:
        """Yield what a sandboxed agent logged, oldest first, and with `follow` what it logs from then on.

        Of each agent the last 1,000 lines are kept, and 512 KiB of them, as long as its worker lives. tail: only the
        last so many of what there is. since: only lines of this moment or later, a datetime or ms since 1970. level:
        only lines of this level or a higher one.

        Where lines are missing, or the worker was restarted meanwhile, a line of the level "note" says so. Following
        goes on when the worker is restarted, and when its shard has no room for the question, which a note says too; it
        ends with the error when that lasts for a minute. Raises AgentNotFound, also when the agent is removed, and
        ResourceExhausted when too many follow.
        """
        if tail is not None:
            check_whole("tail", tail, 0, 1 << 62)
        if level not in LEVELS[:NOTE]:
            raise ValidationError("level", f"{shown(level)} is not one of {', '.join(LEVELS[:NOTE])}")
        agent_id = self.id_of(agent)
        asked = ReadLog(
            int(agent_id),
            tail=None if tail is None else min(tail, MAX_LOG_PAGE),
            since=0 if since is None else since_1970_ms("since", since),
            level=LEVELS.index(level),
        )
        following = Following(self._reach(), self._reach().table.shard_of(agent_id), LogPage)
        before: LogPage | None = None
        while True:
            try:
                page = await following.ask(asked, asked.wait_ms)
            except AgentNotFound as error:
                raise as_typed(error, agent, agent_id) from None
            if isinstance(page, ResourceExhausted):
                yield _note(NO_ROOM.format(page))
                continue
            for line in _told(page, before):
                yield line
            if not follow:
                return
            before = page
            asked = ReadLog(
                int(agent_id), page.incarnation, page.log, page.last, None, asked.since, asked.level, following.wait_ms
            )


def _told(page: LogPage, before: LogPage | None) -> Iterator[LogLine]:
    """Yield the lines of a page, and notes where there is something to say of it."""
    if before is not None and before.incarnation != page.incarnation:
        yield _note("the worker was restarted: what it kept of this log is gone")
    elif before is not None and before.log not in {0, page.log}:
        yield _note("what was kept of this log has made room for others")
    for line in page.lines:
        if line.missed:
            yield _missing(line.missed)
        yield replace(line, missed=0)
    if page.missed:
        yield _missing(page.missed)


def _missing(missed: int) -> LogLine:
    return _note(f"{counted(missed, 'lines')} {'is' if missed == 1 else 'are'} not kept", missed)


def _note(text: str, missed: int = 0) -> LogLine:
    return LogLine(0, time.time_ns() // 1_000_000, NOTE, None, text, missed)

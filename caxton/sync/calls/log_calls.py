"""`caxton.client.calls.log_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from collections.abc import Iterator
from datetime import datetime

from caxton.client.calls.log_calls import LogLevel
from caxton.client.connection import Agent
from caxton.sync.connection import Connection
from caxton.wire.watching import LogLine


class LogCalls(Connection):
    """`logs`."""

    def logs(
        self,
        agent: Agent,
        *,
        tail: int | None = None,
        since: int | datetime | None = None,
        level: LogLevel = "debug",
        follow: bool = False,
    ) -> Iterator[LogLine]:
        """Yield what a sandboxed agent logged, oldest first, and with `follow` what it logs from then on.

        Of each agent the last 1,000 lines are kept, and 512 KiB of them, as long as its worker lives. tail: only the
        last so many of what there is. since: only lines of this moment or later, a datetime or ms since 1970. level:
        only lines of this level or a higher one.

        Where lines are missing, or the worker was restarted meanwhile, a line of the level "note" says so. Following
        goes on when the worker is restarted, and when its shard has no room for the question, which a note says too; it
        ends with the error when that lasts for a minute. Raises AgentNotFound, also when the agent is removed, and
        ResourceExhausted when too many follow.
        """
        return self._iterated(self._client.logs(agent, tail=tail, since=since, level=level, follow=follow))

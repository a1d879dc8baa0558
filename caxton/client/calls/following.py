"""A shard that is asked again and again for what is new, also while its worker is restarted."""

import asyncio
from typing import Any, Generic, TypeVar

from caxton.client.connection import CALL_TIMEOUT_S
from caxton.client.routes.shard_route import GIVEN_UP
from caxton.client.runtime_line import RuntimeLine
from caxton.errors import CaxtonError, NetworkError, ResourceExhausted, ShardUnavailable, Timeout
from caxton.wire.calls import Request
from caxton.wire.supervision import SupervisorRequest
from caxton.wire.watching import MAX_WATCH_WAIT_MS

A = TypeVar("A")

# For how long a shard may answer nothing, or have no room, before that is the end; and between two tries, in seconds.
PATIENCE_S, PAUSE_S = 60.0, 0.2
NO_ROOM = "there is no room to ask for more now, and it is tried again: {}"


class Following(Generic[A]):
    """Asks one shard, or the supervisor (None). An error is raised at first, and later passes, for a minute.

    wait_ms: for how long its answers may wait for news.
    """

    wait_ms = MAX_WATCH_WAIT_MS

    def __init__(self, line: RuntimeLine, shard: int | None, answer: type[A]) -> None:
        self._line = line
        self._shard = shard
        self._answer = answer
        self._heard_s: float | None = None
        self._has_room = True

    async def ask(self, request: Request | SupervisorRequest, wait_ms: int) -> A | ResourceExhausted:
        """Return the answer, which may wait so long for news. Raises what `RuntimeLine.call` does.

        When there is no room for the question now, the first such error is returned: say so, and ask again.
        """
        while True:
            try:
                found = await self._asked(request, CALL_TIMEOUT_S + wait_ms / 1_000)
            except (NetworkError, ResourceExhausted, ShardUnavailable, Timeout) as error:
                if not self._passes(error):
                    raise
                await asyncio.sleep(PAUSE_S)
                if isinstance(error, ResourceExhausted) and self._has_room:
                    self._has_room = False
                    return error
            else:
                self._heard_s, self._has_room = self._line.loop.time(), True
                return found

    async def _asked(self, request: Any, timeout_s: float) -> A:
        if self._shard is None:
            return await self._line.ask(request, self._answer, timeout_s)
        return await self._line.call(self._shard, request, self._answer, timeout_s)

    def _passes(self, error: CaxtonError) -> bool:
        if self._heard_s is None or self._line.over is not None:
            return False
        if isinstance(error, ShardUnavailable) and error.state in GIVEN_UP:
            return False
        return self._line.loop.time() - self._heard_s < PATIENCE_S

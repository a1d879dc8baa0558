"""Whether the runtime is well, as /health and /ready tell anybody: asked at most twice a second, whoever asks."""

import asyncio
from collections.abc import Awaitable, Callable

from caxton.errors import CaxtonError
from caxton.wire.told import Health

FRESH_S = 0.5
ASK_TIMEOUT_S = 5.0


class Vitals:
    """Keeps the last health for half a second, or why there was none; those who ask meanwhile share one question.

    ask: asks the supervisor, given so many seconds; raises what that raises.
    """

    def __init__(self, ask: Callable[[float], Awaitable[Health]]) -> None:
        self._ask = ask
        self._last: Health | CaxtonError | None = None
        self._until_s = 0.0
        self._asking = asyncio.Lock()

    async def health(self) -> Health:
        """Return how the runtime is; raises RuntimeNotFound, NetworkError, Timeout."""
        loop = asyncio.get_running_loop()
        async with self._asking:
            if self._last is None or loop.time() >= self._until_s:
                self._last = None
                try:
                    self._last = await self._ask(ASK_TIMEOUT_S)
                except CaxtonError as error:
                    self._last = error
                self._until_s = loop.time() + FRESH_S
            if isinstance(self._last, CaxtonError):
                raise self._last.with_traceback(None)  # that of each who raised it would stay
            return self._last

    async def forget(self) -> None:
        """Something has changed: whoever asks from now on is told how it is then."""
        async with self._asking:
            self._last = None

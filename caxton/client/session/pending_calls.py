"""Calls to workers that wait for their answers."""

import asyncio

from caxton.errors import CaxtonError, ResourceExhausted
from caxton.wire.calls import Result
from caxton.wire.control import Answer

MAX_CALLS = 1_024


class NeverAskedError(Exception):
    """The runtime ended before a question was sent: the next session may ask it."""


class PendingCalls:
    """At most 1,024 at a time, each with the incarnation that it went to."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._last = 0
        self._waiting: dict[int, tuple[asyncio.Future[Result], int]] = {}

    def open(self, incarnation: int) -> tuple[int, asyncio.Future[Result]]:
        """Return the number of a new call, and where its answer comes; raises ResourceExhausted."""
        if len(self._waiting) >= MAX_CALLS:
            raise ResourceExhausted("calls at a time", MAX_CALLS)
        self._last += 1
        future: asyncio.Future[Result] = self._loop.create_future()
        self._waiting[self._last] = future, incarnation
        return self._last, future

    def close(self, number: int) -> None:
        """Wait for this answer no longer."""
        self._waiting.pop(number, None)

    def answer(self, answer: Answer) -> None:
        """Give an answer to whoever waits for it; one that nobody waits for is dropped."""
        future, _ = self._waiting.get(answer.call_id, (None, 0))
        if future is not None and not future.done():
            future.set_result(answer.result)

    def fail(self, error: CaxtonError, incarnation: int | None = None) -> None:
        """End the calls to an incarnation that ended, or all."""
        for future, target in self._waiting.values():
            if incarnation in {None, target} and not future.done():
                future.set_exception(error)

"""What a caller waits for: a batch of sends that are to be placed, or of requests that are to be answered.

Each message of a batch ends exactly once: placed or answered, refused with its error, or unknown after the deadline.
"""

import asyncio
from typing import Generic, TypeVar

from caxton.errors import CaxtonError, NetworkError, Timeout

T = TypeVar("T")


class Batch(Generic[T]):
    """Results by place; `done` is set when every message has one. knows: what a Timeout is to say besides, or "".

    Its deadline moves on with every result: what is left ends as Timeout after `timeout_s` to twice that in which
    nothing ended; a `strict` one stays where it is. began_s: when it was made, by the loop's clock, which nobody sets.
    """

    def __init__(
        self, count: int, what: str, timeout_s: float, loop: asyncio.AbstractEventLoop, *, strict: bool = False
    ) -> None:
        self.results: list[T | CaxtonError | None] = [None] * count
        self.left = count
        self.done: asyncio.Future[None] = loop.create_future()
        self._what = what
        self.knows = ""
        self._timeout_s = timeout_s
        self._loop = loop
        self._strict = strict
        self.began_s = loop.time()
        self._left_before = count
        self._timer = loop.call_later(timeout_s, self._look)
        if not count:
            self._finish()

    def end(self, place: int, result: "T | CaxtonError") -> None:
        """Give a message its result; a second one is ignored."""
        if self.results[place] is None:
            self.results[place] = result
            self.left -= 1
            if not self.left:
                self._finish()

    def cancel(self) -> None:
        """The caller waits no longer: forget the deadline, and end what is left, so that it does not go any more."""
        self._timer.cancel()
        if self.left:
            self._end_all(NetworkError("this client", "the caller waited no longer"))

    def _finish(self) -> None:
        self._timer.cancel()
        if not self.done.done():
            self.done.set_result(None)

    def _look(self) -> None:
        if self.left < self._left_before and not self._strict:
            self._left_before = self.left
            self._timer = self._loop.call_later(self._timeout_s, self._look)
            return
        self._end_all(Timeout(f"{self._what} ({self.knows})" if self.knows else self._what, self._timeout_s))

    def _end_all(self, error: CaxtonError) -> None:
        for place, result in enumerate(self.results):
            if result is None:
                self.end(place, error)


async def settled(batch: Batch[T]) -> list[T | CaxtonError]:
    """Wait until every message of the batch has ended, and return the results in order."""
    try:
        await batch.done
    finally:
        batch.cancel()
    return [result for result in batch.results if result is not None]

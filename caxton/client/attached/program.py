"""The handler of an attached agent: what it is called with, and how each call ends, whatever it returns or raises."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import Any

from caxton.client.attached.turns import (
    ValueHandler,
    ValuesHandler,
    delivered,
    each_said,
    ended,
    failed,
    size_of,
)
from caxton.errors import MessageTooLarge, ValidationError
from caxton.printable import shown
from caxton.wire.calls import FULL_DELIVERIES_BYTES, Ended
from caxton.wire.delivery import Delivery

_log = logging.getLogger("caxton.client")
_CUT_SHORT = object()


class Program:
    """Calls a handler. most: how many messages it takes at once; batch: it takes a list, also of one.

    keeps_state: it is given the agent's state, and may return another. state: as of the last call; None while nobody
    has told it, and then nothing is to be handled. encoding: of the values that it returns.

    counts: `handled`, `failed`. timeout_s: a call that takes longer is cancelled, and has failed. is_over: the tasks
    that call it are being cancelled; every other cancellation is an error of the handler that meets it.
    """

    def __init__(
        self,
        name: str,
        handler: ValueHandler | ValuesHandler,
        most: int,
        *,
        batch: bool,
        timeout_s: float | None = None,
        keeps_state: bool = False,
        encoding: str | None = None,
    ) -> None:
        self.most = most if batch else 1
        self.counts: Counter[str] = Counter()
        self.is_over = False
        self.keeps_state = keeps_state
        self.state: bytes | None = None
        self._encoding = encoding
        self._name = name
        self._handler: Any = handler
        self._batch = batch
        self._timeout_s = timeout_s

    async def handle(self, deliveries: list[Delivery]) -> list[Ended]:
        """Handle them with one call; returns how each ended, nothing when it was cut short.

        Raises ValidationError when the handler is no coroutine function: it would fail on every message.
        """
        if not self._batch:
            said = await self._said(delivered(deliveries[0], self.state or b""))
            if said is _CUT_SHORT:
                return []
            end = self._end(deliveries[0], said)
            self.counts["failed"] += end.error is not None
            self.counts["handled"] += end.error is None
            return [end]
        said = await self._said([delivered(delivery, self.state or b"") for delivery in deliveries])
        if said is _CUT_SHORT:
            return []
        ends = self._ends(deliveries, said)
        failures = sum(end.error is not None for end in ends)
        self.counts["failed"] += failures
        self.counts["handled"] += len(ends) - failures
        return ends

    async def _said(self, given: Any) -> Any:
        """Call the handler; returns what it returned or raised, _CUT_SHORT when it was cancelled since all is over."""
        try:
            said = self._handler(given)
            if hasattr(said, "__await__"):  # `isawaitable` takes longer, and here are all messages
                return await (said if self._timeout_s is None else self._within(said, self._timeout_s))
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if self.is_over and task is not None and task.cancelling():
                return _CUT_SHORT
            while task is not None and task.cancelling():
                task.uncancel()  # the handler cancelled its own task
            self._log_failure(error)
            return error
        except Exception as error:  # noqa: BLE001 (whatever a handler raises is the end of its turn)
            self._log_failure(error)
            return error
        self.is_over = True
        raise ValidationError("handler", f"it returned {shown(said)} and nothing to await; write it with `async def`")

    @staticmethod
    async def _within(said: Awaitable[Any], timeout_s: float) -> Any:
        """Await a call for so long; raises TimeoutError that says so when it is cancelled for it."""
        limit = asyncio.timeout(timeout_s)
        try:
            async with limit:
                return await said
        except TimeoutError:
            if limit.expired():
                raise TimeoutError(f"it took longer than {timeout_s:g} s") from None
            raise

    def _ends(self, deliveries: list[Delivery], said: Any) -> list[Ended]:
        """Return the ends of a batch. An error of it is the error of each; what is too large together fails."""
        each: Sequence[Any] = [said] * len(deliveries)
        if not isinstance(said, BaseException):
            try:
                each = each_said(said, len(deliveries))
            except ValidationError as error:
                self._log_failure(error)
                each = [error] * len(deliveries)
        ends: list[Ended] = []
        size = 0
        for delivery, what in zip(deliveries, each, strict=True):
            end = self._end(delivery, what)
            if size and size + size_of(end) > FULL_DELIVERIES_BYTES:
                end = failed(delivery, MessageTooLarge.of(size + size_of(end), FULL_DELIVERIES_BYTES, "batch"))
            size += size_of(end)
            ends.append(end)
        return ends

    def _end(self, delivery: Delivery, said: object) -> Ended:
        """Return the end of a turn whose handler returned this, or raised it."""
        if isinstance(said, BaseException):
            return failed(delivery, said)
        try:
            end = ended(delivery, said, keeps_state=self.keeps_state, encoding=self._encoding)
        except ValidationError as error:
            self._log_failure(error)
            return failed(delivery, error)
        if end.state is not None:
            self.state = end.state
        return end

    def _log_failure(self, error: BaseException) -> None:
        _log.error("the handler of agent %r failed", self._name, exc_info=error)

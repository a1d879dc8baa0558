"""A session's two ways in: frames come decoded, those without its mark are counted and dropped."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from hmac import compare_digest

from caxton.errors import CaxtonError, InvalidMessageFormat
from caxton.transport.endpoints import RuntimeDir
from caxton.transport.sockets import Inlet
from caxton.wire.codec import CONTROL, DATA
from caxton.wire.control import Control
from caxton.wire.frames import DataFrame
from caxton.wire.heads import Head, control_head, data_head

# Bytes in one go, where each message weighs this much more, as does a frame of garbage: a flood must not have the loop
# for itself.
ENOUGH_BYTES, _WEIGHT = 256 << 10, 256
# In one go from a worker that has ended, or a runtime: all that it said.
ALL_BYTES = 64 << 20


class Inlets:
    """Bound when made, so that nobody hears of the session before it listens. `close` twice is fine.

    counts: `garbage`, frames that do not decode or bear another mark.
    """

    def __init__(self, runtime: RuntimeDir, session: int, mark: bytes, counts: Counter[str]) -> None:
        self._session = session
        self._mark = mark
        self._counts = counts
        self._data = Inlet(runtime.data(session))
        try:
            self._control = Inlet(runtime.control(session))
        except CaxtonError:
            self._data.close()
            raise
        self._closed = False
        # What watches each inlet, and those to which it comes back soon by itself.
        self._wakes: dict[Inlet, Callable[[], None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rest_s: Callable[[float], float]
        self._coming_back: dict[Inlet, asyncio.Handle] = {}
        self._data.guard(lambda head, _size: self._is_to_us(data_head(head)), self._count)
        self._control.guard(lambda head, _size: self._is_to_us(control_head(head)), self._count)

    def watch(
        self,
        loop: asyncio.AbstractEventLoop,
        data: Callable[[], None],
        control: Callable[[], None],
        rest_s: Callable[[float], float] = lambda _now_s: 0.0,
    ) -> None:
        """Call these when frames may have come; they go through `frames` and `controls` to the end.

        rest_s: for how long no data is to be taken from now on, by the loop's clock.
        """
        self._loop, self._rest_s = loop, rest_s
        for inlet, wake in ((self._data, data), (self._control, control)):
            self._wakes[inlet] = wake
            inlet.watch(loop, partial(self._wake, inlet))

    def frames(self, enough: int = ENOUGH_BYTES) -> Iterator[tuple[DataFrame, int]]:
        """Yield the data frames that are there, each with its size in bytes, until there are none or it is closed.

        After so many bytes it ends, and what watches comes back soon.
        """
        while enough > 0 and not self._closed and (raw := self._data.receive()) is not None:
            try:
                frame = DATA.decode(raw)
            except InvalidMessageFormat:
                frame = None
            if frame is not None and frame.mark == self._mark and frame.target == self._session:
                enough -= len(raw) + _WEIGHT * len(frame.messages)
                yield frame, len(raw)
            else:
                enough -= self._drop(raw)
        if enough <= 0:
            self._come_back_to(self._data)

    def controls(self, enough: int = ENOUGH_BYTES) -> Iterator[Control]:
        """Yield the control frames that are there, until there are none or it is closed; otherwise as `frames`."""
        while enough > 0 and not self._closed and (raw := self._control.receive()) is not None:
            try:
                control = CONTROL.decode(raw) if self._is_to_us(control_head(raw)) else None
            except InvalidMessageFormat:
                control = None
            if control is not None:
                enough -= len(raw)
                yield control
            else:
                enough -= self._drop(raw)
        if enough <= 0:
            self._come_back_to(self._control)

    def _drop(self, raw: bytes) -> int:
        """Count a frame that is garbage; returns its weight, which an empty one has too."""
        self._count()
        return len(raw) + _WEIGHT

    def _wake(self, inlet: Inlet) -> None:
        if inlet not in self._coming_back:  # or it has had its part of this turn of the loop
            self._take(inlet)

    def _take(self, inlet: Inlet) -> None:
        self._coming_back.pop(inlet, None)
        self._wakes[inlet]()
        if inlet is self._data and self._loop is not None and (rest_s := self._rest_s(self._loop.time())):
            if inlet in self._coming_back:
                self._coming_back[inlet].cancel()
            self._coming_back[inlet] = self._loop.call_later(rest_s, self._take, inlet)

    def _come_back_to(self, inlet: Inlet) -> None:
        if self._loop is not None and inlet not in self._coming_back:
            self._coming_back[inlet] = self._loop.call_soon(self._take, inlet)

    def _count(self) -> None:
        self._counts["garbage"] += 1

    def _is_to_us(self, head: Head | None) -> bool:
        return head is not None and compare_digest(head.mark, self._mark)

    def abandon(self) -> None:
        """In a forked child: take nothing any more. The sockets, and the loop that watches them, stay the parent's."""
        self._closed = True

    def close(self) -> None:
        """Listen no longer."""
        self._closed = True
        for handle in self._coming_back.values():
            handle.cancel()
        self._data.close()
        self._control.close()

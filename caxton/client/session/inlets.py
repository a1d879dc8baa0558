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

# Bytes of garbage in one go, and what a frame of it weighs at least: a flood must not have the loop for itself.
_ENOUGH_DROPPED, _LEAST_WEIGHT = 256 << 10, 256


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
        self._come_back: dict[Inlet, Callable[[], object]] = {}
        self._data.guard(lambda head, _size: self._is_to_us(data_head(head)), self._count)
        self._control.guard(lambda head, _size: self._is_to_us(control_head(head)), self._count)

    def watch(self, loop: asyncio.AbstractEventLoop, data: Callable[[], None], control: Callable[[], None]) -> None:
        """Call these when frames may have come; they go through `frames` and `controls` to the end."""
        for inlet, wake in ((self._data, data), (self._control, control)):
            inlet.watch(loop, wake)
            self._come_back[inlet] = partial(loop.call_soon, wake)

    def frames(self) -> Iterator[tuple[DataFrame, int]]:
        """Yield the data frames that are there, each with its size in bytes, until there are none or it is closed.

        After much that is dropped it ends, and what watches comes back soon.
        """
        dropped = 0
        while not self._closed and (raw := self._data.receive()) is not None:
            try:
                frame = DATA.decode(raw)
            except InvalidMessageFormat:
                frame = None
            if frame is not None and frame.mark == self._mark and frame.target == self._session:
                yield frame, len(raw)
                continue
            dropped += self._drop(raw)
            if dropped >= _ENOUGH_DROPPED:
                self._come_back_to(self._data)
                return

    def controls(self) -> Iterator[Control]:
        """Yield the control frames that are there, until there are none or it is closed; otherwise as `frames`."""
        dropped = 0
        while not self._closed and (raw := self._control.receive()) is not None:
            try:
                control = CONTROL.decode(raw) if self._is_to_us(control_head(raw)) else None
            except InvalidMessageFormat:
                control = None
            if control is not None:
                yield control
                continue
            dropped += self._drop(raw)
            if dropped >= _ENOUGH_DROPPED:
                self._come_back_to(self._control)
                return

    def _drop(self, raw: bytes) -> int:
        """Count a frame that is garbage; returns its weight, which an empty one has too."""
        self._count()
        return len(raw) + _LEAST_WEIGHT

    def _come_back_to(self, inlet: Inlet) -> None:
        if inlet in self._come_back:
            self._come_back[inlet]()

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
        self._data.close()
        self._control.close()

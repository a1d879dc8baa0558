"""The supervisor's control inlet: what workers say comes in, checked; everything else is counted and dropped."""

import asyncio
from collections import Counter
from collections.abc import Callable

from caxton.errors import CaxtonError
from caxton.links.session import SessionMarks
from caxton.transport.sockets import Inlet
from caxton.wire.codec import CONTROL
from caxton.wire.control import Happened, Heartbeat
from caxton.wire.heads import control_head

# Frames in one go, so that a flood of them does not hold the loop.
_AT_ONCE = 256
_TAKEN = frozenset({Heartbeat.__struct_config__.tag, Happened.__struct_config__.tag})


class HeartbeatInlet:
    """Hands on each heartbeat, and each word of what happened, whose mark is its source's own.

    `dropped` counts the rest by reason.
    """

    def __init__(
        self, inlet: Inlet, marks: SessionMarks, deliver: Callable[[Heartbeat | Happened], None], dropped: Counter[str]
    ) -> None:
        self._inlet = inlet
        self._marks = marks
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._dropped = dropped
        inlet.guard(self._may_come, self._count)
        inlet.watch(self._loop, self._wake)

    def close(self) -> None:
        """Stop listening. Closing twice is fine."""
        self._closed = True
        self._inlet.close()

    def _may_come(self, frame: bytes, _size: int) -> bool:
        head = control_head(frame)
        return head is not None and head.tag in _TAKEN and self._marks.verify(head.source, head.mark)

    def _count(self) -> None:
        self._dropped["frames that do not decode"] += 1

    def _wake(self) -> None:
        for _ in range(_AT_ONCE):
            frame = None if self._closed else self._inlet.receive()
            if frame is None:
                return
            self._take(frame)
        self._loop.call_soon(self._wake)

    def _take(self, frame: bytes) -> None:
        head = control_head(frame)
        if head is not None and head.tag not in _TAKEN:
            self._dropped["frames that are no heartbeats"] += 1
            return
        if head is not None and not self._marks.verify(head.source, head.mark):
            self._dropped["heartbeats with a wrong mark"] += 1
            return
        try:
            control = CONTROL.decode(frame)
        except CaxtonError:
            self._dropped["frames that do not decode"] += 1
            return
        if isinstance(control, (Heartbeat, Happened)):  # as its head said
            self._deliver(control)

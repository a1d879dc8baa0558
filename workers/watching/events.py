"""What happened in a shard, until the supervisor was told, which keeps it for whoever asks, and outlives workers."""

import time
from collections import deque
from itertools import islice

import msgspec

from caxton.wire.calls import FieldValue
from caxton.wire.events import MAX_EVENT_TEXT, MAX_SAID, MAX_SAID_BYTES, EventView

# That wait to be told: what happens when thousands of agents come at once is told within a second.
MOST_UNTOLD = 2_000


class Events:
    """Owned by the worker's loop. dropped: events that made room for others, and were told to nobody."""

    def __init__(self) -> None:
        self._untold: deque[EventView] = deque()
        self._untold_drops = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._untold)

    def happened(
        self, kind: str, text: str, agent: tuple[str, int] = ("", 0), severity: str = "info", **fields: FieldValue
    ) -> None:
        """Note what happened. agent: the name and the id of the one that it is about."""
        event = EventView(kind, severity, text[:MAX_EVENT_TEXT], _now_ms(), fields, None, *agent)
        self._untold.append(event)
        if len(self._untold) > MOST_UNTOLD:
            self._untold.popleft()
            self.dropped += 1
            self._untold_drops += 1

    def to_say(self) -> list[EventView]:
        """Return what is to be told next, the oldest first; before these, how many made room."""
        said: list[EventView] = []
        size = 0
        for event in islice(self._untold, MAX_SAID):
            said.append(event)
            size += len(msgspec.msgpack.encode(event))
            if size >= MAX_SAID_BYTES:
                break
        if said and self._untold_drops:
            text = f"{self._untold_drops} events of this shard are not kept: there was no room to tell them"
            said.insert(0, EventView("events_missed", "warning", text, said[0].at, {"missed": self._untold_drops}))
        return said

    def said(self, events: list[EventView]) -> None:
        """The supervisor is told these, which `to_say` returned."""
        for event in events:
            if event.kind == "events_missed":
                self._untold_drops = 0
            else:
                self._untold.popleft()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

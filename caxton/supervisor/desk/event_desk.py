"""What happened in this run, of the supervisor and of all shards: the last of it, for whoever asks."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from sys import getsizeof
from typing import Any

from msgspec.structs import replace

from caxton.errors import ResourceExhausted
from caxton.ring import Ring
from caxton.supervisor.events import Event
from caxton.wire.calls import FieldValue
from caxton.wire.events import MAX_EVENT_PAGE, MAX_EVENT_TEXT, EventPage, EventView, ReadEvents

# Of a run: in number, and with what it takes to keep them, in bytes.
MOST_EVENTS, MOST_EVENT_BYTES = 10_000, 16 << 20
# What an event takes beside its texts.
_OF_EVENT, _OF_FIELD = 400, 100
# Events that one call looks at, whether they are asked for or not: others are answered between two calls.
LOOKED_AT = 500
# Calls that wait for something to happen, of all clients and of one line.
MOST_WAITING, MOST_WAITING_OF_ONE = 256, 64
_MAX_VALUE, _MAX_VALUES = 1_000, 16
_MS = 0.001


class EventDesk:
    """Owned by the supervisor, in memory: events end with the run. run: its number, by which readers know it."""

    def __init__(self) -> None:
        self.run = _now_ms()
        self._ring: Ring[EventView] = Ring(MOST_EVENTS, MOST_EVENT_BYTES)
        self._waiting: dict[asyncio.Future[None], int] = {}
        self._of: Counter[int] = Counter()

    @property
    def waiting(self) -> int:
        """How many calls wait for events."""
        return len(self._waiting)

    def happened(self, event: Event) -> None:
        """Keep an event of the supervisor's."""
        fields = {name: _plain(value) for name, value in event.fields.items()}
        shard = fields.get("shard")
        text = event.text[:MAX_EVENT_TEXT]
        of_shard = shard if isinstance(shard, int) else None
        self._keep(EventView(event.name, event.level, text, _now_ms(), fields, of_shard))

    def heard(self, shard: int, events: Sequence[EventView]) -> None:
        """Keep what a shard's worker told."""
        for event in events:
            self._keep(replace(event, shard=shard))

    async def answer(self, line: int, asked: ReadEvents) -> EventPage:
        """Return a page, at once or when there is something to tell. Raises ResourceExhausted when too many wait."""
        page = self._page(asked)
        loop = asyncio.get_running_loop()
        until_s = loop.time() + asked.wait_ms * _MS
        while not (page.events or page.missed or page.more) and loop.time() < until_s and page.run == asked.run:
            await self._told(line, until_s)
            page = self._page(replace(asked, after=page.last))
        return page

    def _keep(self, event: EventView) -> None:
        kept = replace(event, number=self._ring.last + 1, run=self.run)
        texts = (kept.text, kept.agent, *(value for value in kept.fields.values() if isinstance(value, str)))
        self._ring.add(kept, _OF_EVENT + _OF_FIELD * len(kept.fields) + sum(map(getsizeof, texts)))
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    def _page(self, asked: ReadEvents) -> EventPage:
        last = asked.after if asked.run == self.run else 0
        found: list[EventView] = []
        missed = 0
        for looked_at, (number, event, gap) in enumerate(self._ring.behind(last)):
            if looked_at == LOOKED_AT or len(found) >= MAX_EVENT_PAGE:
                return EventPage(self.run, last, found, missed, more=True)
            missed += gap if asked.run == self.run else 0
            last = number
            if _is_asked(event, asked):
                found.append(event)
        return EventPage(self.run, last, found, missed)

    async def _told(self, line: int, until_s: float) -> None:
        if len(self._waiting) >= MOST_WAITING:
            raise ResourceExhausted("calls that wait for events", MOST_WAITING)
        if self._of[line] >= MOST_WAITING_OF_ONE:
            raise ResourceExhausted("calls of one client that wait for events", MOST_WAITING_OF_ONE)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting[future] = line
        self._of[line] += 1
        timer = loop.call_at(until_s, future.cancel)
        try:
            await asyncio.wait([future])
        finally:
            timer.cancel()
            del self._waiting[future]
            self._of[line] -= 1
            if not self._of[line]:
                del self._of[line]


def _is_asked(event: EventView, asked: ReadEvents) -> bool:
    if event.kind == "events_missed":
        return True
    return (
        event.at >= asked.since
        and (not asked.kinds or event.kind in asked.kinds)
        and (not asked.agent_id or event.agent_id == asked.agent_id)
    )


def _plain(value: Any) -> FieldValue:
    """Return a value as it may travel."""
    if isinstance(value, (list, tuple)):
        return [str(one)[:_MAX_VALUE] for one in value[:_MAX_VALUES]]
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)[:_MAX_VALUE]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

"""What a client asks about what happened: agents that came and went, workers that died, limits that came near."""

import re
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime

from msgspec.structs import replace

from caxton.client.calls.arguments import listed, since_1970_ms
from caxton.client.calls.following import NO_ROOM, Following
from caxton.client.connection import Agent, Connection
from caxton.errors import ResourceExhausted, ValidationError
from caxton.printable import counted, shown
from caxton.wire.events import KINDS, MAX_EVENT_WAIT_MS, EventPage, EventView, ReadEvents

_CURSOR = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")


class EventCalls(Connection):
    """`events`."""

    async def events(
        self,
        *,
        since: int | datetime | None = None,
        after: str = "",
        kinds: Iterable[str] = (),
        agent: Agent | None = None,
        follow: bool = False,
    ) -> AsyncIterator[EventView]:
        """Yield what happened in this run of the runtime, oldest first, and with `follow` what happens from then on.

        Of a run the last 10,000 events are kept, and 16 MiB of them. since: only those of this moment or later, a
        datetime or ms since 1970. after: only those behind the event of this `cursor`; of another run, all. kinds: only
        these, of those that docs/events.md lists. agent: only what is about this one.

        Where some are missing an event of the kind "events_missed" says so, and when the runtime was started again one
        of the kind "runtime_restarted". Following ends with the error when the supervisor does not answer for a minute.
        Raises ValidationError; ResourceExhausted when too many follow; NetworkError, Timeout.
        """
        asked = ReadEvents(
            *place_of(after),
            since=0 if since is None else since_1970_ms("since", since),
            kinds=checked_kinds(listed(kinds, str, "kinds")),
            agent_id=0 if agent is None else int(self.id_of(agent)),
        )
        following = Following(self._reach(), None, EventPage)
        while True:
            page = await following.ask(asked, asked.wait_ms)
            if isinstance(page, ResourceExhausted):
                yield _note("events_missed", "info", NO_ROOM.format(page))
                continue
            if asked.run not in {0, page.run}:
                yield _note("runtime_restarted", "warning", "the runtime was started again, and begins anew")
            if page.missed:
                text = f"{counted(page.missed, 'events')} {'is' if page.missed == 1 else 'are'} not kept"
                yield _note("events_missed", "warning", text, page.missed)
            for event in page.events:
                yield event
            if not page.more and not follow:
                return
            asked = replace(asked, run=page.run, after=page.last, wait_ms=MAX_EVENT_WAIT_MS if follow else 0)


def place_of(after: str) -> tuple[int, int]:
    """Return the run and the number of a cursor; raises ValidationError."""
    if not after:
        return 0, 0
    found = _CURSOR.fullmatch(str(after))
    if found is None:
        raise ValidationError("after", f"{shown(after)} is no cursor of an event")
    return int(found[1]), int(found[2])


def checked_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    """Return each of these kinds once; raises ValidationError for what is none."""
    for kind in kinds:
        if kind not in [*KINDS]:
            raise ValidationError("kinds", f"{shown(kind)} is none; there are {', '.join(KINDS)}")
    return tuple(dict.fromkeys(kinds))


def _note(kind: str, severity: str, text: str, missed: int = 0) -> EventView:
    return EventView(kind, severity, text, time.time_ns() // 1_000_000, {"missed": missed} if missed else {})

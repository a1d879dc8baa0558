"""What happened in the runtime, from another machine: what is kept, and live."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime

import msgspec

from caxton.client.calls.arguments import listed, since_1970_ms
from caxton.client.calls.event_calls import EventCalls, checked_kinds, place_of
from caxton.client.connection import Agent
from caxton.errors import CaxtonError, NetworkError
from caxton.forms.events import EventForm
from caxton.remote.connection import NAMED, PAGE, RemoteConnection
from caxton.remote.pages import Cursor
from caxton.wire.events import EventView


class _Events(msgspec.Struct, frozen=True):
    events: list[EventForm]
    next: str | None


class RemoteEvents(RemoteConnection, EventCalls):
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

        A token for some agents is told of these alone. Following ends with NetworkError when the gateway ends.
        """
        place_of(after)
        asked = {
            "since": None if since is None else since_1970_ms("since", since),
            "kind": checked_kinds(listed(kinds, str, "kinds")),
            "agent": None if agent is None else self._text_of(agent),
        }
        line = self._gateway()
        if follow:
            async for name, data in line.events("/v1/events", {**asked, "after": after or None, "follow": "true"}):
                if name == "event":
                    yield self._read(line.read(data, EventForm))
            return
        cursor, more = Cursor(self._address.url, after or None), True
        while more:
            page = await line.get("/v1/events", _Events, {**asked, "after": cursor.after, "limit": PAGE})
            for form in page.events:
                yield self._read(form)
            more = cursor.turn(len(page.events), page.next)

    def _text_of(self, agent: Agent) -> str:
        found, name = self._meant(agent)
        return name if found == NAMED and name is not None else str(found)

    def _read(self, form: EventForm) -> EventView:
        try:
            return form.event()
        except CaxtonError as error:
            raise NetworkError(self._address.url, str(error)) from None

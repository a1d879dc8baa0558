"""`caxton.client.calls.event_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from caxton.client.connection import Agent
from caxton.sync.connection import Connection
from caxton.wire.events import EventView


class EventCalls(Connection):
    """`events`."""

    def events(
        self,
        *,
        since: int | datetime | None = None,
        after: str = "",
        kinds: Iterable[str] = (),
        agent: Agent | None = None,
        follow: bool = False,
    ) -> Iterator[EventView]:
        """Yield what happened in this run of the runtime, oldest first, and with `follow` what happens from then on.

        Of a run the last 10,000 events are kept, and 16 MiB of them. since: only those of this moment or later, a
        datetime or ms since 1970. after: only those behind the event of this `cursor`; of another run, all. kinds: only
        these, of those that docs/events.md lists. agent: only what is about this one.

        Where some are missing an event of the kind "events_missed" says so, and when the runtime was started again one
        of the kind "runtime_restarted". Following ends with the error when the supervisor does not answer for a minute.
        Raises ValidationError; ResourceExhausted when too many follow; NetworkError, Timeout.
        """
        return self._iterated(self._client.events(since=since, after=after, kinds=kinds, agent=agent, follow=follow))

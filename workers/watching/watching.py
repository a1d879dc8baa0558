"""All that is kept of a shard for whoever watches it."""

from collections.abc import Callable

from caxton.records import Records
from workers.watching.events import Events
from workers.watching.logs import Logs
from workers.watching.spans import Spans
from workers.watching.waits import Waits
from workers.watching.watchers import Watchers


class Watching:
    """Owned by the worker's loop. owns: whether this shard has an agent of that id.

    records: what this process logs, None where nobody exports it.
    """

    def __init__(self, shard: int, owns: Callable[[int], bool], records: Records | None = None) -> None:
        self.records = records
        self.waits = Waits()
        self.events = Events()
        self.logs = Logs(self.waits)
        self.watchers = Watchers(shard, self.waits, owns)
        self.spans = Spans()

    def gauges(self) -> dict[str, int]:
        """What the book shows of it."""
        return {
            "log_bytes": self.logs.bytes,
            "log_evicted": self.logs.evicted,
            "watches": len(self.watchers),
            "watched_dropped": self.watchers.dropped,
            "call_pairs": len(self.watchers.graph),
            "call_pairs_evicted": self.watchers.graph.evicted,
            "spans": self.spans.last,
            "spans_dropped": self.spans.dropped,
            "events_dropped": self.events.dropped,
        }

    def removed(self, agent_id: int) -> None:
        """An agent was removed."""
        self.logs.forget(agent_id)
        self.watchers.removed(agent_id)

    def end(self, session: int) -> None:
        """A client is gone."""
        self.watchers.end(session)
        self.waits.end(session)

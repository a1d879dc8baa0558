"""Reasons of health that begin to hold, and the moment when none holds any more: an event each."""

from collections.abc import Callable, Sequence

from caxton.supervisor import events
from caxton.supervisor.desk.reasons import PROBLEM
from caxton.supervisor.events import Event
from caxton.wire.told import HealthReason


class HealthChanges:
    """Owned by the supervisor, which looks often. tell: told of what changed since the last look."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell
        self._known: set[tuple[str, int | None, int]] = set()

    def look(self, reasons: Sequence[HealthReason]) -> None:
        """Take in what holds now; warnings are no matter of health."""
        problems = {(one.name, one.shard, one.since): one for one in reasons if one.level == PROBLEM}
        known, self._known = self._known, {*problems}
        for key in sorted(problems.keys() - known, key=str):
            self._tell(events.health_degraded(problems[key]))
        if known and not problems:
            self._tell(events.health_restored())

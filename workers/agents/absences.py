"""Since when agents cannot have what is sent to them: the timeouts of durable messages stand still meanwhile."""

from caxton.delivery.served_time import ServedTime
from caxton.store.commit import AbsenceRow

# In the place of a time: an agent is not absent.
PRESENT = -1
NEVER_AWAY = AbsenceRow(0, PRESENT)


class Absences:
    """Of the agents of one shard. served: the clock they go by. changed: what the next commit is to store, by agent."""

    def __init__(self, served: ServedTime) -> None:
        self.served = served
        self.changed: dict[int, AbsenceRow | None] = {}


def changed(row: AbsenceRow, now_ms: int, *, absent: bool) -> AbsenceRow:
    """Return how it stands with an agent that goes, or comes, now; as it did if it has gone, or come, already."""
    away_ms, since_ms = row
    if absent == (since_ms != PRESENT):
        return row
    return AbsenceRow(away_ms, now_ms) if absent else AbsenceRow(away_ms + now_ms - since_ms, PRESENT)


def present_ms(row: AbsenceRow, now_ms: int) -> int:
    """Return for how long an agent could have had messages: the clock that timeouts go by."""
    away_ms, since_ms = row
    return (now_ms if since_ms == PRESENT else since_ms) - away_ms

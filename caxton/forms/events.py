"""What an event looks like as JSON."""

import msgspec

from caxton.errors import InvalidMessageFormat
from caxton.forms.moments import moment, read_moment
from caxton.ids import AgentId
from caxton.printable import shown
from caxton.wire.calls import FieldValue
from caxton.wire.events import EventView


class EventForm(msgspec.Struct, frozen=True):
    """An event. cursor: what `after` takes to go on behind it, "" for what only says that others are missing."""

    cursor: str
    at: str
    kind: str
    severity: str
    shard: int | None
    agent: str | None
    agent_id: str | None
    text: str
    fields: dict[str, FieldValue]

    @classmethod
    def of(cls, event: EventView) -> "EventForm":
        """Return the form of an event."""
        return cls(
            event.cursor,
            moment(event.at),
            event.kind,
            event.severity,
            event.shard,
            event.agent or None,
            str(AgentId(event.agent_id)) if event.agent_id else None,
            event.text,
            event.fields,
        )

    def event(self) -> EventView:
        """Return the event that it is the form of. Raises ParseError, InvalidMessageFormat."""
        run, _, number = self.cursor.partition("-")
        if self.cursor and not (run.isdecimal() and number.isdecimal()):
            raise InvalidMessageFormat("cursor", f"{shown(self.cursor)} is none")
        return EventView(
            self.kind,
            self.severity,
            self.text,
            read_moment(self.at),
            self.fields,
            self.shard,
            self.agent or "",
            0 if self.agent_id is None else int(AgentId.parse(self.agent_id)),
            int(number or 0),
            int(run or 0),
        )

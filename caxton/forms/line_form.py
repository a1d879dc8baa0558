"""A line of an agent's log as the gateway tells it."""

import msgspec

from caxton.forms.moments import moment, read_moment
from caxton.ids import MessageId
from caxton.wire.watching import LEVELS, LogLine


class LineForm(msgspec.Struct, frozen=True):
    """A line. level: debug, info, warning, error; or note, the runtime's own word. missed: lines that are not there."""

    number: int
    at: str
    level: str
    message_id: str | None
    text: str
    missed: int

    @classmethod
    def of(cls, line: LogLine) -> "LineForm":
        """Return the form of a line."""
        about = None if line.message_id is None else str(line.message_id)
        return cls(line.number, moment(line.at), line.level, about, line.text, line.missed)

    def line(self) -> LogLine:
        """Return the line that it is the form of. Raises ParseError, ValueError."""
        about = None if self.message_id is None else bytes(MessageId.parse(self.message_id))
        return LogLine(self.number, read_moment(self.at), LEVELS.index(self.level), about, self.text, self.missed)

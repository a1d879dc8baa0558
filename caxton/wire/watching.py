"""What a client asks to see of agents while they run: the lines that guests log.

Whoever follows asks again and again, from where its last answer ended. An answer that has nothing to say waits for
something, so that nobody asks in vain; and one that is lost is asked for again.
"""

from typing import Annotated

import msgspec

from caxton.acl.envelope import Id, UuidBytes
from caxton.ids import MessageId

# How long an answer may wait for something to say, in milliseconds.
MAX_WATCH_WAIT_MS = 10_000
# Lines in an answer: all that are kept of an agent.
MAX_LOG_PAGE = 1_000
# The first four are those of docs/abi.md.
LEVELS = ("debug", "info", "warning", "error", "note")
NOTE = LEVELS.index("note")


class LogLine(msgspec.Struct, array_like=True, frozen=True):
    """A line of an agent's log. number: of the agent's lines since its worker started. at: ms since 1970.

    text: printable, on one line. A line whose level is "note" is none of the agent's: it is the client's own word, such
    as that the worker was restarted, or that lines are missing, and then `missed` says how many.
    """

    number: Id
    at: Id
    level_number: Annotated[int, msgspec.Meta(ge=0, le=NOTE)]
    message: UuidBytes | None
    text: str
    missed: Id = 0

    @property
    def level(self) -> str:
        """How much it matters: debug, info, warning, error; or note."""
        return LEVELS[self.level_number]

    @property
    def message_id(self) -> MessageId | None:
        """Which message the agent was handling; None for a note."""
        return None if self.message is None else MessageId(self.message)


class ReadLog(msgspec.Struct, array_like=True, tag=70, frozen=True):
    """Ask for what an agent logged, behind the line `after` of the log `log` of the worker `incarnation`.

    These are what an earlier answer named; another log is read from its beginning, and at once. tail: only the last so
    many. since: only lines of this moment, in ms since 1970, or later. level: only lines of this level or a higher one.
    wait_ms: for how long the answer waits for a line when there is none.
    """

    agent_id: Id
    incarnation: Id = 0
    log: Id = 0
    after: Id = 0
    tail: Id | None = None
    since: Id = 0
    level: Annotated[int, msgspec.Meta(ge=0, le=NOTE)] = 0
    wait_ms: Annotated[int, msgspec.Meta(ge=0, le=MAX_WATCH_WAIT_MS)] = 0


class LogPage(msgspec.Struct, array_like=True, tag=71, frozen=True):
    """Lines of an agent's log, oldest first.

    incarnation: of the worker that keeps it. log: which log it is, 0 for an agent that has logged nothing there. last:
    how far this goes; the next page is behind it. missed: lines behind the last of these that are not kept.
    """

    incarnation: Id
    log: Id
    last: Id
    lines: Annotated[list[LogLine], msgspec.Meta(max_length=MAX_LOG_PAGE)]
    missed: Id = 0


WatchRequest = ReadLog
WatchResult = LogPage

"""What a client asks to see of agents while they run: the lines that guests log, and messages as they go by.

Whoever follows asks again and again, from where its last answer ended. An answer that has nothing to say waits for
something, so that nobody asks in vain; and one that is lost is asked for again.
"""

from typing import Annotated

import msgspec

from caxton.acl.envelope import AUTOMATIC, DURABLE, Envelope, Id, UuidBytes
from caxton.acl.message import Message
from caxton.ids import MessageId

# How long an answer may wait for something to say, in milliseconds.
MAX_WATCH_WAIT_MS = 10_000
# Lines in an answer: all that are kept of an agent.
MAX_LOG_PAGE = 1_000
# Messages in an answer: all that are kept of what one watches. And what is shown of a content, in bytes.
MAX_WATCHED_PAGE, MAX_SHOWN_CONTENT = 1_000, 4_096
# A watch that nobody asks for so long has ended.
WATCH_LEASE_S = 30
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


class WatchedMessage(msgspec.Struct, array_like=True, frozen=True):
    """A message that went by. at: when its shard saw it, in ms since 1970. content_bytes: of its content.

    envelope: the message, without its content unless that was asked for, and then with the first 4 KiB of it. error:
    why it was refused, where it was; it went by before as a message that came. One without a message is a note, the
    client's own word: that it is watched from here on, that a worker was restarted, or that messages are missing, and
    then `missed` says how many.
    """

    number: Id
    at: Id
    shard: Id | None
    envelope: Envelope | None = None
    content_bytes: Id = 0
    error: str = ""
    note: str = ""
    missed: Id = 0

    @property
    def message(self) -> Message | None:
        """What went by; None for a note."""
        return None if self.envelope is None else Message.of(self.envelope)

    @property
    def is_automatic(self) -> bool:
        """Whether it is the runtime's own word, such as that a message failed; its sender is only who that is about."""
        return self.envelope is not None and bool(self.envelope.flags & AUTOMATIC)

    @property
    def is_durable(self) -> bool:
        """Whether it is a message of the durable lane."""
        return self.envelope is not None and bool(self.envelope.flags & DURABLE)


class Watch(msgspec.Struct, array_like=True, tag=72, frozen=True):
    """Ask for messages of an agent, or of a conversation, that have gone by this shard.

    number: which of the watches of this client; it begins with the first call of this number, and is to be asked for
    every 30 s. incarnation, watch, after: as in `ReadLog`. with_content: the first 4 KiB of contents too.
    """

    number: Id
    agent: Id = 0
    conversation: UuidBytes | None = None
    with_content: bool = False
    incarnation: Id = 0
    watch: Id = 0
    after: Id = 0
    wait_ms: Annotated[int, msgspec.Meta(ge=0, le=MAX_WATCH_WAIT_MS)] = 0


class EndWatch(msgspec.Struct, array_like=True, tag=73, frozen=True):
    """End a watch of this client; one that there is not has ended."""

    number: Id


class WatchPage(msgspec.Struct, array_like=True, tag=74, frozen=True):
    """Messages that went by, in the order in which they did. watch: which one it is; the others as in `LogPage`."""

    incarnation: Id
    watch: Id
    last: Id
    messages: Annotated[list[WatchedMessage], msgspec.Meta(max_length=MAX_WATCHED_PAGE)]


WatchRequest = ReadLog | Watch | EndWatch
WatchResult = LogPage | WatchPage

"""What the loggers of a worker's process wrote, its guests' lines among them, asked for by who exports it."""

from typing import Annotated

import msgspec

from caxton.acl.envelope import Id

# Of records in an answer, and of the characters of a text and of a traceback.
MAX_RECORDS_PAGE, MAX_RECORD_TEXT, MAX_TRACEBACK = 500, 8_192, 16_384


class Record(msgspec.Struct, array_like=True, frozen=True):
    """A record of a log. at_ns: since 1970. level: as in `logging`. logger: who wrote it, such as caxton.guest.

    text: printable, on one line. agent, message_id, trace_id: of a guest's line, "" where there is none. traceback: of
    an error, on several lines.
    """

    at_ns: Id
    level: Annotated[int, msgspec.Meta(ge=0)]
    logger: str
    text: str
    agent: str = ""
    message_id: str = ""
    trace_id: str = ""
    traceback: str = ""


class ReadRecords(msgspec.Struct, array_like=True, tag=98, frozen=True):
    """Ask for records behind the number `after` of the worker `incarnation`; another one's are read from the first."""

    incarnation: Id = 0
    after: Id = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_RECORDS_PAGE)] = MAX_RECORDS_PAGE


class RecordPage(msgspec.Struct, array_like=True, tag=99, frozen=True):
    """Records, oldest first. last: the number of the last of these. missed: those not kept before it.

    more: whether there are others behind them.
    """

    incarnation: Id
    last: Id
    missed: Id
    more: bool
    records: Annotated[list[Record], msgspec.Meta(max_length=MAX_RECORDS_PAGE)]


class RecordCursor(msgspec.Struct, array_like=True, frozen=True):
    """How far the records of each shard were read: its worker's incarnation, and the number of the last one."""

    shards: dict[int, tuple[int, int]] = {}

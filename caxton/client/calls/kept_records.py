"""What the workers' processes log, for who exports it."""

import asyncio
from collections.abc import Sequence

import msgspec

from caxton.client.connection import CALL_TIMEOUT_S, Connection
from caxton.errors import ShardUnavailable
from caxton.wire.records import ReadRecords, Record, RecordCursor, RecordPage


class WorkerRecords(msgspec.Struct, frozen=True):
    """What one worker logged: `shard` says which."""

    shard: int
    records: Sequence[Record]


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """A page of what each worker logged. cursor: where to go on.

    missed: how many had made room for others before they were read here. more: whether some shard has others already.
    A shard that does not serve now is left out.
    """

    shards: Sequence[WorkerRecords]
    cursor: RecordCursor
    missed: int = 0
    more: bool = False


async def records(client: Connection, after: RecordCursor) -> Records:
    """Return what the workers logged behind `after`, at most 500 records of each; what is not kept any more is missed.

    They keep it where the runtime exports it (`caxton serve --otlp`). Raises NetworkError, Timeout.
    """
    line = client._reach()  # noqa: SLF001 (who exports asks, and nobody else: no call for users)
    told = await asyncio.gather(
        *(
            line.call(shard, ReadRecords(*after.shards.get(shard, (0, 0))), RecordPage, CALL_TIMEOUT_S)
            for shard in range(max(line.table.owners) + 1)
        ),
        return_exceptions=True,
    )
    found: list[WorkerRecords] = []
    read, missed, more = dict(after.shards), 0, False
    for shard, page in enumerate(told):
        if isinstance(page, ShardUnavailable):
            continue
        if isinstance(page, BaseException):
            raise page
        missed += page.missed if after.shards.get(shard, (0, 0))[0] in {0, page.incarnation} else 0
        read[shard] = (page.incarnation, page.last)
        more = more or page.more
        found.append(WorkerRecords(shard, page.records))
    return Records(shards=found, cursor=RecordCursor(read), missed=missed, more=more)

"""Calls about what stands in the file: dead letters, and the ledger."""

import msgspec

from caxton.acl.envelope import DURABLE, Envelope, Rare
from caxton.errors import Unsupported
from caxton.store.commit import DeadRow
from caxton.wire.calls import (
    MAX_BATCH,
    AskDeadLetterStats,
    AskLedger,
    ListDeadLetters,
    Purged,
    PurgeDeadLetters,
    Request,
    Requeued,
    RequeueDeadLetters,
    Result,
)
from workers.loop.passes import Passes
from workers.loop.shard import Shard

_decode = msgspec.msgpack.Decoder(Envelope).decode


class DeadLetterCalls:
    """Answers from the file; what changes it is answered when it is committed. what is sent joins a pass."""

    def __init__(self, shard: Shard, passes: Passes) -> None:
        self._shard = shard
        self._store = shard.store
        self._passes = passes

    async def answer(self, request: Request) -> Result:
        """Answer one of these calls. Raises StorageError."""
        durable = self._shard.durable
        match request:
            case ListDeadLetters(which, after, limit, with_content):
                return await self._store.dead_letters(which, after, limit, with_content=with_content)
            case RequeueDeadLetters(which):
                return await self._requeue(*await self._store.letters_with_messages(which, MAX_BATCH))
            case PurgeDeadLetters(which):
                numbers, more = await self._store.numbers(which, MAX_BATCH)
                gone = durable.dead_letters.forget(numbers, "purged")
                await durable.journal.stored_after(self._passes.wake)
                return Purged(len(gone), more)
            case AskDeadLetterStats():
                return await self._store.dead_letter_stats(durable.dead_letters.capacity)
            case AskLedger():
                return await self._store.ledger()
            case _:
                raise Unsupported(type(request).__name__, "use a client of this version")

    async def _requeue(self, rows: list[DeadRow], more: bool) -> Requeued:  # noqa: FBT001 (what the store says)
        durable, routes = self._shard.durable, self._shard.routes
        # From now on: or what dies again at once would seem to be older than the call, and go again.
        a_pass = self._passes.renew()
        there = set(durable.dead_letters.forget([row.number for row in rows], "requeued"))
        sent: dict[int, bytes] = {}
        for row in rows:
            if row.number in there:
                message = _again(row, routes.ids.next(), a_pass.wall_ms)
                sent[row.number] = message.message_id
                durable.routes.send_again(message, a_pass)
        await durable.journal.stored_after(self._passes.wake)
        return Requeued(sent, more)


def _again(row: DeadRow, message_id: bytes, now_ms: int) -> Envelope:
    """Return the message of a dead letter as it goes again: under a new id, with no attempts, and a link to the old."""
    message = _decode(row.message)
    message.message_id = message_id
    message.created_at = now_ms
    message.flags |= DURABLE
    rare = message.rare or Rare()
    message.rare = msgspec.structs.replace(rare, requeued_from=row.number, idempotency_key=None)
    return message

"""Calls about what stands in the file: dead letters, and the ledger."""

import msgspec

from caxton.acl.envelope import DURABLE, Envelope, Rare
from caxton.errors import Unsupported
from caxton.printable import counted
from caxton.store.commit import DeadRow
from caxton.wire.audit import Entry, ReadAudit
from caxton.wire.calls import (
    MAX_BATCH,
    AskDeadLetterStats,
    AskLedger,
    DeadLetterFilter,
    ListDeadLetters,
    PurgeDeadLetters,
    Request,
    RequeueDeadLetters,
    Result,
)
from caxton.wire.dead_letter_results import Purged, Requeued
from workers.loop.call_line import CallLine, Check
from workers.loop.passes import Passes
from workers.loop.shard import Shard

_decode = msgspec.msgpack.Decoder(Envelope).decode


class DeadLetterCalls:
    """Answers from the file; what changes it is answered when it is committed. what is sent joins a pass.

    reads: the turns to read the file. With one read at a time a commit waits for one of them at most.
    """

    def __init__(self, shard: Shard, passes: Passes, reads: CallLine) -> None:
        self._shard = shard
        self._store = shard.store
        self._passes = passes
        self._reads = reads

    async def answer(self, request: Request, check: Check, principal: str = "") -> Result:
        """Answer one of these calls. Raises StorageError, and what `check` raises."""
        match request:
            case RequeueDeadLetters(which):
                which = self._up_to_now(which)
                async with self._reads.turn(check):
                    rows, more = await self._store.letters_with_messages(which, MAX_BATCH)
                return await self._requeue(rows, more, which.up_to or 0, principal)
            case PurgeDeadLetters(which):
                which = self._up_to_now(which)
                async with self._reads.turn(check):
                    numbers, more = await self._store.numbers(which, MAX_BATCH)
                return await self._purge(numbers, more, which.up_to or 0, principal)
            case _:
                async with self._reads.turn(check):
                    return await self._read(request)

    async def _read(self, request: Request) -> Result:
        match request:
            case ListDeadLetters(which, after, limit, with_content):
                return await self._store.dead_letters(which, after, limit, with_content=with_content)
            case AskDeadLetterStats():
                return await self._store.dead_letter_stats(self._shard.durable.dead_letters.capacity)
            case ReadAudit():
                return await self._store.audit(request)
            case AskLedger():
                return await self._store.ledger()
            case _:
                raise Unsupported(type(request).__name__, "use a client of this version")

    def _up_to_now(self, which: DeadLetterFilter) -> DeadLetterFilter:
        """Leave out what dies from now on: a message that is sent again and dies at once would go again for ever."""
        if which.up_to is not None or which.ids is not None:
            return which
        return msgspec.structs.replace(which, up_to=self._shard.durable.journal.last_number)

    async def _purge(self, numbers: list[int], more: bool, up_to: int, principal: str) -> Purged:  # noqa: FBT001 (what the store says)
        durable = self._shard.durable
        self._told("purge", principal, numbers)
        gone = durable.dead_letters.forget(numbers, "purged")
        await durable.journal.stored_after(self._passes.wake)
        return Purged(len(gone), more, up_to)

    async def _requeue(self, rows: list[DeadRow], more: bool, up_to: int, principal: str) -> Requeued:  # noqa: FBT001 (as above)
        durable, routes = self._shard.durable, self._shard.routes
        a_pass = self._passes.renew()  # what goes again is created now
        numbers = [row.number for row in rows]
        self._told("requeue", principal, numbers)
        there = set(durable.dead_letters.forget(numbers, "requeued"))
        sent: dict[int, bytes] = {}
        for row in rows:
            if row.number in there:
                message = _again(row, routes.ids.next(), a_pass.wall_ms)
                sent[row.number] = message.message_id
                durable.routes.send_again(message, a_pass)
        await durable.journal.stored_after(self._passes.wake)
        return Requeued(sent, more, up_to)

    def _told(self, action: str, principal: str, numbers: list[int]) -> None:
        """Have it stand in the audit what is about to be done to these, by the commit that does it: of each agent."""
        durable, now_ms = self._shard.durable, self._passes.present.wall_ms
        for agent_id, count in durable.dead_letters.agents_of(numbers).items():
            agent = self._shard.registry.find(agent_id)
            whose = f"{agent_id:016x}" if agent is None else agent.manifest.name
            durable.journal.commit.audit.append(Entry(now_ms, action, principal, whose, counted(count, "dead letters")))


def _again(row: DeadRow, message_id: bytes, now_ms: int) -> Envelope:
    """Return the message of a dead letter as it goes again: under a new id, with no attempts, and a link to the old."""
    message = _decode(row.message)
    message.message_id = message_id
    message.created_at = now_ms
    message.flags |= DURABLE
    if message.cause is not None:  # somebody wants it to go on: what follows is counted anew, for the same principal
        message.cause = msgspec.structs.replace(message.cause, hops=0, root=message_id, waiters=None)
    rare = message.rare or Rare()
    message.rare = msgspec.structs.replace(rare, requeued_from=row.number, idempotency_key=None, expires_at=None)
    return message

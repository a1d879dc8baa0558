"""The files of the shards that are to be: what comes from any old one goes to the shard whose it is now."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from caxton.acl.envelope import Envelope
from caxton.delivery.dead_letter import Reason
from caxton.ids import SESSION_BIT
from caxton.placement.slot_table import SlotTable
from caxton.store.agents import add_agent_rows
from caxton.store.audit import copy_rows
from caxton.store.commit import AbsenceRow, Commit, ConversationRow, DeadRow, KeyRow, QueueRow, SourceRow, UnfinishedRow
from caxton.store.counters import SERVED
from caxton.store.ledger import COUNTERS
from caxton.store.routes import Route, StoredRoutes
from caxton.store.shard_store import ShardStore
from caxton.store.statements import Row
from caxton.store.waiting import Waiting, encode_waiting, root_of
from caxton.wire.audit import AuditHead, AuditRow
from caxton.wire.shard_ledger import ShardLedger

# What is gathered for a file is written when it has grown to this, while as much is gathered again.
FULL_ROWS, FULL_BYTES = 10_000, 4 << 20
_BIT = 8


class NewShard:
    """One file. What is added is written when there is enough of it, and in the end.

    It is written while more is read and added: whoever adds waits only when that is written more slowly.
    """

    def __init__(self, store: ShardStore, writers: asyncio.TaskGroup) -> None:
        self.store = store
        self._writers = writers
        self.counts: Counter[str] = Counter()
        self._commit = Commit()
        self._rows = self._bytes = 0
        self._writing: asyncio.Task[None] | None = None

    async def add_messages(self, number: int, messages: list[tuple[int, Waiting, int]], *, keep_places: bool) -> None:
        """Add a row of messages that wait: of each its place in the old row, and its deaths.

        keep_places: something refers to places in this row, so what stood before each of them is there, empty and done.
        """
        row: list[Waiting] = []
        marks = 0
        for place, waiting, deaths in messages:
            while keep_places and len(row) < place:
                marks |= 1 << len(row)
                row.append(_EMPTY)
            if deaths:
                self._commit.charges[self.store.file_id, root_of(number, len(row))] = deaths
            row.append(waiting)
            self._count_accepted(waiting.message)
        encoded = encode_waiting(row)
        self._commit.unfinished.append(UnfinishedRow(number, len(row), encoded))
        if marks:
            size = (len(row) + _BIT - 1) // _BIT
            self._commit.done[number] = marks.to_bytes(size, "little"), marks.bit_count()
        await self._grew(len(encoded))

    async def add_queued(self, row: QueueRow, message: Envelope, deaths: int) -> None:
        """Add a message with a row of its own."""
        self._commit.queued[row.number] = row
        if deaths:
            self._commit.charges[self.store.file_id, root_of(row.number)] = deaths
        self._count_accepted(message)
        await self._grew(len(row.message))

    async def add_letter(self, row: DeadRow) -> None:
        """Add a dead letter."""
        self._commit.dead[row.number] = row
        self.counts["expired" if row.reason == Reason.EXPIRED else "dead"] += 1
        self.counts["accepted_clients" if row.sender >= SESSION_BIT else "accepted_agents"] += 1
        await self._grew(len(row.message))

    async def add_state(self, agent_id: int, state: bytes) -> None:
        """Add what an agent returned as its state."""
        self._commit.states[agent_id] = state
        await self._grew(len(state))

    async def add_absence(self, agent_id: int, row: AbsenceRow) -> None:
        """Add since when an agent cannot have what is sent to it."""
        self._commit.absences[agent_id] = row
        await self._grew(0)

    async def add_key(self, row: KeyRow) -> None:
        """Add an idempotency key."""
        self._commit.keys[row.receiver, row.key] = row
        await self._grew(len(row.answer or b""))

    async def add_conversation(self, row: ConversationRow) -> None:
        """Add what is known of a conversation."""
        self._commit.conversations.append(row)
        await self._grew(len(row.records))

    async def add_agents(self, agents: list[Row], versions: list[Row]) -> None:
        """Add registrations and their versions, column by column as they stood."""
        await self._write(self.store.database.write(lambda db: add_agent_rows(db, agents, versions)))

    async def add_audit(self, rows: Sequence[AuditRow], heads: Sequence[AuditHead]) -> None:
        """Add chains of the audit of another file as they stood."""
        await self._write(self.store.database.write(lambda db: copy_rows(db, rows, heads)))

    async def add_routes(self, routes: dict[int, Route]) -> None:
        """Add ways to agents of other nodes."""
        await StoredRoutes(self.store.database).save(routes)

    async def charge_agent(self, agent_id: int, deaths: int) -> None:
        """Add the deaths that an agent is charged with."""
        self._commit.charges[0, agent_id] = deaths
        await self._grew(0)

    async def end(self, counts: Counter[str], sources: dict[int, int], next_number: int) -> ShardLedger:
        """Write the rest, with the counters of the books; returns what the file has then."""
        self._commit.counts = Counter({name: count for name, count in counts.items() if count})
        self._commit.sources = {file: SourceRow(taken, None) for file, taken in sources.items()}
        self._commit.next_number = next_number
        await self._flush()
        await self._written()
        return await self.store.ledger()

    def _count_accepted(self, message: Envelope) -> None:
        self.counts["accepted_clients" if message.sender >= SESSION_BIT else "accepted_agents"] += 1

    async def _grew(self, size: int) -> None:
        self._rows += 1
        self._bytes += size
        if self._rows >= FULL_ROWS or self._bytes >= FULL_BYTES:
            await self._flush()

    async def _flush(self) -> None:
        commit, self._commit = self._commit, Commit()
        self._rows = self._bytes = 0
        await self._write(self.store.commit(commit))

    async def _write(self, work: Coroutine[None, None, None]) -> None:
        """Begin to write, after what is being written."""
        await self._written()
        self._writing = self._writers.create_task(work)
        await asyncio.sleep(0)  # it begins now, on the connection's thread

    async def _written(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing


class NewShards:
    """All of them, by number."""

    def __init__(self, shards: list[NewShard]) -> None:
        self.shards = shards
        self._table = SlotTable.even(len(shards))

    def of(self, agent_id: int) -> NewShard:
        """Return the shard that an agent belongs to."""
        return self.shards[self._table.shard_of(agent_id)]

    def by_shard(self, rows: Iterable[Row]) -> dict[NewShard, list[Row]]:
        """Return rows that begin with an agent's id, by the shard that this belongs to."""
        found: dict[NewShard, list[Row]] = {}
        shards, shard_of = self.shards, self._table.shard_of
        for row in rows:
            found.setdefault(shards[shard_of(row[0])], []).append(row)  # type: ignore[arg-type] # an id, by its table
        return found

    def of_letter(self, letter: DeadRow) -> NewShard:
        """Return the shard for a dead letter: its receiver's; those that were for clients stand in the first."""
        return self.shards[0] if letter.receiver >= SESSION_BIT else self.of(letter.receiver)

    async def end(
        self, totals: Counter[str], lost_files: dict[int, int], served_ms: int, next_number: int
    ) -> list[ShardLedger]:
        """Write the rest. What was counted before, and stands in no other shard's rows, is in the first one's books."""
        first = Counter({name: totals[name] for name in COUNTERS})
        for shard in self.shards[1:]:
            first.subtract(shard.counts)
        first["emitted_workers"] = totals["emitted_before"]
        first["taken_workers"] = sum(lost_files.values())
        books = [first, *(shard.counts for shard in self.shards[1:])]
        ledgers = []
        for number, (shard, counts) in enumerate(zip(self.shards, books, strict=True)):
            counts[SERVED] = served_ms
            ledgers.append(await shard.end(counts, {} if number else lost_files, next_number))
        return ledgers


@asynccontextmanager
async def new_shards(directory: Path, count: int) -> AsyncIterator[NewShards]:
    """Make the files, and close them after the block. Raises StorageError, also when a write beside it fails."""
    stores: list[ShardStore] = []
    try:
        for shard in range(count):
            stores.append(await ShardStore.open(directory / f"shard-{shard}.db", shard))  # noqa: PERF401 (those that are open are closed)
        async with asyncio.TaskGroup() as writers:
            yield NewShards([NewShard(store, writers) for store in stores])
    except BaseExceptionGroup as errors:  # of who wrote, and of who waited for it: they are one
        raise errors.exceptions[0] from None
    finally:
        for store in stores:
            await store.close()


_EMPTY = Waiting(Envelope(bytes(16), 0, 0, 0, b""), 0, 0, 0, 0)

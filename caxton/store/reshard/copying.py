"""Copies what the files of some shards hold into files of another number of shards, and proves that all of it is there.

Every row keeps its order among those of its old file: numbers are moved by what the files before it have used. A
message that was on its way from one shard to another waits at its receiver's. No file, source or position of before is
known in the new ones: all links begin anew. The books go on: what was counted ever is counted still.
"""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path

import msgspec

from caxton.acl.envelope import AUTOMATIC, Envelope
from caxton.conversations.delta import encode_copy, folded
from caxton.delivery.dead_letter import Reason
from caxton.errors import SessionNotFound, StorageError, to_fields
from caxton.ids import SESSION_BIT, AgentId
from caxton.store import dead_letters
from caxton.store.audit import read_heads, read_rows
from caxton.store.commit import ConversationRow, DeadRow, OutboxRow, QueueRow
from caxton.store.counters import SERVED
from caxton.store.ledger import Figures, check
from caxton.store.recovered import (
    InQueue,
    in_queue,
    in_unfinished,
    read_absences,
    read_conversations,
    read_keys,
    read_outbox,
    read_states,
    read_unfinished,
)
from caxton.store.reshard.new_shards import NewShard, NewShards, new_shards
from caxton.store.reshard.old_shard import OldShard, look, messages_of
from caxton.store.routes import read_routes
from caxton.store.waiting import DURABLE_ROOT, Waiting, encode_waiting, root_of
from caxton.wire.audit import MAX_AUDIT_PAGE
from caxton.wire.calls import Failed
from caxton.wire.shard_ledger import ShardLedger

# Told now and then: rows copied, of so many.
Progress = Callable[[int, int], None]
_AGENTS_AT_ONCE = 5_000
# How many rows more, before it is told again how many were copied.
_TOLD_AFTER = 1_000
_VERSIONS = "SELECT * FROM agent_versions WHERE agent_id BETWEEN ? AND ? ORDER BY agent_id, number"
_encode = msgspec.msgpack.Encoder().encode


@dataclass
class Copied:
    """What is in the new files. waiting: messages, of which `moved` were on their way between shards.

    ended: dead letters of what was for clients that have ended, beside the `dead_letters` of before.
    """

    agents: int = 0
    waiting: int = 0
    moved: int = 0
    dead_letters: int = 0
    ended: int = 0
    states: int = 0
    idempotency_keys: int = 0


@dataclass
class Copying:
    """One copy, under way."""

    old: list[OldShard]
    new: NewShards
    wall_ms: int
    tell: Progress
    done: Copied = field(default_factory=Copied)
    totals: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._span = sum(shard.meta.next_number for shard in self.old)
        self._next = 2 * self._span + 1
        self._served_ms = max(shard.ledger.counts.get(SERVED, 0) for shard in self.old)
        self._rows = sum(shard.rows for shard in self.old)
        self._copied = self._told = 0

    async def run(self) -> list[ShardLedger]:
        """Copy everything; returns the books of the new shards."""
        for shard in self.old:
            self.totals.update(shard.ledger.counts)
            await self._agents(shard)
            await self._belongings(shard)
            await self._waiting(shard)
            await self._letters(shard)
            await self._conversations(shard)
        await self._audit()
        for shard in self.old:  # after all that waits, since it was sent later
            await self._outbox(shard)
        files = {shard.meta.file_id for shard in self.old}
        lost: Counter[int] = Counter()
        for shard in self.old:
            lost.update({file: n for file, n in shard.taken.items() if file < SESSION_BIT and file not in files})
        self.tell(self._copied, self._rows)
        return await self.new.end(self.totals, lost, self._served_ms, self._next)

    def _went(self, rows: int = 1) -> None:
        self._copied += rows
        if self._copied >= self._told + _TOLD_AFTER:
            self._told = self._copied
            self.tell(self._copied, self._rows)

    async def _agents(self, shard: OldShard) -> None:
        with shard.opened() as db:
            rows = db.execute("SELECT * FROM agents ORDER BY id")
            while some := list(islice(rows, _AGENTS_AT_ONCE)):
                versions = self.new.by_shard(db.execute(_VERSIONS, (some[0][0], some[-1][0])))
                for target, own in self.new.by_shard(some).items():
                    await target.add_agents(own, versions.get(target, []))
                self.done.agents += len(some)
                self._went(len(some))
            for agent_id, route in read_routes(db):
                await self.new.of(agent_id).add_routes({agent_id: route})

    async def _belongings(self, shard: OldShard) -> None:
        """What agents have: their states, keys and absences, and what they are charged with."""
        with shard.opened() as db:
            for agent_id, state in read_states(db):
                await self.new.of(agent_id).add_state(agent_id, state)
                self.done.states += 1
            later_ms = self._later_ms(shard)
            for key in read_keys(db):
                await self.new.of(key.receiver).add_key(key._replace(expires_ms=key.expires_ms + later_ms))
                self.done.idempotency_keys += 1
            for agent_id, absence in read_absences(db):
                since_ms = absence.since_ms if absence.since_ms < 0 else absence.since_ms + later_ms
                await self.new.of(agent_id).add_absence(agent_id, absence._replace(since_ms=since_ms))
        for (source, number), deaths in shard.charges.items():
            if source == 0:
                await self.new.of(number).charge_agent(number, deaths)

    async def _audit(self) -> None:
        """What was done: all chains go on standing, in the first new file, and end where they end.

        Their rows stand in one order of time, so that those make room first that are the oldest of all.
        """
        first = self.new.shards[0]
        with ExitStack() as opened:
            files = [opened.enter_context(shard.opened()) for shard in self.old]
            rows = merge(*map(read_rows, files), key=attrgetter("at"))
            while some := list(islice(rows, MAX_AUDIT_PAGE)):
                await first.add_audit(some, [])
            await first.add_audit([], [head for db in files for head in read_heads(db)])

    def _later_ms(self, shard: OldShard) -> int:
        """How much later it is on the new files' served time than it was on this one's."""
        return self._served_ms - shard.ledger.counts.get(SERVED, 0)

    async def _conversations(self, shard: OldShard) -> None:
        """Let each of the new shards know of a conversation that has agents in it; the first of them has its counts."""
        later_ms = self._later_ms(shard)
        with shard.opened() as db:
            records = folded(row.deltas for row in read_conversations(db))
        for record in records:
            record.due_ms += later_ms
            agents = [party for party in sorted(record.parties) if party < SESSION_BIT]
            for place, target in enumerate(dict.fromkeys(self.new.of(agent) for agent in agents)):
                number, self._next = self._next, self._next + 1
                await target.add_conversation(ConversationRow(number, 1, encode_copy(record, counts=not place)))

    async def _waiting(self, shard: OldShard) -> None:
        file, later_ms = shard.meta.file_id, self._later_ms(shard)
        with shard.opened() as db:
            referred = {row for (row,) in db.execute("SELECT DISTINCT from_row FROM message_queue")}
            messages = in_unfinished(db, read_unfinished(db))
            for number, row in groupby(messages, lambda found: found[0].number):
                placed = [
                    (at.place, _later(waiting, later_ms), shard.charges.get((file, root_of(number, at.place)), 0))
                    for at, waiting in row
                ]
                await self._add_messages(shard.base + number, placed, keep_places=number in referred)
                self._went()
            for at, waiting in in_queue(db):
                deaths = shard.charges.get((file, root_of(at.number)), 0)
                message = waiting.message
                await self.new.of(message.receiver).add_queued(
                    _moved(at, _later(waiting, later_ms), shard.base), message, deaths
                )
                self.done.waiting += 1
                self._went()

    async def _add_messages(self, number: int, row: list[tuple[int, Waiting, int]], *, keep_places: bool) -> None:
        by_shard: dict[NewShard, list[tuple[int, Waiting, int]]] = {}
        for message in row:
            by_shard.setdefault(self.new.of(message[1].message.receiver), []).append(message)
        for shard, messages in by_shard.items():
            await shard.add_messages(number, messages, keep_places=keep_places)
        self.done.waiting += len(row)

    async def _letters(self, shard: OldShard) -> None:
        with shard.opened() as db:
            for letter in dead_letters.every_row(db):
                before = letter.requeued_from
                moved = letter._replace(
                    number=shard.base + letter.number, requeued_from=None if before is None else shard.base + before
                )
                await self.new.of_letter(letter).add_letter(moved)
                self.done.dead_letters += 1
                self._went()

    async def _outbox(self, shard: OldShard) -> None:
        for target, way in shard.targets.items():
            if target < SESSION_BIT and self._is_stale(target, way.file):
                self.totals["emitted_before"] += way.acknowledged  # by a store that its shard has lost since
        with shard.opened() as db:
            for row in read_outbox(db):
                messages = messages_of(row.messages)
                if row.target >= SESSION_BIT:
                    await self._end(messages)
                else:
                    await self._arrive(shard, row, messages)
                self._went()

    def _is_stale(self, target: int, file: int) -> bool:
        return file not in {0, self.old[target].meta.file_id}

    async def _arrive(self, shard: OldShard, row: OutboxRow, messages: list[Envelope]) -> None:
        """Let messages on their way between two shards wait where they go, unless they were taken there already."""
        receiver, file = self.old[row.target], shard.meta.file_id
        taken = 0 if self._is_stale(row.target, shard.targets[row.target].file) else receiver.taken.get(file, 0)
        placed = []
        for place, message in enumerate(messages):
            sequence = row.first + place
            if sequence > taken:
                deaths = receiver.charges.get((file, sequence | DURABLE_ROOT), 0)
                placed.append((place, Waiting(message, 0, 0, 0, 0), deaths))
        if placed:
            await self._add_messages(self._span + shard.base + row.number, placed, keep_places=False)
            self.done.moved += len(placed)

    async def _end(self, messages: list[Envelope]) -> None:
        """A client that has ended takes nothing: what was for it is dead, as it is when a worker starts."""
        for message in messages:
            if message.flags & AUTOMATIC:
                self.totals["acknowledged_sessions"] += 1  # what it speaks of is a dead letter already
                continue
            self.totals["dead_outbox"] += 1
            error = SessionNotFound(str(AgentId(message.receiver)))
            letter = DeadRow(
                self._next,
                Reason.SESSION_ENDED,
                Failed(type(error).__name__, to_fields(error)),
                0,
                self.wall_ms,
                message.sender,
                message.receiver,
                len(message.content),
                _encode(message),
                None if message.rare is None else message.rare.requeued_from,
            )
            self._next += 1
            await self.new.of_letter(letter).add_letter(letter)
            self.done.ended += 1


async def copy(paths: list[Path], directory: Path, count: int, tell: Progress) -> tuple[Copied, Figures]:
    """Copy the shards in these files, by number, into `count` new files in an empty directory; all are closed then.

    Returns what was copied, and the books of all new shards. Raises StorageError for files that are not whole, or whose
    books do not balance, before or after; StorageFull when there is no room. The old files are as they were.
    """
    now_ms = time.time_ns() // 1_000_000
    old: list[OldShard] = []
    for shard, path in enumerate(paths):
        old.append(await look(path, shard, sum(one.meta.next_number for one in old)))
    before = check([shard.ledger for shard in old]).whole
    if not before.balanced:
        raise StorageError(str(paths[0].parent), f"its books do not balance: {'; '.join(before.problems)}")
    async with new_shards(directory, count) as new:
        copying = Copying(old, new, now_ms, tell)
        ledgers = await copying.run()
    after = check(ledgers).whole
    _compare(before, after, copying.done, sum(shard.agents for shard in old), ledgers)
    return copying.done, after


def _compare(before: Figures, after: Figures, copied: Copied, agents: int, ledgers: list[ShardLedger]) -> None:
    """Raise StorageError unless everything of before is there, once."""
    rows: Counter[str] = Counter()
    for ledger in ledgers:
        rows.update(ledger.rows)
    wanted = {
        "accepted": (before.accepted, after.accepted),
        "expired": (before.expired, after.expired),
        "waiting": (before.pending + copied.moved, copied.waiting),
        "pending": (copied.waiting, after.pending),
        "dead": (before.dead + copied.ended, after.dead),
        "agents": (agents, rows["agents"]),
        "states": (copied.states, rows["agent_states"]),
        "idempotency keys": (copied.idempotency_keys, rows["idempotency_keys"]),
        "dead letters": (copied.dead_letters + copied.ended, sum(ledger.dead_letters for ledger in ledgers)),
    }
    differ = [f"{name}: {was} before, {now} after" for name, (was, now) in wanted.items() if was != now]
    if differ or not after.balanced:
        raise StorageError("new shards", f"not what the old ones hold: {'; '.join([*differ, *after.problems])}")


def _later(waiting: Waiting, later_ms: int) -> Waiting:
    """Put a message on its new shard's served time: what remained remains, since its agent's absences are moved too."""
    if waiting.came_ms >= 0:
        waiting.came_ms += later_ms
    if waiting.due_ms >= 0:
        waiting.due_ms += later_ms
    return waiting


def _moved(at: InQueue, waiting: Waiting, base: int) -> QueueRow:
    message = waiting.message
    return QueueRow(
        base + at.number,
        message.receiver,
        message.level,
        waiting.attempts,
        at.next_retry_ms,
        at.created_ms,
        encode_waiting([waiting]),
        base + at.from_row if at.from_row else 0,
        at.from_place,
    )

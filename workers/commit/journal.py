"""What durable turns cause, gathered by passes until one commit writes all of it; what that commit then releases.

Process, then commit, then release: nothing gathered here is seen by anybody before the file has it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

import msgspec

from caxton.acl.envelope import Envelope
from caxton.config.conversations import DEFAULT_CONVERSATIONS, ConversationSettings
from caxton.delivery.served_time import ServedTime
from caxton.errors import StorageFull
from caxton.links.durable import DurableIncoming
from caxton.store.commit import Commit, OutboxRow, QueueRow, SourceRow, UnfinishedRow
from caxton.store.counters import SERVED
from caxton.store.waiting import Waiting
from caxton.wire.frames import FULL_FRAME_BYTES
from workers.agents.absences import Absences
from workers.agents.delivery import ROW_SPAN, Delivery, StoredRow
from workers.agents.mailbox import weight
from workers.agents.states import States
from workers.commit.outbox import Outbox
from workers.commit.roots import Roots
from workers.conversations.conversations import Conversations
from workers.conversations.log import ConversationLog
from workers.conversations.protocols import ProtocolRules
from workers.worker_pass import NS_PER_MS, Pass

_encode = msgspec.msgpack.Encoder().encode
_MOST_IN_ROW = 256
# Rows that hold one message each, at which a commit is full: passes wait until the one before is written, so that no
# commit lasts much longer than others, whatever turns cause. What most turns cause shares rows, and is not counted.
MOST_ROWS = 2_048
# How often the served time goes into the file while anything waits: a crash lets no message wait much longer than that.
CLOCK_EVERY_MS = 5_000


class Source:
    """The incoming side of one file: a worker's store or a session. taken, taken_bytes: since the last close."""

    __slots__ = ("file", "incoming", "peer_number", "taken", "taken_bytes")

    def __init__(self, file: int, incoming: DurableIncoming) -> None:
        self.file = file
        self.incoming = incoming
        # Who speaks for this file now: an incarnation, or the session; 0 while nobody does.
        self.peer_number = 0
        self.taken = 0
        self.taken_bytes = 0


class Closed:
    """One commit with what follows when it is done: frames by outbox, and messages placed by source."""

    __slots__ = ("commit", "placed", "rows", "waiters")

    def __init__(self, commit: Commit) -> None:
        self.commit = commit
        self.rows: list[tuple[Outbox, list[OutboxRow]]] = []
        self.placed: list[tuple[Source, int, int]] = []
        self.waiters: list[asyncio.Future[None]] = []


class Journal:
    """Owned by the worker's loop. file: this store's id, the source of the roots of what is stored here.

    emitted: by target, what the turns of this commit batch sent; emitted_bytes: the contents that `emit` added to it.
    processed: durable turns that ended for good since the last close; the turn itself counts them. urgent: something
    waits for the commit; what is not urgent goes with the next. under_way: a commit is being written. unfinished: how
    many deliveries are not finished. to_disk: what those weigh that this commit stores and memory does not keep; rows:
    shared rows in which such are, or were, by number. committed_below: every row with a lower number is committed;
    first_number: rows from it on are of this life. now_ns, wall_ms: when the pass that gathers began, monotonic and
    since 1970. served: the clock of what is stored. absences, states: of the shard's agents; most_state_bytes: what all
    states may come to. conversations: of the shard.
    """

    def __init__(
        self,
        file: int,
        conversations: ConversationSettings = DEFAULT_CONVERSATIONS,
        owns: Callable[[int], bool] = lambda _: True,
        most_state_bytes: int = 1 << 62,
    ) -> None:
        self.file = file
        self.commit = Commit()
        self.emitted: dict[int, list[Envelope]] = {}
        self.emitted_bytes: Counter[int] = Counter()
        self.processed = 0
        self.urgent = False
        self.under_way = False
        self.unfinished = self.to_disk = 0
        self.rows: dict[int, StoredRow] = {}
        self.committed_below = self.first_number = 1
        self.now_ns = self.wall_ms = 0
        self.served = ServedTime()
        self.absences = Absences(self.served)
        self.states = States(most_state_bytes)
        self.conversations = Conversations(
            conversations, self.served, ConversationLog(self.number), owns, ProtocolRules()
        )
        self.roots = Roots(file)
        self._next_number = 1
        self._fresh: dict[Delivery, None] = {}
        # Shared rows in which something has ended: their marks are written once for all that has.
        self._marked: dict[int, StoredRow] = {}
        self._moved: dict[int, Source] = {}
        self._packed: list[tuple[Outbox, list[OutboxRow]]] = []
        self._waiters: list[asyncio.Future[None]] = []
        # Of those who wait, the ones that are told at once when there is no room.
        self._impatient: set[asyncio.Future[None]] = set()

    @property
    def counts(self) -> Counter[str]:
        """What the shard's ledger is to count with this commit."""
        return self.commit.counts

    @property
    def empty(self) -> bool:
        """True when there is nothing to commit, urgent or not."""
        commit = self.commit
        clock_is_due = self.unfinished > 0 and self.served.not_stored_ms >= CLOCK_EVERY_MS
        return not (
            self.urgent
            or self.processed
            or self.emitted
            or self._moved
            or commit.settled
            or commit.conversations_gone
            or commit.targets
            or clock_is_due
        )

    @property
    def is_full(self) -> bool:
        """True when so much is gathered that it is better written before there is more: see MOST_ROWS."""
        commit = self.commit
        return (
            len(commit.dead) + len(commit.buried) + len(commit.queued) + len(commit.dequeued) + len(commit.keys_gone)
        ) >= MOST_ROWS

    @property
    def quiet(self) -> bool:
        """True when nothing is gathered or under way that somebody waits for."""
        return not (self.urgent or self.under_way)

    def restore(self, next_number: int, served_ms: int = 0) -> None:
        """Know the first number that the file never used, and for how long it was served."""
        self._next_number = self.committed_below = self.first_number = max(1, next_number)
        self.served.restore(served_ms)

    def begin(self, a_pass: Pass) -> None:
        """What follows is gathered by this pass."""
        self.now_ns, self.wall_ms = a_pass.now_ns, a_pass.wall_ms
        self.conversations.wall_ms = a_pass.wall_ms
        self.served.go_on(a_pass.now_ns)

    @property
    def last_number(self) -> int:
        """The largest number that was given: whatever is there now has no larger one."""
        return self._next_number - 1

    def number(self) -> int:
        """Return a number that no row of this file ever had."""
        number = self._next_number
        self._next_number = number + 1
        return number

    def took(self, source: Source, count: int, size: int) -> None:
        """Messages of a source were taken: acknowledged, and their credit given back, when this is committed."""
        source.taken += count
        source.taken_bytes += size
        self._moved[source.file] = source
        self.urgent = True

    def confirmed(self, source: Source) -> None:
        """A source has seen refusals: they need not be kept any longer. Nobody waits for it."""
        self._moved[source.file] = source

    def emit(self, target: int, message: Envelope) -> None:
        """Let a message go out to a shard or a session when this is committed."""
        self.emitted_bytes[target] += len(message.content)
        waiting = self.emitted.get(target)
        if waiting is None:
            self.emitted[target] = [message]
            self.urgent = True
        else:
            waiting.append(message)

    def renumber(self, outbox: Outbox) -> None:
        """A target has another store: what the old one has not acknowledged goes to it, numbered anew."""
        commit = self.commit
        commit.settled += [packed.number for packed in outbox.frames]
        rows = outbox.begin_anew(self.number)
        commit.outbox += rows
        commit.targets[outbox.target] = outbox.row()
        if rows:
            self._packed.append((outbox, rows))
        self.urgent = True

    def end_session(self, number: int) -> list[Envelope]:
        """A client is gone: the file forgets it. Returns what was gathered for it and not yet packed."""
        self._moved.pop(number, None)
        self.commit.targets.pop(number, None)
        self.commit.ended.add(number)
        self.emitted_bytes.pop(number, None)
        return self.emitted.pop(number, [])

    def enter(self, delivery: Delivery) -> None:
        """A message has to wait: it is stored with this commit, unless it is finished before."""
        self._fresh[delivery] = None
        self.unfinished += 1
        self.urgent = True
        if delivery.disk is not None:
            self.to_disk += weight(len(delivery.message.content))

    def has(self, delivery: Delivery) -> bool:
        """True for a message that stands in a shared row, or will with this commit."""
        return delivery.row is not None or delivery in self._fresh

    def leave_on_disk(self, delivery: Delivery) -> None:
        """Memory keeps a message no longer that stands in a shared row, or will: its `disk` knows where."""
        row, line = delivery.row, delivery.disk
        if row is None:
            self.to_disk += weight(len(delivery.message.content))
        elif line is not None:
            line.stored(row.number * ROW_SPAN + delivery.index)
            self.rows[row.number] = row

    def finish(self, delivery: Delivery) -> None:
        """A message that had to wait is finished, one outbox or the other."""
        if delivery.row is not None or delivery.number or delivery in self._fresh:
            self.unfinished -= 1
            self.urgent = True
            self._forget(delivery)

    def linger(self, delivery: Delivery, next_retry_ns: int | None = None) -> None:
        """A message waits for its retry, or to run alone: it gets a row of its own, with its attempts."""
        if delivery not in self._fresh and not delivery.stored:  # it was on its first turn until now
            self.unfinished += 1
        number = delivery.number
        self._forget(delivery)
        delivery.number = number or self.number()
        self.roots.move(delivery, delivery.number * ROW_SPAN, self.commit)
        message = delivery.message
        due_ms = None if next_retry_ns is None else self.wall_ms + max(0, next_retry_ns - self.now_ns) // NS_PER_MS
        if number:
            self.commit.dequeued.remove(number)
        self.commit.queued[delivery.number] = QueueRow(
            delivery.number,
            message.receiver,
            message.level,
            delivery.attempts,
            due_ms,
            message.created_at,
            _encode([self._waiting(delivery)]),
            delivery.from_row,
            delivery.from_place,
        )
        self.urgent = True

    def stored(self, next_number: int) -> None:
        """The commit under way is written: every row below `next_number` is in the file."""
        self.committed_below = next_number
        self.roots.stored()

    def committed(self) -> "asyncio.Future[None]":
        """Return a future that is done when all that was gathered so far is committed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(future)
        self.urgent = True
        return future

    async def committed_after(self, wake: Callable[[], None]) -> None:
        """Wait until all that was gathered so far is committed; `wake` lets a pass see to it."""
        future = self.committed()
        wake()
        await future

    async def stored_after(self, wake: Callable[[], None]) -> None:
        """As `committed_after`, but raises StorageFull as soon as the disk is full; it is stored when there is room."""
        future = self.committed()
        self._impatient.add(future)
        wake()
        try:
            await future
        finally:
            self._impatient.discard(future)

    def no_room(self, full: StorageFull) -> None:
        """The commit under way finds no room: tell those who asked to be told."""
        problem = f"{full.problem}; it has taken effect, and is stored when there is room"
        for future in self._impatient:
            if not future.done():
                future.set_exception(StorageFull(full.path, problem))

    def close(self, outbox_of: Callable[[int], Outbox]) -> Closed:
        """Return the commit of all that was gathered, and begin another."""
        commit, self.commit = self.commit, Commit()
        closed = Closed(commit)
        closed.rows, self._packed = self._packed, []
        counts = commit.counts
        counts["processed"] += self.processed
        counts[SERVED] += self.served.to_store()
        commit.absences, self.absences.changed = self.absences.changed, {}
        self.processed = 0
        emitted, self.emitted = self.emitted, {}
        self.emitted_bytes.clear()
        for target, messages in emitted.items():
            outbox = outbox_of(target)
            if outbox.is_session:
                self.conversations.leave(messages)
                for message in messages:
                    message.cause = None  # no client need know whom an agent worked for
            rows = outbox.pack(messages, self.number)
            commit.outbox += rows
            commit.targets[target] = outbox.row()
            counts["emitted_sessions" if outbox.is_session else "emitted_workers"] += len(messages)
            counts["accepted_agents"] += len(messages)
            closed.rows.append((outbox, rows))
        moved, self._moved = self._moved, {}
        for file, source in moved.items():
            incoming = source.incoming
            commit.sources[file] = SourceRow(incoming.taken, incoming.stored_refusals())
            closed.placed.append((source, source.taken, source.taken_bytes))
            source.taken = source.taken_bytes = 0
        self._store_fresh(commit)
        self.roots.closed()
        commit.done = {number: row.marks() for number, row in self._marked.items()}
        self._marked = {}
        self.conversations.log.close(commit)
        commit.next_number = self._next_number
        closed.waiters, self._waiters = self._waiters, []
        self.urgent = False
        return closed

    def _store_fresh(self, commit: Commit) -> None:
        """Write what entered since the last close and is not finished, a row for up to 256 messages."""
        fresh, self._fresh = list(self._fresh), {}
        start = 0
        if self.to_disk:  # last, and those of one agent together: they are read again page by page
            self.to_disk = 0
            fresh.sort(key=_disk_order)
        while start < len(fresh):
            end, size = start, 0
            while end < len(fresh) and end - start < _MOST_IN_ROW and size < FULL_FRAME_BYTES:
                size += len(fresh[end].message.content)
                end += 1
            some, start = fresh[start:end], end
            row = StoredRow(self.number(), len(some))
            for index, delivery in enumerate(some):
                delivery.row, delivery.index = row, index
                place = row.number * ROW_SPAN + index
                self.roots.move(delivery, place, commit)
                if delivery.disk is not None:
                    delivery.disk.stored(place)
                    self.rows[row.number] = row
            waiting = [self._waiting(delivery) for delivery in some]
            commit.unfinished.append(UnfinishedRow(row.number, len(some), _encode(waiting)))

    def _forget(self, delivery: Delivery) -> None:
        """Let the file forget where a delivery stood."""
        commit, row = self.commit, delivery.row
        if row is None:
            self._fresh.pop(delivery, None)
        else:
            row.finish(delivery.index)
            self._marked[row.number] = row
            if not row.left:
                self.rows.pop(row.number, None)
            delivery.from_row, delivery.from_place = row.number, delivery.index
            delivery.row = None
        if delivery.number:
            commit.queued.pop(delivery.number, None)
            commit.dequeued.append(delivery.number)
            delivery.number = 0

    @staticmethod
    def _waiting(delivery: Delivery) -> Waiting:
        counts, times = (delivery.attempts, delivery.deliveries), (delivery.came_ms, delivery.due_ms)
        return Waiting(delivery.message, 0, 0, *counts, delivery.retry_reasons, *times)


def _disk_order(delivery: Delivery) -> int:
    return -1 if delivery.disk is None else delivery.message.receiver

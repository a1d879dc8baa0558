"""What durable turns cause, gathered by passes until one commit writes all of it; what that commit then releases.

Process, then commit, then release: nothing gathered here is seen by anybody before the file has it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

import msgspec

from caxton.acl.envelope import Envelope
from caxton.errors import StorageFull
from caxton.links.durable import DurableIncoming
from caxton.store.commit import Commit, OutboxRow, QueueRow, SourceRow, UnfinishedRow
from caxton.store.waiting import Waiting
from caxton.wire.frames import FULL_FRAME_BYTES
from workers.agents.delivery import DURABLE_ROOT, ROW_SPAN, Delivery, StoredRow
from workers.commit.outbox import Outbox
from workers.worker_pass import NS_PER_MS, Pass

_encode = msgspec.msgpack.Encoder().encode
_MOST_IN_ROW = 256


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
    many deliveries are not finished. now_ns, wall_ms: when the pass that gathers began, monotonic and since 1970.
    """

    def __init__(self, file: int) -> None:
        self.file = file
        self.commit = Commit()
        self.emitted: dict[int, list[Envelope]] = {}
        self.emitted_bytes: Counter[int] = Counter()
        self.processed = 0
        self.urgent = False
        self.under_way = False
        self.unfinished = 0
        self.now_ns = self.wall_ms = 0
        self._next_number = 1
        self._fresh: dict[Delivery, None] = {}
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
        return not (self.urgent or self.processed or self.emitted or self._moved or commit.settled or commit.targets)

    @property
    def quiet(self) -> bool:
        """True when nothing is gathered or under way that somebody waits for."""
        return not (self.urgent or self.under_way)

    def restore(self, next_number: int) -> None:
        """Know the first number that the file never used."""
        self._next_number = max(1, next_number)

    def begin(self, a_pass: Pass) -> None:
        """What follows is gathered by this pass."""
        self.now_ns, self.wall_ms = a_pass.now_ns, a_pass.wall_ms

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

    def finish(self, delivery: Delivery) -> None:
        """A message that had to wait is finished, one outbox or the other."""
        if delivery in self._fresh or delivery.stored:
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
        self._root_in_file(delivery, delivery.number * ROW_SPAN)
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
        self.processed = 0
        emitted, self.emitted = self.emitted, {}
        self.emitted_bytes.clear()
        for target, messages in emitted.items():
            outbox = outbox_of(target)
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
        commit.next_number = self._next_number
        closed.waiters, self._waiters = self._waiters, []
        self.urgent = False
        return closed

    def _store_fresh(self, commit: Commit) -> None:
        """Write what entered since the last close and is not finished, a row for up to 256 messages."""
        fresh, self._fresh = list(self._fresh), {}
        start = 0
        while start < len(fresh):
            end, size = start, 0
            while end < len(fresh) and end - start < _MOST_IN_ROW and size < FULL_FRAME_BYTES:
                size += len(fresh[end].message.content)
                end += 1
            some, start = fresh[start:end], end
            row = StoredRow(self.number(), len(some))
            for index, delivery in enumerate(some):
                delivery.row, delivery.index = row, index
                self._root_in_file(delivery, row.number * ROW_SPAN + index)
            waiting = [self._waiting(delivery) for delivery in some]
            commit.unfinished.append(UnfinishedRow(row.number, len(some), _encode(waiting)))

    def _root_in_file(self, delivery: Delivery, sequence: int) -> None:
        """From here on the file has the message: what becomes of it is charged to it, and not to what caused it."""
        delivery.source, delivery.sequence = self.file, sequence | DURABLE_ROOT

    def _forget(self, delivery: Delivery) -> None:
        """Let the file forget where a delivery stood."""
        commit, row = self.commit, delivery.row
        self._fresh.pop(delivery, None)
        if row is not None:
            commit.done[row.number] = row.finish(delivery.index)
            delivery.from_row, delivery.from_place = row.number, delivery.index
            delivery.row = None
        if delivery.number:
            commit.queued.pop(delivery.number, None)
            commit.dequeued.append(delivery.number)
            delivery.number = 0

    def _waiting(self, delivery: Delivery) -> Waiting:
        expires_ms = self.wall_ms + (delivery.expires_ns - self.now_ns) // NS_PER_MS
        return Waiting(delivery.message, delivery.expires_ns, expires_ms, delivery.attempts, delivery.deliveries)

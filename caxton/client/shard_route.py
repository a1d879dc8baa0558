"""The way from a client to one shard: what waits to go, the link to the worker that serves it, what is under way."""

from collections import deque
from typing import Any, TypeAlias

from caxton.acl.envelope import Envelope
from caxton.client.batches import Batch
from caxton.errors import CaxtonError, NetworkError, ShardUnavailable, from_fields
from caxton.links.incoming import Incoming
from caxton.links.link import Link
from caxton.links.outgoing import Outgoing
from caxton.transport.sockets import Outlet
from caxton.wire.codec import CONTROL, DATA
from caxton.wire.control import LinkState
from caxton.wire.frames import FULL_FRAME_BYTES, MAX_FRAME_MESSAGES, DataFrame

# Messages for one agent that are not yet acknowledged, at most: a mailbox of the usual size that is not full has room
# for them, so nobody who keeps to it is refused.
RECEIVER_WINDOW = 128

# A message on its way: it, the batch it belongs to, its place there, and whether being placed is the end of it.
Entry: TypeAlias = tuple[Envelope, Batch[Any], int, bool]


class Placed:
    """The result of a send: the message was placed in its receiver's mailbox, or run."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "PLACED"


PLACED = Placed()


class WorkerLink:
    """The link to one incarnation of a worker, with the two outlets to it. The session owns it."""

    def __init__(self, incarnation: int, data: Outlet, control: Outlet) -> None:
        self.incarnation = incarnation
        self.link = Link(Outgoing(), Incoming(window_messages=None, window_bytes=None))
        self.data = data
        self.control = control
        # Entries emitted and not yet acknowledged, in sequence; the first has `acknowledged` + 1.
        self.under_way: deque[Entry] = deque()

    def close(self) -> None:
        """Disconnect. Closing twice is fine."""
        self.data.close()
        self.control.close()


class ShardRoute:
    """Sends to one shard within its worker's credit and its agents' room; what has neither waits here.

    What waits is bounded by the batches that callers wait for.
    """

    def __init__(self, shard: int, session: int, mark: bytes) -> None:
        self.shard = shard
        self.state = "starting"
        self.worker: WorkerLink | None = None
        self._session = session
        self._mark = mark
        self._queue: deque[Entry] = deque()
        # Messages whose receivers had no room and have it again: these go before the queue.
        self._first: deque[Entry] = deque()
        # Messages whose receiver has no room, by receiver.
        self._blocked: dict[int, deque[Entry]] = {}
        self._unacknowledged: dict[int, int] = {}

    def submit(self, entries: list[Entry]) -> None:
        """Let messages go, now or when there is room; `pump` sends them."""
        if self.worker is None and self.state == "failed":
            for _, batch, place, _ in entries:
                batch.end(place, ShardUnavailable(self.shard, self.state))
            return
        self._queue.extend(entries)

    def has_room(self, receiver: int) -> bool:
        """True when a message for this agent would go at once."""
        worker = self.worker
        return (
            worker is not None
            and worker.link.outgoing.room() > len(self._queue) + len(self._first)
            and receiver not in self._blocked
            and receiver not in worker.link.full
            and self._unacknowledged.get(receiver, 0) < RECEIVER_WINDOW
        )

    def load(self, receiver: int) -> int:
        """Return how many messages for an agent wait here or are not yet acknowledged."""
        blocked = len(self._blocked.get(receiver, ()))
        return blocked + self._unacknowledged.get(receiver, 0)

    @property
    def waiting(self) -> int:
        """How many messages wait for room."""
        return len(self._queue) + len(self._first) + sum(len(entries) for entries in self._blocked.values())

    @property
    def unsent(self) -> set[bytes]:
        """The ids of the messages that wait for room and have not left."""
        blocked = [entry for entries in self._blocked.values() for entry in entries]
        return {entry[0].message_id for entry in [*self._queue, *self._first, *blocked]}

    def pack(self) -> list[bytearray]:
        """Take as many messages from the queue as may go now, and return the frames that carry them."""
        worker, frames = self.worker, []
        while worker is not None and (self._first or self._queue):
            entries, size = self._fill(worker, worker.link.outgoing.room())
            if not entries:
                break
            first = worker.link.outgoing.emit(len(entries), size)
            messages = [entry[0] for entry in entries]
            frame = DataFrame(self._session, self._mark, worker.incarnation, 0, first, resent=False, messages=messages)
            frames.append(DATA.encode(frame))
            worker.under_way.extend(entries)
        return frames

    def heard_state(self, state: LinkState) -> None:
        """Settle what the worker says it placed or refused, and take the credit it gives."""
        worker = self.worker
        if worker is None:
            return
        before = worker.link.outgoing.acknowledged
        settled = worker.link.on_state(state)
        if settled is None:
            return
        under_way = worker.under_way
        for refusal in settled.refusals:
            error = from_fields(refusal.error, refusal.fields)
            for sequence in range(refusal.sequence, refusal.sequence + refusal.count):
                _, batch, place, _ = under_way[sequence - before - 1]
                batch.end(place, error)
        counts = self._unacknowledged
        for _ in range(settled.acknowledged - before):
            message, batch, place, placed_is_all = under_way.popleft()
            if placed_is_all:
                batch.end(place, PLACED)
            left = counts[message.receiver] - 1
            if left:
                counts[message.receiver] = left
            else:
                del counts[message.receiver]
        if self._blocked or self._first:
            self._unblock(worker)

    def change_worker(self, worker: WorkerLink | None, state: str) -> None:
        """Go on with another worker, or none. What was under way to the old one is unknown; its callers are told."""
        old, self.worker, self.state = self.worker, worker, state
        if old is not None:
            error = NetworkError(f"worker of shard {self.shard}", "it ended while the message was under way")
            for _, batch, place, _ in old.under_way:
                batch.end(place, error)
            old.under_way.clear()
            old.close()
            self._unacknowledged.clear()
            self._release_blocked()
        if state == "failed":
            entries = list(self._queue)
            self._queue.clear()
            self.submit(entries)

    def fail_all(self, error: CaxtonError) -> None:
        """End everything that waits or is under way."""
        self._release_blocked()
        under_way = list(self.worker.under_way) if self.worker is not None else []
        for _, batch, place, _ in [*under_way, *self._queue]:
            batch.end(place, error)
        self._queue.clear()

    def send_state(self) -> None:
        """Tell the worker how the link stands."""
        worker = self.worker
        if worker is not None:
            state = worker.link.state(self._session, self._mark, worker.incarnation, [])
            worker.control.send(CONTROL.encode(state))

    def _fill(self, worker: WorkerLink, room: int) -> tuple[list[Entry], int]:
        """Take the entries of one frame, with their payload bytes."""
        counts, blocked, full, first = self._unacknowledged, self._blocked, worker.link.full, self._first
        entries: list[Entry] = []
        most = min(room, MAX_FRAME_MESSAGES)
        size = 0
        for queue in (first, self._queue):
            while queue and len(entries) < most:
                entry = queue[0]
                if entry[1].results[entry[2]] is not None:
                    queue.popleft()  # its caller waits no longer: the deadline passed
                    continue
                receiver = entry[0].receiver
                count = counts.get(receiver, 0)
                if queue is not first and (receiver in blocked or count >= RECEIVER_WINDOW or receiver in full):
                    self._block(queue.popleft())
                    continue
                more = size + len(entry[0].content)
                if (entries and more > FULL_FRAME_BYTES) or not worker.link.outgoing.fits(more):
                    return entries, size
                counts[receiver] = count + 1
                size = more
                entries.append(queue.popleft())
        return entries, size

    def _block(self, entry: Entry) -> None:
        """Let a message wait for room in its receiver, in place of those whose callers wait no longer."""
        waiting = self._blocked.setdefault(entry[0].receiver, deque())
        while waiting and waiting[0][1].results[waiting[0][2]] is not None:
            waiting.popleft()
        waiting.append(entry)

    def _unblock(self, worker: WorkerLink) -> None:
        """Let as many messages go first as have room in their receivers now, and in the credit.

        No more of a receiver's than that, or each state would move all that waits for it back and forth. Who has more
        waiting goes behind the other receivers.
        """
        counts, full, blocked, first = self._unacknowledged, worker.link.full, self._blocked, self._first
        while first:  # for want of bytes these have not left yet, and their receivers may be full by now
            entry = first.pop()
            blocked.setdefault(entry[0].receiver, deque()).appendleft(entry)
        budget = worker.link.outgoing.room()
        for receiver in [r for r in blocked if r not in full and counts.get(r, 0) < RECEIVER_WINDOW]:
            waiting = blocked.pop(receiver)
            some = min(budget, RECEIVER_WINDOW - counts.get(receiver, 0), len(waiting))
            first.extend([waiting.popleft() for _ in range(some)])
            budget -= some
            if waiting:
                blocked[receiver] = waiting
            if not budget:
                break

    def _release_blocked(self) -> None:
        """Put everything back in front: it is older than what the queue holds for the same receivers."""
        for entries in self._blocked.values():
            self._queue.extendleft(reversed(entries))
        self._blocked.clear()
        self._queue.extendleft(reversed(self._first))
        self._first.clear()

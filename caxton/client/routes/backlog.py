"""The messages of one lane to one shard: those that wait for room, and those under way that nobody acknowledged yet."""

from collections import deque
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any, TypeAlias

from caxton.acl.envelope import Envelope
from caxton.acl.options import Lane
from caxton.client.routes.batches import Batch
from caxton.client.routes.receipts import Receipt
from caxton.errors import AlreadyAccepted, CaxtonError, from_fields
from caxton.wire.frames import FULL_FRAME_BYTES, MAX_FRAME_MESSAGES
from caxton.wire.link_state import Refusal

# Messages for one agent that are not yet acknowledged, at most: a mailbox of the usual size that is not full has room
# for them, so nobody who keeps to it is refused.
RECEIVER_WINDOW = 128
# Messages that were given up and wait all the same, at most, beside as many as wait: then they are looked for.
_MOST_GIVEN_UP = 4_096
# Receivers without anything under way that are still counted, at most, beside twice as many as messages under way.
_MOST_KNOWN = 4_096

# A message on its way: it, the batch it belongs to, its place there, and whether being placed is the end of it.
Entry: TypeAlias = tuple[Envelope, Batch[Any], int, bool]


class Backlog:
    """Keeps messages in order for each receiver, and no more of them under way than the receiver's window allows.

    What waits is bounded by the batches that callers wait for: of those that were given up no more are kept than of the
    others, and 4,096. What is under way is bounded by the credit.
    under_way: in sequence, the first is the one after the last that was acknowledged.
    """

    def __init__(self, lane: Lane) -> None:
        self.under_way: deque[Entry] = deque()
        self._lane = lane
        self._queue: deque[Entry] = deque()
        # Messages whose receivers had no room and have it again: these go before the queue.
        self._first: deque[Entry] = deque()
        # Messages whose receiver has no room, by receiver.
        self._blocked: dict[int, deque[Entry]] = {}
        # How many are under way, by receiver.
        self._unacknowledged: dict[int, int] = {}
        # Requests that a worker found to be known, by their sequence. It owes them the answer to the first one, and
        # nothing of them outlives it. Those that have ended are dropped now and then.
        self._asked_again: dict[int, Entry] = {}
        self._look_at_asked = _MOST_GIVEN_UP
        # How many were added since those that were given up were dropped, and when that is done again.
        self._added = 0
        self._look_at = _MOST_GIVEN_UP

    def add(self, entries: list[Entry]) -> None:
        """Let messages wait for `fill`."""
        self._queue.extend(entries)
        self._added += len(entries)
        if self._added >= self._look_at:
            self._drop_given_up()

    @property
    def ready(self) -> bool:
        """True when something waits for credit and not for its receiver."""
        return bool(self._first or self._queue)

    @property
    def waiting(self) -> int:
        """How many messages wait for room."""
        return len(self._queue) + len(self._first) + sum(len(entries) for entries in self._blocked.values())

    @property
    def unsent(self) -> set[bytes]:
        """The ids of the messages that wait for room and have not left."""
        return {entry[0].message_id for entry in self._all_waiting()}

    def has_room(self, receiver: int, room: int, full: AbstractSet[int]) -> bool:
        """True when a message for this agent would go at once; `room` and `full` are the link's."""
        return (
            room > len(self._queue) + len(self._first)
            and receiver not in self._blocked
            and receiver not in full
            and self._unacknowledged.get(receiver, 0) < RECEIVER_WINDOW
        )

    def load(self, receiver: int) -> int:
        """Return how many messages for an agent wait here or are not yet acknowledged."""
        return len(self._blocked.get(receiver, ())) + self._unacknowledged.get(receiver, 0)

    def fill(self, room: int, fits: Callable[[int], bool], full: AbstractSet[int]) -> tuple[list[Entry], int]:
        """Let the messages of one frame go: they are under way now. Returns them with their payload bytes.

        room, fits, full: what the link allows now, and which agents have no room there.
        """
        most = min(room, MAX_FRAME_MESSAGES)
        entries: list[Entry] = []
        size = 0
        if not (self._first or self._blocked or full):
            entries, size = self._next_in_line(most, fits)
        if not entries:
            entries, size = self._next_one_by_one(most, fits, full)
        if not (entries or self.under_way) and self._blocked:
            # All that went first was given up, and nothing is under way whose acknowledgement would let others go.
            self.unblock(room, full)
            entries, size = self._next_one_by_one(most, fits, full)
        self.under_way.extend(entries)
        return entries, size

    def _next_in_line(self, most: int, fits: Callable[[int], bool]) -> tuple[list[Entry], int]:
        """Take from the queue while nobody waits for a receiver: up to the first message that is to be looked at alone.

        Whole steps over all of them cost a third of what one message after the other does.
        """
        queue, counts = self._queue, self._unacknowledged
        entries = list(islice(queue, most))
        size = sum([len(entry[0].content) for entry in entries])
        if size > FULL_FRAME_BYTES or not fits(size) or 0 in [entry[1].left for entry in entries]:
            return [], 0
        for place, receiver in enumerate([entry[0].receiver for entry in entries]):
            count = counts.get(receiver, 0)
            if count >= RECEIVER_WINDOW:
                del entries[place:]
                size = sum([len(entry[0].content) for entry in entries])
                break
            counts[receiver] = count + 1
        for _ in entries:
            queue.popleft()
        return entries, size

    def _next_one_by_one(
        self, most: int, fits: Callable[[int], bool], full: AbstractSet[int]
    ) -> tuple[list[Entry], int]:
        """Take what may go, first who has waited for a receiver; who has to wait for one stands aside."""
        counts, blocked, first = self._unacknowledged, self._blocked, self._first
        entries: list[Entry] = []
        size = 0
        for queue in (first, self._queue):
            while queue and len(entries) < most:
                entry = queue[0]
                if _is_given_up(entry):
                    queue.popleft()
                    continue
                receiver = entry[0].receiver
                count = counts.get(receiver, 0)
                if queue is not first and (receiver in blocked or count >= RECEIVER_WINDOW or receiver in full):
                    self._block(queue.popleft())
                    continue
                more = size + len(entry[0].content)
                if (entries and more > FULL_FRAME_BYTES) or not fits(more):
                    return entries, size
                counts[receiver] = count + 1
                size = more
                entries.append(queue.popleft())
        return entries, size

    def settle(self, count: int, refused_from: int, refusals: list[Refusal]) -> None:
        """End the first `count` of those under way. `refused_from`: the sequence of the first one, which refusals name.

        A refusal may be for one that is not settled yet; it ends it too.
        """
        under_way, counts, lane = self.under_way, self._unacknowledged, self._lane
        for refusal in refusals:
            error = from_fields(refusal.error, refusal.fields)
            for sequence in range(refusal.sequence, refusal.sequence + refusal.count):
                message, batch, place, placed_is_all = entry = under_way[sequence - refused_from]
                if type(error) is not AlreadyAccepted:
                    batch.end(place, error)
                elif placed_is_all:
                    batch.end(place, Receipt(message.message_id, lane, is_new=False))
                else:
                    self._asked_again[sequence] = entry
        if len(self._asked_again) >= self._look_at_asked:
            self._asked_again = {n: entry for n, entry in self._asked_again.items() if not _is_given_up(entry)}
            self._look_at_asked = max(_MOST_GIVEN_UP, 2 * len(self._asked_again))
        for message, batch, place, placed_is_all in [under_way.popleft() for _ in range(count)]:
            counts[message.receiver] -= 1
            if placed_is_all:
                batch.end(place, Receipt(message.message_id, lane))
        if len(counts) > _MOST_KNOWN + 2 * len(under_way):
            self._unacknowledged = {receiver: left for receiver, left in counts.items() if left}

    def owed(self, most: int) -> list[Entry]:
        """Take out the requests up to a sequence that were found to be known, and still wait for their answers."""
        if not self._asked_again:
            return []
        owed = {n: entry for n, entry in self._asked_again.items() if n <= most}
        for sequence in owed:
            del self._asked_again[sequence]
        return [entry for entry in owed.values() if not _is_given_up(entry)]

    def unblock(self, room: int, full: AbstractSet[int]) -> None:
        """Let as many messages go first as have room in their receivers now, and in the credit.

        No more of a receiver's than that, or each state would move all that waits for it back and forth. Who has more
        waiting goes behind the other receivers.
        """
        counts, blocked, first = self._unacknowledged, self._blocked, self._first
        while first:  # for want of bytes these have not left yet, and their receivers may be full by now
            entry = first.pop()
            blocked.setdefault(entry[0].receiver, deque()).appendleft(entry)
        for receiver in [r for r in blocked if r not in full and counts.get(r, 0) < RECEIVER_WINDOW]:
            waiting = blocked.pop(receiver)
            some = min(room, RECEIVER_WINDOW - counts.get(receiver, 0))
            while waiting and some:
                entry = waiting.popleft()
                if not _is_given_up(entry):  # one that is would take the place of those who still wait
                    first.append(entry)
                    some -= 1
                    room -= 1
            if waiting:
                blocked[receiver] = waiting
            if not room:
                break

    def release(self) -> None:
        """Put everything that waits back in line: it is older than what the queue holds for the same receivers."""
        for entries in self._blocked.values():
            self._queue.extendleft(reversed(entries))
        self._blocked.clear()
        self._queue.extendleft(reversed(self._first))
        self._first.clear()

    def fail_under_way(self, error: CaxtonError) -> None:
        """End everything that is under way."""
        for _, batch, place, _ in self.under_way:
            batch.end(place, error)
        self.under_way.clear()
        self._unacknowledged.clear()

    def fail_waiting(self, error: CaxtonError) -> None:
        """End everything that waits for room."""
        self.fail_unless_full(frozenset(), error)

    def fail_unless_full(self, full: AbstractSet[int], error: CaxtonError) -> None:
        """End everything that waits, but for what waits for an agent that has no room."""
        for receiver in [receiver for receiver in self._blocked if receiver not in full]:
            self._first.extend(self._blocked.pop(receiver))
        waiting = (*self._first, *self._queue)
        self._first.clear()
        self._queue.clear()
        for entry in waiting:
            message, batch, place, _ = entry
            if message.receiver in full:
                self._block(entry)
            else:
                batch.end(place, error)

    def leave(self, is_known_again: Callable[[Envelope], bool], error: CaxtonError) -> list[Entry]:
        """Give up all: end what is under way, but for what may go again, and return that with what waits, in order."""
        again = [entry for entry in self.under_way if is_known_again(entry[0])]
        left = [entry for entry in (*again, *self._all_waiting()) if not _is_given_up(entry)]
        self.under_way = deque(entry for entry in self.under_way if not is_known_again(entry[0]))
        self.fail_under_way(error)
        self._queue.clear()
        self._first.clear()
        self._blocked.clear()
        return left

    def _drop_given_up(self) -> None:
        """Keep nothing for callers that gave up: once for as many messages as waited the last time, so it costs little.

        While nothing leaves, because there is no worker, no credit or no room, nobody else comes across them.
        """
        self._queue = deque(entry for entry in self._queue if not _is_given_up(entry))
        self._first = deque(entry for entry in self._first if not _is_given_up(entry))
        for receiver, waiting in list(self._blocked.items()):
            kept = deque(entry for entry in waiting if not _is_given_up(entry))
            if kept:
                self._blocked[receiver] = kept
            else:
                del self._blocked[receiver]
        self._added = 0
        self._look_at = max(_MOST_GIVEN_UP, self.waiting)

    def _all_waiting(self) -> list[Entry]:
        blocked = [entry for entries in self._blocked.values() for entry in entries]
        return [*self._first, *blocked, *self._queue]

    def _block(self, entry: Entry) -> None:
        """Let a message wait for room in its receiver, in place of those whose callers wait no longer."""
        waiting = self._blocked.setdefault(entry[0].receiver, deque())
        while waiting and _is_given_up(waiting[0]):
            waiting.popleft()
        waiting.append(entry)


def _is_given_up(entry: Entry) -> bool:
    """True when the caller waits no longer: it was cancelled, or its deadline passed."""
    _, batch, place, _ = entry
    return batch.results[place] is not None

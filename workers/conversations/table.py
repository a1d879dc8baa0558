"""The conversations of a shard within their bounds: the oldest go first, those that ended are kept for a while.

A conversation is that of who opened it: what somebody else opens under the same id is another one, with another key.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, takewhile

from caxton.conversations.exchange import GOES_ON, Exchange, Kept
from caxton.conversations.record import Record
from workers.conversations.activity import Activity

# Conversations that go on, and what they take in memory; beyond either, the oldest expire.
MOST_CONVERSATIONS = 131_072
MOST_BYTES = 256 << 20
# Those that have ended, what they take, and for how long they are kept.
MOST_ARCHIVED = 16_384
MOST_ARCHIVED_BYTES = 64 << 20
ARCHIVED_MS = 3_600_000
# So many of them expire at once when there is no room, and at most at a tick.
AT_ONCE = 1_024
# Where there is no room, an initiator whose conversations take more than an eighth of all makes it with its own.
SHARES = 8


class Table:
    """live: conversations that go on, archived: those that ended, in the order of that; by their keys.

    size, archived_size: what they take in memory, about, in bytes. created, durations_ms, messages: totals of those
    that began here; the latter two of what has ended.
    forgotten: called with each that the table keeps no longer; grown: with each that has become a record, and that.
    activity: in how many that go on each agent is, of those
    that the shard has (`owns`).
    """

    def __init__(
        self,
        forgotten: Callable[[Kept], None],
        owns: Callable[[int], bool],
        most: int = MOST_CONVERSATIONS,
        grown: Callable[[Exchange, Record], None] = lambda _, __: None,
    ) -> None:
        self.activity = Activity(owns)
        self.live: dict[bytes, Kept] = {}
        self.archived: OrderedDict[bytes, Kept] = OrderedDict()
        self.size = self.archived_size = 0
        self.created = self.durations_ms = self.messages = 0
        self._forgotten = forgotten
        self._grown = grown
        self._most = most
        # Those that go on, by how long they may: within one of these in the order in which they are due. The oldest go
        # in handfuls, so that what is gone at the front of a dict is passed over once for all of them.
        self._by_timeout: dict[int, dict[bytes, Kept]] = {}
        # By who opened them: records, and exchanges with a line, as that could be left open.
        self._by_initiator: dict[int, dict[bytes, Kept]] = {}
        # Exchanges whose line has ended, in the order of that.
        self._over: dict[bytes, Exchange] = {}
        # What those take in memory that somebody opened.
        self._size_of: dict[int, int] = {}
        # Of ids that several have opened one under, all of these.
        self._shared: dict[bytes, list[Record]] = {}

    def open(self, record: Record) -> None:
        """Take a conversation in. Whoever calls makes room first, or soon (`has_room`, `make_room`)."""
        record.weighed = record.weight
        self._name(record)
        self._enter(record)
        self.created += record.begun_here

    def begin(self, exchange: Exchange) -> None:
        """Take in one that has only begun; as `open`."""
        conversation_id, initiator, opened = exchange.conversation_id, exchange.initiator, exchange.opened
        line = self._by_timeout.get(opened.timeout_s)
        if line is None:
            line = self._by_timeout[opened.timeout_s] = {}
        self.live[conversation_id] = line[conversation_id] = exchange
        weighed, sizes = exchange.weighed, self._size_of
        self.size += weighed
        sizes[initiator] = sizes.get(initiator, 0) + weighed
        self.created += 1
        self.activity.begin(exchange)
        if exchange.position is not None:
            self._by_initiator.setdefault(initiator, {})[conversation_id] = exchange

    def line_ended(self, exchange: Exchange) -> None:
        """The line of an exchange has ended: `finished` returns that one after a while."""
        self.activity.change(exchange.other, -1)
        self._over[exchange.key] = exchange

    def finished(self, since_ms: int) -> list[Exchange]:
        """Return exchanges whose lines had ended by then, on the served time; at most a thousand at once."""
        return list(islice(takewhile(lambda one: one.over_ms <= since_ms, self._over.values()), AT_ONCE))

    def knows(self, conversation_id: bytes) -> bool:
        """Whether there is one of this id that has ended, or that is found by another key."""
        return conversation_id in self.archived or conversation_id in self._shared

    def grow(self, exchange: Exchange) -> Record:
        """Return an exchange as the record that it is from now on, in its place."""
        record, key = exchange.record(), exchange.key
        if key in self.archived:
            record.weighed = record.weight
            self.archived_size += record.weighed - exchange.weighed
            self.archived[key] = record
        else:
            self.live[key] = self._by_timeout[record.timeout_s][key] = record
            self._by_initiator.setdefault(record.initiator, {})[key] = record
            self._over.pop(key, None)
            record.weighed = exchange.weighed
            record.counted = len(record.parties) if record.lines is None else 0
            self.weigh(record)
        self._grown(exchange, record)
        return record

    def drop(self, record: Record) -> None:
        """Nothing came of a conversation: it is as if it had not begun."""
        if record.key in self.live:
            self._leave(record)
            self.created -= record.begun_here
            self._forget(record)

    def weigh(self, record: Kept) -> None:
        """A conversation that goes on may take more than before."""
        self.activity.look(record)
        before, record.weighed = record.weighed, record.weight
        more = record.weighed - before
        if more:
            self.size += more
            self._size_of[record.initiator] += more

    def gauges(self) -> dict[str, int]:
        """What the book shows of this moment."""
        return {"conversations": len(self.live), "conversation_bytes": self.size + self.archived_size}

    @property
    def has_room(self) -> bool:
        """True while there may be one more."""
        return len(self.live) < self._most and self.size < MOST_BYTES

    def make_room(self, now_ms: int) -> int:
        """Let the oldest expire, a thousand at once, so that this is not done for each; returns how many.

        They are those of the initiator whose conversations take the most, where that is more than its share; otherwise
        of all who have more than half of what one has in the mean: who has few makes no room for many that have more.
        """
        sizes = self._size_of
        initiator, most = max(sizes.items(), key=lambda one: one[1], default=(0, 0))
        oldest: Iterator[Kept] = iter(self.live.values())
        if most > self.size // SHARES:
            oldest = (record for record in oldest if record.initiator == initiator)
        else:
            few = self.size // max(1, 2 * len(sizes))
            oldest = (record for record in oldest if sizes[record.initiator] > few)
        some = list(islice(oldest, AT_ONCE))
        for record in some:
            record.expire()
        self.archive_all(some, now_ms)
        return len(some)

    def due(self, now_ms: int) -> list[Kept]:
        """Return those whose time is over, at most a thousand at once. now_ms: on the served time."""
        found: list[Kept] = []
        for line in self._by_timeout.values():
            for record in line.values():
                if record.due_ms > now_ms or len(found) >= AT_ONCE:
                    break
                found.append(record)
        return found

    def archive(self, record: Kept, now_ms: int) -> None:
        """A conversation has ended: it is kept for a while. now_ms: on the served time."""
        if record.key in self.live:
            self.archive_all([record], now_ms)

    def revive(self, record: Record) -> None:
        """A conversation that had ended goes on."""
        if self.archived.pop(record.key, None) is None:
            return
        record.ended_ms = GOES_ON
        self.archived_size -= record.weighed
        self._enter(record)
        if record.begun_here:
            self.durations_ms -= max(0, record.last_ms - record.opened_ms)
            self.messages -= record.messages

    def sweep(self, now_ms: int) -> None:
        """Forget what ended an hour ago. now_ms: on the served time."""
        for _ in range(AT_ONCE):
            oldest = next(iter(self.archived.values()), None)
            if oldest is None or now_ms - oldest.ended_ms < ARCHIVED_MS:
                return
            self._forget_oldest()

    def find(self, key: bytes) -> Record | None:
        """Return a conversation, whether it goes on or has ended: by its key, which is mostly its id."""
        found = self.live.get(key) or self.archived.get(key)
        return self.grow(found) if isinstance(found, Exchange) else found

    def opened_by(self, initiator: int) -> list[Kept]:
        """Return those that somebody opened and that go on, but for those that have only begun and have no line."""
        return list(self._by_initiator.get(initiator, {}).values())

    def all_of(self, conversation_id: bytes) -> list[Record]:
        """Return all of an id, whoever opened them and whether they go on or have ended; the first one first."""
        shared = self._shared.get(conversation_id)
        if shared is not None:
            return list(shared)
        record = self.find(conversation_id)
        return [] if record is None else [record]

    def _name(self, record: Record) -> None:
        """Give a conversation its key: its id, or with who opened it where another one is kept under that."""
        others = self.all_of(record.conversation_id)
        if not others:
            return
        record.key = record.conversation_id + record.initiator.to_bytes(8, "big")
        self._shared[record.conversation_id] = [*others, record]
        for one in (*others, record):
            one.share()

    def archive_all(self, records: Sequence[Kept], now_ms: int) -> None:
        """These go on no more, and are kept within bounds. now_ms: on the served time."""
        archived, size, durations_ms, messages = self.archived, 0, 0, 0
        for record in records:
            self._leave(record)
            if type(record) is Exchange:  # of the thousands that there is no room for, nearly all are
                durations_ms += max(0, record.last_ms - record.opened.wall_ms)
                messages += len(record.recent)
            elif record.begun_here:
                durations_ms += max(0, record.last_ms - record.opened_ms)
                messages += record.messages
            record.ended_ms = now_ms
            archived[record.key] = record
            size += record.weighed
        self.archived_size += size
        self.durations_ms += durations_ms
        self.messages += messages
        while len(archived) > MOST_ARCHIVED or self.archived_size > MOST_ARCHIVED_BYTES:
            self._forget_oldest()

    def _forget(self, record: Kept) -> None:
        if isinstance(record, Record) and record.is_shared:
            shared = self._shared[record.conversation_id]
            shared.remove(record)
            if not shared:
                del self._shared[record.conversation_id]
        self._forgotten(record)

    def _forget_oldest(self) -> None:
        _, record = self.archived.popitem(last=False)
        self.archived_size -= record.weighed
        if not (type(record) is Exchange and not record.flags):  # of a volatile exchange nobody else knows
            self._forget(record)

    def _enter(self, record: Record) -> None:
        """It goes on: it stands in its line, and is weighed."""
        key, timeout_s, weighed = record.key, record.timeout_s, record.weighed
        line = self._by_timeout.get(timeout_s)
        if line is None:
            line = self._by_timeout[timeout_s] = {}
        self.live[key] = line[key] = record
        self._by_initiator.setdefault(record.initiator, {})[key] = record
        self.size += weighed
        self._size_of[record.initiator] = self._size_of.get(record.initiator, 0) + weighed
        self.activity.enter(record)

    def _leave(self, record: Kept) -> None:
        """It goes on no more."""
        key, initiator, timeout_s = record.key, record.initiator, record.timeout_s
        line, sizes, weighed = self._by_timeout[timeout_s], self._size_of, record.weighed
        del self.live[key], line[key]
        self.activity.leave(record)
        self.size -= weighed
        left = sizes[initiator] - weighed
        if left:
            sizes[initiator] = left
        else:
            del sizes[initiator]
        if not line:
            del self._by_timeout[timeout_s]
        if type(record) is Record or record.position is not None:  # type: ignore[union-attr] # it is an exchange
            self._over.pop(key, None)
            own = self._by_initiator[initiator]
            del own[key]
            if not own:
                del self._by_initiator[initiator]

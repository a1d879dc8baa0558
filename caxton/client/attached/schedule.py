"""Which messages an attached agent's handler is to have now, and what is to be given back of them. Without I/O."""

from collections import Counter, deque
from collections.abc import Iterable

from msgspec import structs

from caxton.acl.envelope import DURABLE
from caxton.acl.order import Key, Order, key_beside
from caxton.client.attached.turns import size_of
from caxton.wire.calls import FULL_DELIVERIES_BYTES, MAX_DELIVERIES, MAX_HELD, Ended
from caxton.wire.delivery import Delivery


class Held:
    """One message that was given to this program.

    number: under which the shard knows it; 0 when it has taken it back, perhaps to give it again. end: what became of
    it, None while its handler runs or has not begun. size: of that, in bytes. is_sent: its end is in the exchange that
    is under way. session: that it was given to, 0 when that is not known.
    """

    __slots__ = ("begun", "delivery", "end", "is_sent", "key", "number", "session", "size")

    def __init__(self, delivery: Delivery, key: Key, session: int = 0) -> None:
        self.delivery = delivery
        self.session = session
        self.number = delivery.delivery
        self.key = key
        self.begun = self.is_sent = False
        self.end: Ended | None = None
        self.size = 0

    @property
    def pair(self) -> tuple[Key, int]:
        """Its key and its sender: what comes behind it when it is tried again."""
        return self.key, self.delivery.message.sender

    @property
    def is_tried_again(self) -> bool:
        """True when its handler failed, and it waits at its shard for its next try, as what is behind it does."""
        return self.end is not None and self.end.error is not None and self.delivery.message.flags & DURABLE > 0


class Schedule:
    """Messages of a key are handled one after the other, and those of up to `concurrency` keys at once.

    seen: the highest number that was heard since `lose`; None before any. is_leaving: nothing is begun any more.
    """

    def __init__(self, order: Order, concurrency: int) -> None:
        self._order = order
        self._concurrency = concurrency
        self._held: dict[int, Held] = {}
        # What has not begun, by key; a key that runs is there too while nothing of it waits.
        self._waiting: dict[Key, deque[Held]] = {}
        self._ready: deque[Key] = deque()
        self._running: set[Key] = set()
        self._ended: deque[tuple[Held, Ended]] = deque()
        self._ended_bytes = 0
        self._returned: list[int] = []
        # What is in the exchange that is under way.
        self._sent: list[tuple[Held, Ended]] = []
        self._sent_back: list[int] = []
        # Pairs whose messages are to go back, because one before them failed and the shard does not know it yet.
        self._failed: Counter[tuple[Key, int]] = Counter()
        # All of it by message id, and what was begun when the shard was lost: it may be given again, and is not handled
        # again.
        self._known: dict[bytes, Held] = {}
        self.seen: int | None = None
        self.is_leaving = False

    @property
    def has_news(self) -> bool:
        """True when something is to be given back."""
        return bool(self._ended or self._returned or self._sent or self._sent_back)

    @property
    def is_busy(self) -> bool:
        """True while a handler runs, or something is to be given back."""
        return bool(self._running) or self.has_news

    def arrived(self, deliveries: Iterable[Delivery], last: int = 0, before: int = 0, session: int = 0) -> None:
        """Messages were given: each waits for its turn, or is one that this program has begun already.

        before: up to which number some were given before these. If an answer with some of them is lost, they are to be
        given again first: these go back behind them. session: that they were given to.
        """
        is_early = self.seen is not None and before > self.seen
        self.seen = max(self.seen or 0, last)
        for delivery in deliveries:
            self.seen = max(self.seen, delivery.delivery)
            message_id = delivery.message.message_id
            known = self._known.get(message_id)
            if known is None:
                held = Held(delivery, key_beside(self._order, delivery.message, self._known), session)
                self._known[message_id] = self._held[held.number] = held
                if is_early:
                    self._return([held])
                else:
                    self._wait(held)
            elif not known.is_sent:  # an end that came too late is followed by another try: this one goes back
                self._renumber(known, delivery.delivery)

    def nothing_waits(self) -> None:
        """The shard has nothing for us: what ended before it was lost does not come again."""
        self._known = {key: held for key, held in self._known.items() if held.number or held.end is None}

    @property
    def startable(self) -> int:
        """How many keys could run from now on beside those that do."""
        return 0 if self._is_full else min(len(self._ready), self._concurrency - len(self._running))

    @property
    def running(self) -> int:
        """How many keys run."""
        return len(self._running)

    def start(self) -> Key | None:
        """Return a key that is to run from now on, None when none is: whoever runs it asks `begin` until it is done."""
        if not self._ready or len(self._running) >= self._concurrency or self._is_full:
            return None
        key = self._ready.popleft()
        self._running.add(key)
        return key

    def begin(self, key: Key, most: int) -> list[Held]:
        """Return what is to be handled next of a key that runs, up to so many; nothing when it is to end now."""
        line = self._waiting[key]
        if line and not self._is_full:
            some = [line.popleft()] if most == 1 else [line.popleft() for _ in range(min(most, len(line)))]
            for held in some:
                held.begun = True
            return some
        self.put_off(key)
        return []

    def put_off(self, key: Key) -> None:
        """A key runs no more; what waits of it is the next to begin."""
        self._running.remove(key)
        if self._waiting[key]:
            self._ready.appendleft(key)
        else:
            del self._waiting[key]

    def end(self, held: Held, end: Ended) -> None:
        """A message was handled, or its handler failed: then what is behind it waits at its shard for its next try."""
        held.end = end
        if held.number:
            self._give_back(held, end)

    def cut(self, held: Held) -> None:
        """The handling of a message was broken off: it goes back, as begun."""
        self._held.pop(held.number, None)
        del self._known[held.delivery.message.message_id]

    def leave(self) -> None:
        """Begin nothing more: what was not begun goes back."""
        self.is_leaving = True
        for line in self._waiting.values():
            self._return(line)
            line.clear()
        self._forget_idle()

    def collect(self) -> tuple[list[Ended], list[int]]:
        """Return what is to be given back now, ends and what was not begun: all of it until `confirmed` or `lose`."""
        size = 0
        while self._ended and len(self._sent) < MAX_DELIVERIES:
            held = self._ended[0][0]
            if self._sent and size + held.size > FULL_DELIVERIES_BYTES:
                break
            size += held.size
            held.is_sent = True
            self._sent.append(self._ended.popleft())
        self._ended_bytes -= size
        self._drop_older_states()
        self._sent_back += self._returned
        self._returned = []
        ends = [
            end if end.delivery == held.number else structs.replace(end, delivery=held.number)
            for held, end in self._sent
        ]
        return ends, self._sent_back

    def _drop_older_states(self) -> None:
        """Of the states that are given back together the last one counts: all of it is one commit."""
        places = [place for place, (_, end) in enumerate(self._sent) if end.state is not None]
        for place in places[:-1]:
            held, end = self._sent[place]
            self._sent[place] = held, structs.replace(end, state=None)

    def kept(self) -> list[int]:
        """Return the numbers of what stays here."""
        gone = {held.number for held, _ in self._sent}
        gone.update(self._sent_back)
        return [number for number in self._held if number not in gone]

    def confirmed(self) -> None:
        """What was collected is committed."""
        for held, _ in self._sent:
            del self._held[held.number], self._known[held.delivery.message.message_id]
            if held.is_tried_again:
                self._failed -= Counter([held.pair])
        for number in self._sent_back:
            del self._held[number]
        self._sent, self._sent_back = [], []

    def lose(self) -> int:
        """The numbers mean nothing any more: what was given may be given again. Returns how much of it had ended."""
        unconfirmed = 0
        for held in self._held.values():
            unconfirmed += held.end is not None
            held.number, held.is_sent = 0, False
        self._known = {key: held for key, held in self._known.items() if held.begun}
        for message_id in [key for key, held in self._known.items() if held.end is not None][:-MAX_HELD]:
            del self._known[message_id]
        for line in self._waiting.values():
            line.clear()
        self._forget_idle()
        self._held.clear()
        self._ended.clear()
        self._ended_bytes = 0
        self._returned, self._sent, self._sent_back = [], [], []
        self._failed.clear()
        self.seen = None
        return unconfirmed

    @property
    def _is_full(self) -> bool:
        """So much was sent by handlers that it is to be given back before more is handled."""
        return self._ended_bytes >= FULL_DELIVERIES_BYTES

    def _renumber(self, held: Held, number: int) -> None:
        """The shard has given a message again that is here: its end goes back under the new number."""
        before, held.number = held.number, number
        self._held.pop(before, None)
        self._held[number] = held
        if not before and held.end is not None:
            self._give_back(held, held.end)

    def _wait(self, held: Held) -> None:
        if self.is_leaving or (self._failed and held.pair in self._failed):
            self._return([held])
        elif held.key in self._waiting:
            self._waiting[held.key].append(held)
        else:
            self._waiting[held.key] = deque([held])
            self._ready.append(held.key)

    def _give_back(self, held: Held, end: Ended) -> None:
        held.size = size_of(end)
        self._ended.append((held, end))
        self._ended_bytes += held.size
        if not held.is_tried_again:
            return
        self._failed[held.pair] += 1
        line = self._waiting.get(held.key)
        if line:
            behind = [other for other in line if other.pair == held.pair]
            self._waiting[held.key] = deque(other for other in line if other.pair != held.pair)
            self._return(behind)
            if not self._waiting[held.key] and held.key not in self._running:
                self._forget_idle()

    def _return(self, some: Iterable[Held]) -> None:
        for held in some:
            self._returned.append(held.number)
            del self._known[held.delivery.message.message_id]

    def _forget_idle(self) -> None:
        """Forget the keys of which nothing waits and nothing runs."""
        self._waiting = {key: line for key, line in self._waiting.items() if line or key in self._running}
        self._ready = deque(key for key in self._ready if key in self._waiting)

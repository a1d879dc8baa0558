"""What is known, where messages are sent from, of who can do what: kept while it is asked for, within a bound."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from caxton.capabilities.candidates import Candidate, Candidates
from caxton.errors import ResourceExhausted

# What one process knows of others' agents, at most: keys, and bytes. A candidate and a key take so many of them.
MOST_SUBSCRIPTIONS, MOST_KNOWN_BYTES = 1_024, 64 << 20
CANDIDATE_BYTES, KEY_BYTES = 256, 1_024
# Of these, keys that nobody is known to have: so many names that there are not leave the others their place.
MOST_UNKNOWN = 512
# Of keys that one agent asked for first: whoever asks for ever more of them does so at the cost of its own.
MOST_OF_ONE = 64
# How often what is wanted is said again, and for how long it is wanted after somebody asked for it last.
RENEW_S, IDLE_S = 1.0, 60.0
# `Capable` that were taken and not told of, at most: their shard stops when it hears of none.
MOST_UNTOLD = 16
# Of one word to a shard: keys.
MOST_WANTED = 64


class Asked(NamedTuple):
    """What is asked of a shard for a key: see `caxton.wire.capable.Wanted`."""

    key: str
    version: int
    asked: int
    over: bool = False


class Told(NamedTuple):
    """What a shard says of a key: see `caxton.wire.capable.Capable`."""

    shard: int
    key: str
    since: int | None
    version: int
    page: int
    more: bool
    candidates: list[Candidate]
    asked: int
    refused: bool


class _FromShard:
    """What one life of a shard's worker has said of a key. version 0: nothing that is whole."""

    __slots__ = ("answered", "incarnation", "pages", "parts", "version")

    def __init__(self, incarnation: int) -> None:
        self.incarnation = incarnation
        self.version = 0
        self.answered = 0  # the last question that it answered
        self.parts: list[Candidate] = []  # of an answer that is under way, as far as page `pages`
        self.pages = 0


class Subscription:
    """One key, and who can do it as far as it is known. asker: the agent that asked for it first, 0 for a client.

    used: since it was said the last time. refused: a shard tells of no more keys.
    """

    __slots__ = (
        "asked",
        "asker",
        "candidates",
        "is_asking",
        "key",
        "refused",
        "shards",
        "used",
        "used_s",
        "waited_for",
    )

    def __init__(self, key: str, asker: int, candidates: Candidates, now_s: float) -> None:
        self.key = key
        self.asker = asker
        self.candidates = candidates
        self.used = True
        self.used_s = now_s
        self.asked = 1  # the last question
        self.is_asking = True  # it has not been said yet
        self.waited_for = 0  # how many wait for an answer
        self.refused = False
        self.shards: dict[int, _FromShard] = {}

    @property
    def bytes(self) -> int:
        """What it takes here, about."""
        return KEY_BYTES + CANDIDATE_BYTES * len(self.candidates)


class Subscriptions:
    """Owned by one client, or one worker. dice: as in `Candidates`.

    find: returns the subscription of a key, None if there is none. bytes: what all of it takes, about. dropped: keys
    that were forgotten for want of room.
    """

    def __init__(self, dice: Callable[[], float], most_bytes: int = MOST_KNOWN_BYTES) -> None:
        self._dice = dice
        self._most_bytes = most_bytes
        self._by_key: dict[str, Subscription] = {}
        self._incarnations: list[int] = []
        self._renewed_s = 0.0
        # `Capable` taken of each incarnation, and how many of them it does not know of.
        self._taken: dict[int, int] = {}
        self._untold: dict[int, int] = {}
        # Subscriptions of which something is to be said at once.
        self._due: dict[str, Subscription] = {}
        # Keys that were forgotten, and of which shards are still to hear so: the latest of them.
        self._over: dict[str, None] = {}
        self.bytes = 0
        self.dropped = 0
        self.find = self._by_key.get

    def __len__(self) -> int:
        return len(self._by_key)

    def of(self, key: str, now_s: float, asker: int = 0) -> Subscription:
        """Return the subscription of a key, made if it is not there.

        Raises ResourceExhausted when there are too many that somebody waits for.
        """
        found = self._by_key.get(key)
        if found is None:
            self._make_room(asker)
            self._over.pop(key, None)
            found = self._by_key[key] = self._due[key] = Subscription(key, asker, Candidates(self._dice), now_s)
            self.bytes += found.bytes
        found.used = True
        return found

    def ask(self, subscription: Subscription) -> int:
        """Ask all shards anew; returns the number that `answers` is to be asked for.

        Questions before the next `say` are one.
        """
        if not subscription.is_asking:
            subscription.is_asking, subscription.refused = True, False
            subscription.asked += 1
            self._due[subscription.key] = subscription
        return subscription.asked

    def serve(self, incarnations: list[int]) -> None:
        """Take over which worker serves each shard, 0 for none: what another has said is kept until this one speaks."""
        for gone in set(self._taken) - set(incarnations):
            del self._taken[gone]
            self._untold.pop(gone, None)
        if incarnations != self._incarnations:
            self._incarnations = list(incarnations)
            self._due |= self._by_key

    @property
    def is_whole(self) -> bool:
        """Whether every shard is served now."""
        return bool(self._incarnations) and all(self._incarnations)

    def has_answered(self, subscription: Subscription, asked: int) -> bool:
        """Whether every shard that is served has answered a question, and there is one."""
        return any(self._incarnations) and self._first_silent(subscription, asked, but=0) is None

    def silent(self, subscription: Subscription) -> int | None:
        """Return a shard that is not served, or has not told yet who has a capability; None when all is known."""
        return self._first_silent(subscription, 1, but=None) if self._incarnations else 0

    def _first_silent(self, subscription: Subscription, asked: int, but: int | None) -> int | None:
        """Return the first shard that has not answered a question. but: the incarnation of those that are left out."""
        shards = subscription.shards
        for shard, incarnation in enumerate(self._incarnations):
            if incarnation == but:
                continue
            found = shards.get(shard)
            if found is None or not incarnation or found.incarnation != incarnation or found.answered < asked:
                return shard
        return None

    def hear(self, incarnation: int, told: Told) -> Subscription | None:
        """Take in what a worker says; returns the subscription that it is about, None for nothing that counts."""
        shard = told.shard
        if shard >= len(self._incarnations) or self._incarnations[shard] != incarnation:
            return None
        self._taken[incarnation] = self._taken.get(incarnation, 0) + 1
        self._untold[incarnation] = self._untold.get(incarnation, 0) + 1
        subscription = self._by_key.get(told.key)
        if subscription is None:
            return None
        if told.refused:
            subscription.refused = True
            return subscription
        subscription.refused = False
        before = subscription.bytes
        self._take(subscription, incarnation, told)
        self.bytes += subscription.bytes - before
        if self.bytes > self._most_bytes:
            self._drop_some(subscription)
        return subscription

    def _take(self, subscription: Subscription, incarnation: int, told: Told) -> None:
        shard = told.shard
        found = subscription.shards.get(shard)
        if found is None or found.incarnation != incarnation:
            found = subscription.shards[shard] = _FromShard(incarnation)
        if told.since is None:
            self._hear_page(subscription, found, told)
        elif told.since == found.version:
            for candidate in told.candidates:
                subscription.candidates.put(shard, candidate)
            found.version = told.version
        subscription.candidates.look_anew()

    def _hear_page(self, subscription: Subscription, found: _FromShard, told: Told) -> None:
        """Take a page of all that a shard has; the last one puts them in the place of what was known."""
        if not told.page:
            found.parts, found.pages = [], 0
        elif told.page != found.pages:
            return  # one before it was lost: it is asked for again
        found.parts += told.candidates
        found.pages += 1
        if told.more:
            return
        subscription.candidates.replace(told.shard, found.parts)
        found.parts, found.pages = [], 0
        found.version, found.answered = told.version, max(found.answered, told.asked)

    def say(self, now_s: float) -> Iterator[tuple[int, int, list[Asked]]]:
        """Yield (shard, `Capable` taken, what is wanted) for each word to a shard that is to be said now."""
        if now_s - self._renewed_s >= RENEW_S:
            self._renewed_s = now_s
            self._drop_idle(now_s)
            self._due |= self._by_key
        due, self._due = list(self._due.values()), {}
        over, self._over = [Asked(key, 0, 0, over=True) for key in self._over], {}
        for subscription in due:
            subscription.is_asking = False
        for shard, incarnation in enumerate(self._incarnations):
            if not incarnation or not (due or over or self._untold.get(incarnation, 0) >= MOST_UNTOLD):
                continue
            self._untold[incarnation] = 0
            wanted = over + [_asked(subscription, shard, incarnation) for subscription in due]
            for start in range(0, max(1, len(wanted)), MOST_WANTED):
                yield shard, self._taken.get(incarnation, 0), wanted[start : start + MOST_WANTED]

    @property
    def is_due(self) -> bool:
        """Whether `say` has something to say before it is time again."""
        return bool(self._due) or any(count >= MOST_UNTOLD for count in self._untold.values())

    def look_anew(self) -> None:
        """Forget what went to candidates from here, as their shards told of no load that differs."""
        for subscription in self._by_key.values():
            subscription.candidates.look_anew()

    def _drop_idle(self, now_s: float) -> None:
        for subscription in list(self._by_key.values()):
            if subscription.used or subscription.waited_for:
                subscription.used, subscription.used_s = False, now_s
            elif now_s - subscription.used_s >= IDLE_S:
                self._forget(subscription)

    def _make_room(self, asker: int) -> None:
        """Let one more key fit: in place of the asker's oldest, of the oldest that nobody has, or of the oldest of all.

        Whether somebody has the new one is not known yet, nor of others that are waited for: these may be more than
        `MOST_UNKNOWN`, where there is room, and none that somebody has makes way for them.
        """
        if asker:
            own = [s for s in self._by_key.values() if s.asker == asker]
            if len(own) >= MOST_OF_ONE:
                self._drop(own, f"capabilities that agent {asker:016x} asks for at once", MOST_OF_ONE)
        everything = list(self._by_key.values())
        unknown = [s for s in everything if not len(s.candidates)]
        is_full = len(everything) >= MOST_SUBSCRIPTIONS
        if len(unknown) >= MOST_UNKNOWN and (is_full or not all(s.waited_for for s in unknown)):
            self._drop(unknown, "capabilities that nobody is known to have, and that are asked for", MOST_UNKNOWN)
        elif is_full and len(unknown) < MOST_UNKNOWN:
            self._drop(everything, "capabilities that are asked for at once", MOST_SUBSCRIPTIONS)

    def _drop(self, some: list[Subscription], resource: str, most: int) -> None:
        droppable = [s for s in some if not s.waited_for]
        if not droppable:
            raise ResourceExhausted(resource, most)
        self._forget(min(droppable, key=_last_use))
        self.dropped += 1

    def _drop_some(self, but: Subscription) -> None:
        """Keep within the bytes: what was not asked for for longest goes first, and what has just come stays."""
        others = [s for s in self._by_key.values() if s is not but and not s.waited_for]
        for subscription in sorted(others, key=_last_use):
            if self.bytes <= self._most_bytes:
                return
            self._forget(subscription)
            self.dropped += 1

    def _forget(self, subscription: Subscription) -> None:
        del self._by_key[subscription.key]
        self._due.pop(subscription.key, None)
        self._over[subscription.key] = None
        if len(self._over) > MOST_SUBSCRIPTIONS:  # nobody says anything: shards forget it by themselves
            del self._over[next(iter(self._over))]
        self.bytes -= subscription.bytes


def _last_use(subscription: Subscription) -> tuple[bool, float]:
    return subscription.used, subscription.used_s


def _asked(subscription: Subscription, shard: int, incarnation: int) -> Asked:
    found = subscription.shards.get(shard)
    if found is None or found.incarnation != incarnation or found.answered < subscription.asked:
        return Asked(subscription.key, 0, subscription.asked)
    return Asked(subscription.key, found.version, subscription.asked)

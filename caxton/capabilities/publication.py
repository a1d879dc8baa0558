"""What a shard tells of its own agents to those who subscribed: all of them at first, then changes, each numbered."""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from caxton.acl.capability import names_of
from caxton.capabilities.candidates import Candidate

# Of one key, the candidates that are told of; and of all keys together. Whoever chooses among thousands needs no more.
MOST_TOLD, MOST_TOLD_IN_ALL = 4_096, 262_144
# Keys that are told of; and those that one subscriber may want.
MOST_OFFERS, MOST_OF_SUBSCRIBER = 8_192, 1_024
# A subscription ends when it is not said again.
LEASE_S = 5.0
# Pages that a subscriber was sent and has not said that it took: then it is sent no more until it does.
MOST_UNTAKEN = 64
# Pages, and agents that are looked at, in one go: what is left goes with the next one.
MOST_PAGES, MOST_LOOKED_AT = 256, 65_536
PAGE = 256
# Agents whose load is looked at in one go, ten times a second.
MOST_WEIGHED = 4_096


class Page(NamedTuple):
    """What one subscriber is told of a key: the fields of `caxton.wire.capable.Capable` but for who says it to whom."""

    key: str
    since: int | None
    version: int
    page: int
    more: bool
    candidates: list[Candidate]
    asked: int = 0
    refused: bool = False


class Agents(Protocol):
    """The agents of the shard."""

    def candidates(self, names: tuple[str, ...], most: int, most_looked_at: int) -> tuple[list[Candidate], int]:
        """Return up to `most` that have all of these, are healthy and run, and how many agents were looked at."""

    def candidate(self, agent_id: int, names: tuple[str, ...]) -> Candidate | None:
        """Return an agent that has all of these capabilities, is healthy and runs; None for any other."""

    def weighed(self, agent_id: int, names: tuple[str, ...]) -> Candidate | None:
        """Return the same after a look at how its load has become: to be asked for some ten times a second."""


class _Offer:
    """One key that somebody subscribed to. told: what was told last, by agent. is_cut: there are more than are told."""

    __slots__ = ("changed", "is_cut", "is_known", "key", "names", "subscribers", "told", "version")

    def __init__(self, key: str, version: int) -> None:
        self.key = key
        self.names = names_of(key)
        self.told: dict[int, Candidate] = {}
        self.version = version
        self.subscribers: dict[int, _Subscriber] = {}
        self.changed: dict[int, None] = {}
        self.is_cut = False
        self.is_known = False  # its agents were looked for


class _Subscriber:
    """One peer. versions: what it was told of each key, -1 where it is to be told all. asked: its last questions.

    said: the version that it said it knew. When it says the same again, and was told another, that was lost.
    """

    __slots__ = ("asked", "said", "sent", "taken", "until_s", "versions")

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.asked: dict[str, int] = {}
        self.said: dict[str, int] = {}
        self.until_s: dict[str, float] = {}
        self.sent = 0
        self.taken = 0


class Publication:
    """Owned by a shard. send: hands a page to a peer; False when there is no room, and then it is told all later."""

    def __init__(self, agents: Agents, send: Callable[[int, Page], bool]) -> None:
        self._agents = agents
        self._send = send
        self._offers: dict[str, _Offer] = {}
        self._subscribers: dict[int, _Subscriber] = {}
        # Keys by each of their names.
        self._keys_with: dict[str, set[str]] = {}
        self._version = 0
        # Keys of which somebody is to be told something, in order.
        self._due: deque[str] = deque()
        self._are_due: set[str] = set()
        # Keys, the next one first whose candidates' load is looked at.
        self._weighed: OrderedDict[str, None] = OrderedDict()
        # How many candidates are told of, counted with each key.
        self.told = 0

    def __len__(self) -> int:
        return len(self._offers)

    @property
    def is_due(self) -> bool:
        """Whether `flush` has something to do."""
        return bool(self._due)

    def subscribe(self, peer: int, taken: int, wanted: Iterable[tuple[str, int, int]], now_s: float) -> None:
        """Take in what a peer wants: (key, the version it knows, its question) of each."""
        subscriber = self._subscribers.get(peer)
        if subscriber is None:
            subscriber = self._subscribers[peer] = _Subscriber()
        subscriber.taken = min(max(subscriber.taken, taken), subscriber.sent)
        for key, version, asked in wanted:
            self._want(peer, subscriber, key, version, asked, now_s)
        for key, known in subscriber.versions.items():
            if known < 0:
                self._note_due(key)

    def _want(self, peer: int, subscriber: _Subscriber, key: str, version: int, asked: int, now_s: float) -> None:
        offer = self._offers.get(key)
        if key not in subscriber.versions and len(subscriber.versions) >= MOST_OF_SUBSCRIBER:
            self._refuse(peer, key, asked)
            return
        if offer is None:
            full = len(self._offers) >= MOST_OFFERS and not self._make_room(subscriber)
            if full or self.told >= MOST_TOLD_IN_ALL:
                self._refuse(peer, key, asked)
                return
            offer = self._open(key)
        offer.subscribers[peer] = subscriber
        subscriber.until_s[key] = now_s + LEASE_S
        told, said = subscriber.versions.get(key, -1), subscriber.said.get(key)
        subscriber.asked[key], subscriber.said[key] = asked, version
        if not version or told < 0 or (version != told and version == said):
            subscriber.versions[key] = -1
            self._note_due(key)

    def _refuse(self, peer: int, key: str, asked: int) -> None:
        self._send(peer, Page(key, None, 0, 0, more=False, candidates=[], asked=asked, refused=True))

    def _make_room(self, asker: _Subscriber) -> bool:
        """Whoever wants the most keys loses one that nobody else wants, if it has more of them than who asks now."""
        peer, greedy = max(self._subscribers.items(), key=lambda one: len(one[1].versions))
        if len(greedy.versions) <= len(asker.versions) + 1:
            return False
        key = next((key for key in greedy.versions if len(self._offers[key].subscribers) == 1), None)
        if key is None:
            return False
        asked = greedy.asked.get(key, 0)
        self._unsubscribe(peer, greedy, key)
        self._refuse(peer, key, asked)
        return True

    def end(self, peer: int) -> None:
        """Forget a peer."""
        subscriber = self._subscribers.pop(peer, None)
        if subscriber is not None:
            for key in list(subscriber.versions):
                self._unsubscribe(peer, subscriber, key)

    def leave(self, peer: int, keys: Iterable[str]) -> None:
        """A peer does not want these any more."""
        subscriber = self._subscribers.get(peer)
        if subscriber is not None:
            for key in keys:
                self._unsubscribe(peer, subscriber, key)

    def note(self, agent_id: int, capabilities: Iterable[str]) -> None:
        """An agent came, went, changed or has another health; these capabilities are those it had and has."""
        if not self._offers:
            return
        for name in capabilities:
            for key in self._keys_with.get(name, ()):
                self._offers[key].changed[agent_id] = None
                self._note_due(key)

    def weigh(self) -> None:
        """Look at the load of some candidates, of each key in turn; where it differs much, `flush` tells it."""
        left = MOST_WEIGHED
        for _ in range(len(self._weighed)):
            key = next(iter(self._weighed))
            self._weighed.move_to_end(key)
            offer = self._offers[key]
            left -= len(offer.told) + 1
            for agent_id, told in offer.told.items():
                found = self._agents.weighed(agent_id, offer.names)
                if found is None or _differs(found, told):
                    offer.changed[agent_id] = None
            if offer.changed:
                self._note_due(key)
            if left <= 0:
                return

    def lapse(self, now_s: float) -> None:
        """End the subscriptions that were not said again."""
        for peer, subscriber in list(self._subscribers.items()):
            for key in [key for key, until_s in subscriber.until_s.items() if until_s <= now_s]:
                self._unsubscribe(peer, subscriber, key)
            if not subscriber.versions:
                del self._subscribers[peer]

    def flush(self) -> None:
        """Tell subscribers what they do not know, up to 256 pages; what is left is due still."""
        pages, looked_at = MOST_PAGES, MOST_LOOKED_AT
        for _ in range(len(self._due)):
            if pages <= 0 or looked_at <= 0:
                return
            key = self._due.popleft()
            self._are_due.discard(key)
            offer = self._offers.get(key)
            if offer is None:
                continue
            looked_at -= self._look(offer)
            pages -= self._tell(offer)

    def _look(self, offer: _Offer) -> int:
        """Bring what is told of a key up to date; returns how many agents were looked at."""
        if not offer.is_known:
            offer.is_known = True
            return self._fill(offer)
        changed, offer.changed = offer.changed, {}
        since = offer.version
        changes = [change for agent_id in changed if (change := self._change(offer, agent_id)) is not None]
        looked_at = len(changed)
        if offer.is_cut and len(offer.told) < MOST_TOLD * 3 // 4:
            looked_at += self._fill(offer)
            return looked_at
        if changes:
            offer.version = self._next_version()
            for peer, subscriber in list(offer.subscribers.items()):
                if subscriber.versions[offer.key] == since:
                    self._tell_changes(peer, subscriber, offer, since, changes)
                else:
                    subscriber.versions[offer.key] = -1
        return looked_at

    def _change(self, offer: _Offer, agent_id: int) -> Candidate | None:
        found, told = self._agents.candidate(agent_id, offer.names), offer.told.get(agent_id)
        if found is None:
            if told is None:
                return None
            del offer.told[agent_id]
            self.told -= 1
            return Candidate(agent_id, 0)
        if told is None:
            if len(offer.told) >= MOST_TOLD:
                offer.is_cut = True
                return None
        elif found == told:
            return None
        self.told += told is None
        offer.told[agent_id] = found
        return found

    def _fill(self, offer: _Offer) -> int:
        """Look for all agents of a key, or as many as are told of; everybody is told all of them."""
        found, looked_at = self._agents.candidates(offer.names, MOST_TOLD, MOST_LOOKED_AT)
        self.told -= len(offer.told)
        offer.told = {candidate.agent_id: candidate for candidate in found}
        self.told += len(offer.told)
        offer.is_cut = looked_at >= MOST_LOOKED_AT or len(offer.told) >= MOST_TOLD
        offer.version = self._next_version()
        for subscriber in offer.subscribers.values():
            subscriber.versions[offer.key] = -1
        return looked_at

    def _tell_changes(
        self, peer: int, subscriber: _Subscriber, offer: _Offer, since: int, changes: list[Candidate]
    ) -> None:
        if len(changes) > PAGE or subscriber.sent - subscriber.taken >= MOST_UNTAKEN:
            subscriber.versions[offer.key] = -1
        elif self._send(peer, Page(offer.key, since, offer.version, 0, more=False, candidates=changes)):
            subscriber.sent += 1
            subscriber.versions[offer.key] = offer.version
        else:
            subscriber.versions[offer.key] = -1

    def _tell(self, offer: _Offer) -> int:
        """Tell all to those who are to be told all; returns how many pages, and at least 1."""
        pages = 1
        for peer, subscriber in list(offer.subscribers.items()):
            if subscriber.versions[offer.key] < 0:
                pages += self._tell_all(peer, subscriber, offer)
        return pages

    def _tell_all(self, peer: int, subscriber: _Subscriber, offer: _Offer) -> int:
        told = list(offer.told.values())
        count = max(1, -(-len(told) // PAGE))
        if subscriber.sent - subscriber.taken + count > max(MOST_UNTAKEN, count):
            return 0  # its next word says what it took, and then it is due again
        for page in range(count):
            part = told[page * PAGE : (page + 1) * PAGE]
            asked, more = subscriber.asked[offer.key], page + 1 < count
            if not self._send(peer, Page(offer.key, None, offer.version, page, more, part, asked)):
                return page
            subscriber.sent += 1
        subscriber.versions[offer.key] = offer.version
        return count

    def _open(self, key: str) -> _Offer:
        offer = self._offers[key] = _Offer(key, self._next_version())
        for name in offer.names:
            self._keys_with.setdefault(name, set()).add(key)
        self._weighed[key] = None
        return offer

    def _unsubscribe(self, peer: int, subscriber: _Subscriber, key: str) -> None:
        for kept in (subscriber.versions, subscriber.asked, subscriber.said, subscriber.until_s):
            kept.pop(key, None)
        offer = self._offers.get(key)
        if offer is None:
            return
        offer.subscribers.pop(peer, None)
        if not offer.subscribers:
            self._close(offer)

    def _close(self, offer: _Offer) -> None:
        del self._offers[offer.key]
        del self._weighed[offer.key]
        self.told -= len(offer.told)
        for name in offer.names:
            keys = self._keys_with[name]
            keys.discard(offer.key)
            if not keys:
                del self._keys_with[name]

    def _note_due(self, key: str) -> None:
        if key not in self._are_due:
            self._are_due.add(key)
            self._due.append(key)

    def _next_version(self) -> int:
        self._version += 1
        return self._version

    def keys(self) -> Iterator[tuple[str, int, int]]:
        """Yield each key that somebody subscribed to, with how many did and how many agents are told of."""
        for key, offer in self._offers.items():
            yield key, len(offer.subscribers), len(offer.told)


def _differs(found: Candidate, told: Candidate) -> bool:
    """Whether what is known of a candidate's load is wrong by more than a quarter."""
    if found.weight != told.weight:
        return True
    pairs = (
        (found.active, told.active),
        (found.queued, told.queued),
        (found.response_us, told.response_us),
    )
    return any(abs(now - before) > 1 + (before >> 2) for now, before in pairs)

"""What a shard tells of its agents, to whom, and how much of it at most."""

import pytest

from caxton.capabilities import publication
from caxton.capabilities.candidates import Candidate
from caxton.capabilities.publication import LEASE_S, Publication


class Place:
    """A shard's agents, and what its subscribers were sent."""

    def __init__(self):
        self.can = {}
        self.load = {}
        self.sent = []
        self.open = True
        self.publication = Publication(self, self.send)

    def candidates(self, names, most, most_looked_at):
        found = [one for agent in list(self.can)[:most_looked_at] if (one := self.candidate(agent, names))]
        return found[:most], len(self.can)

    def candidate(self, agent_id, names):
        if not set(names) <= self.can.get(agent_id, set()):
            return None
        return Candidate(agent_id, 1, queued=self.load.get(agent_id, 0))

    weighed = candidate

    def send(self, peer, page):
        if self.open:
            self.sent.append((peer, page))
        return self.open

    def change(self, agent_id, *names):
        before = self.can.get(agent_id, set())
        self.can[agent_id] = set(names)
        self.publication.note(agent_id, before | set(names))

    def want(self, peer, *keys, taken=0, version=0, now_s=0.0):
        self.publication.subscribe(peer, taken, [(key, version, 1) for key in keys], now_s)

    def told(self):
        """What is sent now: (peer, key, agents, is it all there is)."""
        self.publication.flush()
        sent, self.sent = self.sent, []
        return [(p, page.key, {c.agent_id: c.weight for c in page.candidates}, page.since is None) for p, page in sent]


@pytest.fixture
def place():
    return Place()


def test_a_subscriber_is_told_all_and_then_what_changes(place):
    """Also of an agent that goes."""
    place.change(1, "a")
    place.change(2, "b")
    place.want(7, "a")
    assert place.told() == [(7, "a", {1: 1}, True)]
    place.change(3, "a")
    place.change(1)
    assert place.told() == [(7, "a", {3: 1, 1: 0}, False)]
    place.change(2, "b", "c")
    assert place.told() == []


def test_who_has_all_of_several_is_told_of(place):
    """And no longer when one of them goes."""
    place.change(1, "a", "b")
    place.change(2, "a")
    place.want(7, "a\nb")
    assert place.told() == [(7, "a\nb", {1: 1}, True)]
    place.change(2, "a", "b")
    place.change(1, "b")
    assert place.told() == [(7, "a\nb", {2: 1, 1: 0}, False)]


def test_nobody_is_told_twice_the_same(place):
    """A note that changes nothing is no change."""
    place.change(1, "a")
    place.want(7, "a")
    place.told()
    place.publication.note(1, ["a"])
    assert place.told() == []


def test_who_misses_a_change_is_told_all_again(place):
    """When there was no room in its socket, and when what it says it knows stays behind."""
    place.change(1, "a")
    place.want(7, "a")
    place.told()
    place.open = False
    place.change(2, "a")
    place.told()
    place.open = True
    place.want(7, "a", taken=1, version=1)
    assert place.told() == [(7, "a", {1: 1, 2: 1}, True)]
    known = place.publication._subscribers[7].versions["a"]
    place.want(7, "a", taken=2, version=known - 1)
    assert place.told() == []
    place.want(7, "a", taken=2, version=known - 1)
    assert place.told() == [(7, "a", {1: 1, 2: 1}, True)]


def test_load_is_told_when_it_differs_by_more_than_a_quarter(place):
    """It is a hint, and most of what changes is not worth a word."""
    place.change(1, "a")
    place.load[1] = 40
    place.want(7, "a")
    place.told()
    place.load[1] = 45
    place.publication.weigh()
    assert place.told() == []
    place.load[1] = 60
    place.publication.weigh()
    assert place.told() == [(7, "a", {1: 1}, False)]


def test_a_subscription_that_is_not_said_again_ends(place):
    """After five seconds; then nothing is kept of it."""
    place.change(1, "a")
    place.want(7, "a")
    place.want(8, "a", now_s=3.0)
    place.told()
    place.publication.lapse(LEASE_S)
    place.change(2, "a")
    assert [peer for peer, *_ in place.told()] == [8]
    place.publication.lapse(LEASE_S + 3.0)
    assert len(place.publication) == 0
    assert place.publication._keys_with == {}


def test_a_peer_that_ends_is_forgotten(place):
    """With all that was told to it."""
    place.change(1, "a")
    place.want(7, "a", "b")
    place.publication.end(7)
    place.publication.end(7)
    assert len(place.publication) == 0


def test_a_subscriber_that_never_reads_is_sent_no_more_than_so_much(place, monkeypatch):
    """Until it says what it took."""
    monkeypatch.setattr(publication, "MOST_UNTAKEN", 4)
    place.change(1, "a")
    place.want(7, "a")
    sent = len(place.told())
    for n in range(2, 30):
        place.change(n, "a")
        sent += len(place.told())
    assert sent == 4
    place.want(7, "a", taken=4, version=1)
    assert place.told() == [(7, "a", dict.fromkeys(range(1, 30), 1), True)]


def test_no_more_than_so_many_agents_are_told_of(place, monkeypatch):
    """Of one key; when some go, others take their places."""
    monkeypatch.setattr(publication, "MOST_TOLD", 8)
    for n in range(1, 20):
        place.change(n, "a")
    place.want(7, "a")
    ((_, _, told, _),) = place.told()
    assert len(told) == 8
    place.change(30, "a")
    assert place.told() == []
    for n in list(told)[:3]:
        place.change(n)
    ((_, _, told, is_all),) = place.told()
    assert (len(told), is_all) == (8, True)


def test_no_more_than_so_many_agents_are_told_of_in_all(place, monkeypatch):
    """Then further keys are refused, by a word that says so."""
    monkeypatch.setattr(publication, "MOST_TOLD_IN_ALL", 2)
    for n in (1, 2):
        place.change(n, "a")
    place.want(7, "a")
    place.told()
    place.want(7, "b")
    assert [(page.key, page.refused) for _, page in place.sent] == [("b", True)]


def test_no_more_than_so_many_keys_are_told_of(place, monkeypatch):
    """Of all, and of one subscriber."""
    monkeypatch.setattr(publication, "MOST_OFFERS", 3)
    monkeypatch.setattr(publication, "MOST_OF_SUBSCRIBER", 2)
    place.want(7, "a", "b", "c")
    assert [page.key for _, page in place.sent if page.refused] == ["c"]
    place.want(8, "a", "d")
    place.want(9, "a")
    place.want(9, "e")
    assert [(peer, page.key) for peer, page in place.sent if page.refused] == [(7, "c"), (9, "e")]
    assert len(place.publication) == 3


def test_what_is_not_wanted_any_more_frees_its_place(place, monkeypatch):
    """At once, and takes nothing from others; of what was never wanted it is nothing."""
    monkeypatch.setattr(publication, "MOST_OF_SUBSCRIBER", 2)
    place.change(1, "a", "c")
    place.want(7, "a", "b")
    place.want(8, "a")
    place.told()
    place.publication.leave(7, ["a", "never wanted"])
    place.publication.leave(9, ["a"])
    place.want(7, "c")
    assert place.told() == [(7, "c", {1: 1}, True)]
    place.change(1, "c")
    assert place.told() == [(8, "a", {1: 0}, False)]
    place.publication.leave(8, ["a"])
    assert sorted(place.publication._offers) == ["b", "c"]


def test_whoever_wants_the_most_makes_room_for_who_wants_little(place, monkeypatch):
    """Several that want all that there is lose keys to one that wants a few, and each is told; then it is even."""
    monkeypatch.setattr(publication, "MOST_OFFERS", 8)
    place.want(7, *(f"a{n}" for n in range(4)))
    place.want(8, "a0", *(f"b{n}" for n in range(4)))
    assert [page.refused for _, page in place.sent] == []
    place.want(9, "c0", "c1", "c2", "c3")
    assert [(peer, page.key) for peer, page in place.sent if page.refused] == [
        (8, "b0"),
        (7, "a1"),
        (8, "b1"),
        (9, "c3"),
    ]
    assert len(place.publication) == 8
    place.want(8, "b0")
    assert [(peer, page.key) for peer, page in place.sent if page.refused][-1] == (8, "b0")


def test_pages_of_all_that_there_is(place):
    """256 at a time; the last one says so."""
    for n in range(1, 600):
        place.change(n, "a")
    place.want(7, "a")
    place.publication.flush()

    assert [(len(p.candidates), p.page, p.more) for _, p in place.sent] == [
        (256, 0, True),
        (256, 1, True),
        (87, 2, False),
    ]


def test_a_flush_ends_after_so_many_pages(place, monkeypatch):
    """What is left goes with the next one."""
    monkeypatch.setattr(publication, "MOST_PAGES", 2)
    place.change(1, "a", "b", "c")
    place.want(7, "a", "b", "c")
    assert len(place.told()) == 1
    assert place.publication.is_due
    assert len(place.told() + place.told()) == 2
    assert not place.publication.is_due


def test_a_flood_of_advertisements_is_one_word(place):
    """Whatever changes between two flushes is told as it is at the second one."""
    place.change(1, "a")
    place.want(7, "a")
    place.told()
    for n in range(10_000):
        place.change(1, *(["a"] if n % 2 else []))
    place.change(2, "a")
    assert place.told() == [(7, "a", {2: 1}, False)]

"""What is known, where messages are sent from, of who can do what."""

import pytest

from caxton.capabilities import subscriptions as module
from caxton.capabilities.candidates import Candidate
from caxton.capabilities.subscriptions import IDLE_S, MOST_UNTOLD, MOST_WANTED, RENEW_S, Subscriptions, Told
from caxton.errors import ResourceExhausted


def word(  # noqa: PLR0913 (a field each)
    key, *agents, shard=0, since=None, version=1, page=0, more=False, asked=1, refused=False
):
    return Told(shard, key, since, version, page, more, [Candidate(n, 1) for n in agents], asked, refused)


def gone(key, agent, *, since, version):
    return Told(0, key, since, version, 0, False, [Candidate(agent, 0)], 0, False)


@pytest.fixture
def known():
    subscriptions = Subscriptions(lambda: 0.0)
    subscriptions.serve([11])
    return subscriptions


def said(subscriptions, now_s=0.0):
    """What is wanted: (shard, how much was taken, keys with the version that is known and the question)."""
    return [(shard, taken, [tuple(one[:3]) for one in wanted]) for shard, taken, wanted in subscriptions.say(now_s)]


def test_the_first_use_asks_every_shard_that_is_served():
    """And what they answer is all there is."""
    subscriptions = Subscriptions(lambda: 0.0)
    subscriptions.serve([11, 0, 12])
    a = subscriptions.of("a", 0.0)
    assert said(subscriptions) == [(0, 0, [("a", 0, 1)]), (2, 0, [("a", 0, 1)])]
    subscriptions.hear(11, word("a", 5))
    assert not subscriptions.has_answered(a, 1)
    subscriptions.hear(12, word("a", 6, shard=2))
    assert subscriptions.has_answered(a, 1)
    assert set(a.candidates.ids) == {5, 6}


def test_changes_follow_what_is_known(known):
    """One that does not follow is left, and the version stays behind, so that its shard tells all anew."""
    a = known.of("a", 0.0)
    list(known.say(0.0))
    known.hear(11, word("a", 5, version=3))
    known.hear(11, word("a", 6, since=3, version=4))
    known.hear(11, gone("a", 5, since=4, version=6))
    known.hear(11, word("a", 9, since=7, version=8))
    assert a.candidates.ids == [6]
    assert said(known, RENEW_S) == [(0, 4, [("a", 6, 1)])]


def test_a_page_that_is_lost_makes_the_whole_answer_void(known):
    """It is asked for again."""
    a = known.of("a", 0.0)
    known.hear(11, word("a", 5, page=0, more=True))
    known.hear(11, word("a", 7, page=2))
    assert (a.candidates.ids, known.has_answered(a, 1)) == ([], False)
    assert said(known, RENEW_S) == [(0, 2, [("a", 0, 1)])]
    known.hear(11, word("a", 5, page=0, more=True))
    known.hear(11, word("a", 6, page=1))
    assert (a.candidates.ids, known.has_answered(a, 1)) == ([5, 6], True)


def test_a_question_is_answered_by_what_was_asked_after_it(known):
    """Questions before a word are one; an answer to an earlier one is none to this one."""
    a = known.of("a", 0.0)
    list(known.say(0.0))
    assert known.ask(a) == known.ask(a) == 2
    known.hear(11, word("a", asked=1))
    assert not known.has_answered(a, 2)
    assert said(known) == [(0, 1, [("a", 0, 2)])]
    known.hear(11, word("a", asked=2))
    assert known.has_answered(a, 2)


def test_another_worker_is_asked_anew_and_the_old_ones_word_is_kept_until_it_speaks(known):
    """Durable messages for agents of a worker that ended wait for its successor."""
    a = known.of("a", 0.0)
    known.hear(11, word("a", 5))
    list(known.say(0.0))
    known.serve([12])
    assert a.candidates.ids == [5]
    assert said(known) == [(0, 0, [("a", 0, 1)])]
    known.hear(11, word("a", 9, since=1, version=2))
    known.hear(12, word("a", 6))
    assert a.candidates.ids == [6]


def test_what_nobody_asked_for_lately_is_dropped(known):
    """After a minute; what somebody uses, or waits for, is said again each second."""
    known.of("a", 0.0)
    b = known.of("b", 0.0)
    b.waited_for = 1
    for now_s in range(1, int(IDLE_S) + 3):
        list(known.say(float(now_s)))
    assert known.find("a") is None
    assert known.find("b") is b
    assert known.bytes == b.bytes


def test_words_are_short(known):
    """64 keys at a time."""
    for n in range(MOST_WANTED + 1):
        known.of(f"k{n}", 0.0)
    assert [len(wanted) for _, _, wanted in said(known)] == [MOST_WANTED, 1]


def test_a_shard_hears_how_much_was_taken_before_it_stops(known):
    """After 16 words, though nothing is wanted."""
    known.of("a", 0.0)
    list(known.say(0.0))
    known.hear(11, word("a"))
    for n in range(2, MOST_UNTOLD + 1):
        assert not known.is_due
        known.hear(11, word("a", since=n - 1, version=n))
    assert known.is_due
    assert said(known) == [(0, MOST_UNTOLD, [])]


def test_no_more_keys_are_kept_than_so_many(known, monkeypatch):
    """The one that was not asked for for longest goes; what is waited for does not."""
    monkeypatch.setattr(module, "MOST_SUBSCRIPTIONS", 2)
    a = known.of("a", 0.0)
    known.of("b", 1.0).used = False
    known.of("c", 2.0)
    assert known.find("b") is None
    a.waited_for = known.find("c").waited_for = 1
    with pytest.raises(ResourceExhausted, match="capabilities"):
        known.of("d", 3.0)
    assert len(known) == 2


def test_names_that_nobody_has_leave_the_others_their_place(known, monkeypatch):
    """However many are asked for: the oldest of them goes, and where all of them are waited for no more are taken."""
    monkeypatch.setattr(module, "MOST_SUBSCRIPTIONS", 6)
    monkeypatch.setattr(module, "MOST_UNKNOWN", 3)
    for n, key in enumerate("abc"):
        known.of(key, 0.0)
        known.hear(11, word(key, n + 1))
    list(known.say(RENEW_S))
    nobodys = [known.of(f"nobody's {n}", 2.0 + n) for n in range(9)]
    assert [s.key for s in nobodys if known.find(s.key)] == ["nobody's 6", "nobody's 7", "nobody's 8"]
    assert all(known.find(key) for key in "abc")
    for waiting in nobodys[6:]:
        waiting.waited_for = 1
    with pytest.raises(ResourceExhausted, match="that nobody is known to have"):
        known.of("d", 20.0)
    assert all(known.find(key) for key in "abc")
    known.hear(11, word("nobody's 7", 9))
    known.of("d", 20.0)
    assert len(known) == 6, "and one that has somebody goes for it"
    assert sum(known.find(key) is not None for key in "abc") == 2


def test_many_that_are_asked_for_at_once_have_all_the_room_that_there_is(known, monkeypatch):
    """At their first use nobody knows of any who has it; with the answers the others go."""
    monkeypatch.setattr(module, "MOST_SUBSCRIPTIONS", 5)
    monkeypatch.setattr(module, "MOST_UNKNOWN", 2)
    asked = [known.of(f"k{n}", 0.0) for n in range(4)]
    assert len(known) == 2, "nobody waits for these"
    asked = []
    for n in range(5):
        asked.append(known.of(f"k{n}", 1.0))
        asked[-1].waited_for = 1
    assert len(known) == 5
    asked[3].waited_for = 0
    known.of("late", 2.0)
    assert (len(known), known.find("k3")) == (5, None)


def test_a_shard_hears_what_is_not_wanted_any_more(known, monkeypatch):
    """With the next word, before what is wanted in its place; and nothing of what is wanted again by then."""
    monkeypatch.setattr(module, "MOST_UNKNOWN", 2)
    known.of("a", 0.0), known.of("b", 1.0)
    list(known.say(0.0))
    known.of("c", 2.0)
    ((_, _, wanted),) = known.say(0.1)
    assert [(one.key, one.over) for one in wanted] == [("a", True), ("c", False)]
    known.of("d", 3.0), known.of("b", 4.0)
    ((_, _, wanted),) = known.say(0.1)
    assert [(one.key, one.over) for one in wanted] == [("c", True), ("d", False), ("b", False)]


def test_what_is_to_be_told_as_over_is_bounded(known, monkeypatch):
    """While there is nobody to tell it to, the latest of them are kept: shards forget the others by themselves."""
    monkeypatch.setattr(module, "MOST_UNKNOWN", 1)
    monkeypatch.setattr(module, "MOST_SUBSCRIPTIONS", 3)
    for n in range(9):
        known.of(f"k{n}", float(n))
    ((_, _, wanted),) = known.say(0.1)
    assert [one.key for one in wanted] == ["k5", "k6", "k7", "k8"]


def test_one_agent_asks_for_ever_more_at_its_own_cost(known, monkeypatch):
    """Its oldest goes, and nobody else's."""
    monkeypatch.setattr(module, "MOST_OF_ONE", 2)
    known.of("a", 0.0, asker=1)
    for n in range(9):
        known.of(f"k{n}", float(n), asker=2)
    assert [key for key in ("a", "k6", "k7", "k8") if known.find(key)] == ["a", "k7", "k8"]


def test_no_more_is_known_than_so_many_bytes():
    """What was not asked for for longest goes; what has just come stays."""
    assert Subscriptions(lambda: 0.0)._most_bytes == module.MOST_KNOWN_BYTES
    subscriptions = Subscriptions(lambda: 0.0, most_bytes=module.KEY_BYTES * 2 + module.CANDIDATE_BYTES * 3)
    subscriptions.serve([11])
    for n, key in enumerate("ab"):
        subscriptions.of(key, float(n)).used = False
        subscriptions.hear(11, word(key, 10 * n + 1, 10 * n + 2))
    assert subscriptions.find("a") is None
    assert subscriptions.find("b").candidates.ids == [11, 12]
    assert subscriptions.bytes == subscriptions.find("b").bytes


def test_a_shard_that_tells_of_no_more_says_so(known):
    """Whoever waits is told."""
    a = known.of("a", 0.0)
    known.hear(11, word("a", refused=True))
    assert a.refused
    known.hear(11, word("a", 5))
    assert not a.refused, "it tells now"


def test_a_refusal_is_one_of_one_question(known):
    """The next one may be answered."""
    a = known.of("a", 0.0)
    list(known.say(0.0))
    known.hear(11, word("a", refused=True))
    known.ask(a)
    assert not a.refused

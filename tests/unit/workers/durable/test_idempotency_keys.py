import pytest

from caxton.acl.envelope import DURABLE, Rare
from caxton.errors import AlreadyAccepted, ResourceExhausted
from caxton.ids import AgentId, UuidSource
from workers.commit.journal import Journal
from workers.durable.idempotency_keys import KEPT_MS, IdempotencyKeys
from workers.worker_pass import Pass

SESSION, AGENT = 1 << 63, 1 << 10


@pytest.fixture
def journal():
    journal = Journal(1)
    journal.begin(Pass(0, 1_000_000))
    return journal


@pytest.fixture
def keys(journal):
    return IdempotencyKeys(journal, UuidSource(0))


@pytest.fixture
def asked(durable_message):
    """A function that makes a request with a key."""

    def make(key="k", sender=SESSION, **fields):
        rare = Rare(idempotency_key=key)
        return durable_message(sender, AGENT, rare=rare, **({"reply_with": b"r" * 16} | fields))

    return make


def is_known(admitted):
    error, seen_to = admitted
    return type(error) is AlreadyAccepted and error.agent == str(AgentId(AGENT)) and seen_to


def answer_to(asked, durable_message):
    return durable_message(AGENT, asked.sender, content=b"answer", in_reply_to=asked.reply_with)


def test_a_message_without_a_key_is_none_of_its_business(keys, durable_message):
    """A message that has no key is admitted every time, also one with other rare fields."""
    for _ in range(2):
        assert keys.admit(durable_message(SESSION, AGENT)) == (None, False)
        assert keys.admit(durable_message(SESSION, AGENT, rare=Rare(language="x"))) == (None, False)


def test_the_second_is_not_delivered(keys, journal, asked):
    """Of messages with one key the first is delivered; the others are duplicates, and their senders are told."""
    assert keys.admit(asked()) == (None, False)
    for _ in range(49):
        assert is_known(keys.admit(asked()))

    assert (journal.counts["duplicates"], journal.processed) == (49, 0)


def test_who_asks_again_gets_the_same_answer(keys, asked, durable_message):
    """Who asked before there was an answer gets it when it comes, who asks after gets it at once: to their own ask."""
    first = asked()
    early, late = asked(reply_with=b"e" * 16), asked(reply_with=b"l" * 16, sender=SESSION + 1)
    keys.admit(first)
    keys.admit(early)
    keys.answered(first, [answer_to(first, durable_message)])
    keys.admit(late)

    told = [(m.receiver, m.in_reply_to, m.content, m.flags) for m in keys.due]
    assert told == [
        (SESSION, b"e" * 16, b"answer", DURABLE),
        (SESSION + 1, b"l" * 16, b"answer", DURABLE),
    ]
    assert len({m.message_id for m in keys.due}) == 2


def test_a_key_is_free_after_a_failure(keys, journal, asked):
    """The key of a message that came to nothing may be used again; who waited for its answer is to be told."""
    first, second = asked(), asked()
    keys.admit(first)
    keys.admit(second)
    assert keys.failed(second) == []
    assert keys.failed(first) == [second]

    assert journal.commit.keys == {}
    assert journal.commit.keys_gone == [(AGENT, b"k")]
    assert keys.admit(asked()) == (None, False)


def test_a_key_is_kept_ten_minutes(keys, journal, asked):
    """After ten minutes a key is forgotten, with those who wait for its answer, and may be used again."""
    keys.admit(asked())
    journal.wall_ms += KEPT_MS - 1
    assert is_known(keys.admit(asked()))
    journal.wall_ms += 1
    assert keys.admit(asked()) == (None, False)
    assert keys._waiting == {}


def test_a_key_outlives_the_worker(keys, journal, asked, durable_message):
    """A successor that is given the rows answers who asks again."""
    first = asked()
    keys.admit(first)
    keys.answered(first, [answer_to(first, durable_message)])
    again = IdempotencyKeys(journal, UuidSource(0))
    again.restore(list(journal.commit.keys.values()))

    assert is_known(again.admit(asked(reply_with=b"n" * 16)))
    assert [m.in_reply_to for m in again.due] == [b"n" * 16]


def test_who_is_one_too_many_does_not_free_the_key(keys, journal, asked, monkeypatch):
    """Who is refused because too many wait is counted nowhere, and the key stays that of the first."""
    monkeypatch.setattr("workers.durable.idempotency_keys.MOST_WAITERS", 1)
    keys.admit(asked())
    keys.admit(asked())
    late = asked()
    assert isinstance(keys.admit(late)[0], ResourceExhausted)
    keys.failed(late)

    assert is_known(keys.admit(asked(reply_with=None)))
    assert (journal.counts["duplicates"], journal.processed) == (2, 0)


def test_kept_answers_are_bounded(keys, journal, asked, durable_message, monkeypatch):
    """Beyond so many bytes of answers no new key is taken, until old ones are forgotten."""
    monkeypatch.setattr("workers.durable.idempotency_keys.MOST_ANSWER_BYTES", 100)
    first = asked("a")
    keys.admit(first)
    keys.answered(first, [durable_message(AGENT, SESSION, content=bytes(100), in_reply_to=first.reply_with)])
    assert isinstance(keys.admit(asked("b"))[0], ResourceExhausted)
    assert is_known(keys.admit(asked("a")))

    journal.wall_ms += KEPT_MS
    assert keys.admit(asked("b")) == (None, False)


def test_keys_are_bounded(keys, asked, monkeypatch):
    """Beyond the most keys, and the most who wait for one, senders are refused; surrogates are keys like others."""
    monkeypatch.setattr("workers.durable.idempotency_keys.MOST_KEYS", 2)
    monkeypatch.setattr("workers.durable.idempotency_keys.MOST_WAITERS", 1)
    keys.admit(asked("\ud800"))
    keys.admit(asked("b"))
    assert isinstance(keys.admit(asked("c"))[0], ResourceExhausted)
    assert is_known(keys.admit(asked("b")))
    assert isinstance(keys.admit(asked("b"))[0], ResourceExhausted)


def test_keys_of_other_agents_are_others(keys, asked):
    """The same key at another agent is another key."""
    keys.admit(asked())
    other = asked()
    other.receiver = 2 << 10
    assert keys.admit(other) == (None, False)

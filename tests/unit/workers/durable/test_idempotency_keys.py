import pytest

from caxton.acl.envelope import AUTOMATIC, DURABLE, Rare
from caxton.acl.failure import read_report
from caxton.errors import AgentError, AlreadyAccepted, AnswerNotKept, ResourceExhausted
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
    assert [(m.sender, m.reply_with, m.content) for m in keys.failed(first)] == [(SESSION, second.reply_with, b"")]

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


def test_who_waits_is_told_when_the_key_is_forgotten(keys, journal, asked):
    """Whoever still waits for the answer after ten minutes is told that none is kept."""
    keys.admit(asked())
    keys.admit(asked(reply_with=b"w" * 16))
    journal.wall_ms += KEPT_MS
    keys.admit(asked("other"))

    assert [(m.in_reply_to, type(read_report(m.content))) for m in keys.due] == [(b"w" * 16, AnswerNotKept)]


def test_a_send_has_no_answer_to_give(keys, asked):
    """Whoever requests with the key of a send is told so at once; who sends again with it is told as ever."""
    keys.admit(asked(reply_with=None))

    assert is_known(keys.admit(asked(reply_with=None)))
    error, seen_to = keys.admit(asked())
    assert (type(error), seen_to, keys.due) == (AnswerNotKept, True, [])


def test_a_turn_without_an_answer_ends_the_wait(keys, asked):
    """Who waits for the answer of a turn that gave none is told, and so is who asks later."""
    first, second = asked(), asked(reply_with=b"w" * 16)
    keys.admit(first)
    keys.admit(second)
    keys.answered(first, [])

    (told,) = keys.due
    assert (told.receiver, told.in_reply_to, told.flags) == (SESSION, b"w" * 16, AUTOMATIC | DURABLE)
    assert type(read_report(told.content)) is AnswerNotKept
    assert type(keys.admit(asked())[0]) is AnswerNotKept


def test_an_error_code_of_the_agent_is_an_answer(keys, asked):
    """Who asks again, before or after, gets the error that the agent answered the first with."""
    first = asked()
    keys.admit(first)
    keys.admit(asked(reply_with=b"e" * 16))
    keys.answered_with_error(first, AgentError("a", -3))
    assert is_known(keys.admit(asked(reply_with=b"l" * 16)))

    assert [m.in_reply_to for m in keys.due] == [b"e" * 16, b"l" * 16]
    assert [read_report(m.content).error_code for m in keys.due] == [-3, -3]
    assert {m.flags for m in keys.due} == {AUTOMATIC | DURABLE}


def test_the_answer_to_one_who_asks_twice_is_the_same_message(keys, asked, durable_message):
    """A request that comes again, to another worker perhaps, is answered with one id; another request with another."""
    first, second = asked(), asked()
    keys.admit(first)
    keys.answered(first, [answer_to(first, durable_message)])
    for message in (second, second, asked()):
        keys.admit(message)

    one, same, other = (m.message_id for m in keys.due)
    assert one == same != other
    assert one[8] & 0xC0 == 0x80


def test_of_who_waits_little_is_kept(keys, asked, monkeypatch):
    """Neither content nor options of a request that waits are kept, and no more wait than so many over all keys."""
    monkeypatch.setattr("workers.durable.idempotency_keys.MOST_WAITERS_IN_ALL", 2)
    first = asked("a")
    for key in ("a", "b"):
        keys.admit(first if key == "a" else asked(key))
        assert is_known(keys.admit(asked(key, content=bytes(1_000_000))))
    assert {(m.content, m.rare) for some in keys._waiting.values() for m in some} == {(b"", None)}
    assert isinstance(keys.admit(asked("b"))[0], ResourceExhausted)

    keys.failed(first)
    assert is_known(keys.admit(asked("b")))


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

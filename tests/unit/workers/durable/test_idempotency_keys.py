import pytest
from msgspec.structs import replace

from caxton.acl.envelope import AUTOMATIC, DURABLE, Cause, Rare, Waiters
from caxton.acl.failure import read_report
from caxton.errors import AgentError, AlreadyAccepted, AnswerNotKept, IdempotencyKeyReused, ResourceExhausted
from caxton.ids import AgentId, UuidSource
from caxton.store.commit import KeyRow
from workers.commit.journal import Journal
from workers.durable.idempotency_keys import KEPT_MS, IdempotencyKeys
from workers.worker_pass import NS_PER_MS, Pass

SESSION, AGENT = 1 << 63, 1 << 10
# Sessions by principal: the owner's alone.
HERE = {"": 1}


@pytest.fixture
def journal():
    journal = Journal(1)
    journal.begin(Pass(0, 1_000_000))
    return journal


@pytest.fixture
def keys(journal):
    return IdempotencyKeys(journal, UuidSource(0), HERE)


def keys_with(journal, here):
    """Keys, with so many sessions by principal."""
    return IdempotencyKeys(journal, UuidSource(0), here)


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


def serve(journal, ms):
    """Let time go by in which the shard is served."""
    journal.served.now_ms += ms


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
    ((receiver, key),) = journal.commit.keys_gone
    assert (receiver, key[:2]) == (AGENT, b"k\xff")
    assert keys.admit(asked()) == (None, False)


def test_a_key_is_kept_ten_minutes(keys, journal, asked):
    """After ten minutes a key is forgotten, with those who wait for its answer, and may be used again."""
    keys.admit(asked())
    serve(journal, KEPT_MS - 1)
    assert is_known(keys.admit(asked()))
    serve(journal, 1)
    assert keys.admit(asked()) == (None, False)
    assert keys._waiting == {}


def test_a_wall_clock_that_steps_forgets_no_key(keys, journal, asked):
    """Keys are known, and forgotten, as they would be, when the wall clock is set on by an hour or back by a day."""
    keys.admit(asked())
    for wall_ms in (journal.wall_ms + 3_600_000, journal.wall_ms - 86_400_000):
        journal.begin(Pass(journal.now_ns + NS_PER_MS, wall_ms))
        assert is_known(keys.admit(asked()))
    serve(journal, KEPT_MS)
    assert keys.in_use() == (0, 0)


def test_a_key_of_the_file_is_kept_for_ten_minutes_at_most(keys, journal, asked):
    """A key whose end was written by the wall clock has ten minutes from now, and is written anew."""
    journal.served.restore(50_000)
    row = KeyRow(AGENT, b"k", 1_800_000_000_000, b"")
    keys.restore([row, KeyRow(AGENT, b"l", 60_000, b"")])

    assert journal.commit.keys == {(AGENT, b"k"): row._replace(expires_ms=50_000 + KEPT_MS)}
    serve(journal, 10_000)
    assert keys.in_use()[0] == 1
    serve(journal, KEPT_MS)
    assert keys.in_use()[0] == 0


def test_who_waits_is_told_when_the_key_is_forgotten(keys, journal, asked):
    """Whoever still waits for the answer after ten minutes is told that none is kept."""
    keys.admit(asked())
    keys.admit(asked(reply_with=b"w" * 16))
    serve(journal, KEPT_MS)
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
        keys.admit(first if key == "a" else asked(key, content=bytes(1_000_000)))
        assert is_known(keys.admit(asked(key, content=b"x" if key == "a" else bytes(1_000_000))))
    assert {(m.content, m.rare) for some in keys._waiting.values() for m in some} == {(b"", None)}
    assert isinstance(keys.admit(asked("b", content=bytes(1_000_000)))[0], ResourceExhausted)

    keys.failed(first)
    assert is_known(keys.admit(asked("b", content=bytes(1_000_000))))


def test_an_answer_follows_from_who_waited_for_it(keys, asked, durable_message):
    """With the limits of its own root; and of who waits, in turn, for the one that asked nothing is kept."""
    first, root, within = asked(), asked(sender=SESSION + 1), asked(sender=SESSION + 2)
    root.rare = replace(root.rare, max_hops=2, max_work=7)
    waited_for = Cause(3, b"o" * 16, most_hops=5, waiters=Waiters((b"w" * 16,) * 64))
    within.cause = waited_for
    for one in (first, root, within):
        keys.admit(one)
    assert [one.cause.waiters for waiting in keys._waiting.values() for one in waiting] == [None, None]
    keys.answered(first, [answer_to(first, durable_message)])
    assert [one.cause for one in keys.due] == [
        Cause(1, root.message_id, "", 2, 7),
        Cause(4, b"o" * 16, most_hops=5),
    ]


def test_a_key_outlives_the_worker(keys, journal, asked, durable_message):
    """A successor that is given the rows answers who asks again."""
    first = asked()
    keys.admit(first)
    keys.answered(first, [answer_to(first, durable_message)])
    again = IdempotencyKeys(journal, UuidSource(0), HERE)
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


def test_those_who_wait_for_answers_are_bounded_in_all(keys, asked, monkeypatch):
    """Of all keys together so many may wait; one more is refused, and who asks first with a key waits for nobody."""
    monkeypatch.setattr("workers.durable.idempotency_keys.MOST_WAITERS_IN_ALL", 2)
    first = {key: asked(key) for key in "abc"}
    for key in "abc":
        assert keys.admit(first[key]) == (None, False)
    assert is_known(keys.admit(asked("a")))
    assert is_known(keys.admit(asked("b")))
    assert isinstance(keys.admit(asked("c"))[0], ResourceExhausted)

    assert len(keys.failed(first["a"])) == 1
    assert is_known(keys.admit(asked("c")))


def test_kept_answers_are_bounded(keys, journal, asked, durable_message, monkeypatch):
    """Beyond so many bytes of answers no new key is taken, until old ones are forgotten."""
    monkeypatch.setattr("workers.durable.idempotency_keys.MOST_ANSWER_BYTES", 100)
    first = asked("a")
    keys.admit(first)
    keys.answered(first, [durable_message(AGENT, SESSION, content=bytes(100), in_reply_to=first.reply_with)])
    assert isinstance(keys.admit(asked("b"))[0], ResourceExhausted)
    assert is_known(keys.admit(asked("a")))

    serve(journal, KEPT_MS)
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


def test_an_agent_has_its_share_of_the_keys(keys, journal, asked, monkeypatch):
    """At the share of its agent a new key is refused, and those of other agents are taken; also after a restart."""
    monkeypatch.setattr("workers.durable.idempotency_keys.MOST_OF_AGENT", 2)
    for known in (keys, again := IdempotencyKeys(journal, UuidSource(0), HERE)):
        if known is again:
            again.restore([*journal.commit.keys.values()])
        for name in "ab":
            known.admit(asked(name))
        refused, _ = known.admit(asked("c"))
        assert isinstance(refused, ResourceExhausted)
        assert refused.limit == 2
        assert str(AgentId(AGENT)) in str(refused)
        other = asked("c")
        other.receiver = 2 << 10
        assert is_known(known.admit(asked("b")))
        assert known is again or known.admit(other) == (None, False)
    serve(journal, KEPT_MS)
    assert again.admit(asked("c")) == (None, False)


def of(principal):
    """What follows from a message of a principal."""
    return {"cause": Cause(0, bytes(16), principal)}


def test_a_principal_leaves_half_of_the_keys_to_who_comes_later(journal, asked, monkeypatch):
    """Alone it may have no more than a half, also after a restart, until they are forgotten."""
    monkeypatch.setattr("workers.durable.idempotency_keys.MOST_KEYS", 8)
    monkeypatch.setattr("workers.durable.idempotency_keys.MOST_OF_PRINCIPAL", 4)
    for known in (keys_with(journal, {"a": 1}), again := keys_with(journal, {"a": 1})):
        if known is again:
            again.restore([*journal.commit.keys.values()])
        for name in "1234":
            known.admit(asked(name, **of("a")))
        refused, _ = known.admit(asked("5", **of("a")))
        assert str(refused) == "no more idempotency keys of principal a in ten minutes: the limit is 4"
        assert known.shares[0].still_refused() == {"a"}
    for name in "12":
        assert again.admit(asked(name, **of("b"))) == (None, False)
    serve(journal, KEPT_MS)
    assert again.admit(asked("5", **of("a"))) == (None, False)


def test_principals_share_keys_and_answers(journal, asked, durable_message, monkeypatch):
    """Once half is used, whoever has an even part of it gets no more while others are here, and it is counted."""
    monkeypatch.setattr("workers.durable.idempotency_keys.MOST_KEYS", 8)
    monkeypatch.setattr("workers.durable.idempotency_keys.MOST_ANSWER_BYTES", 1_000)
    known = keys_with(journal, {"a": 1, "b": 1})
    first = asked("0", **of("b"))
    known.admit(first)
    for name in "123":
        known.admit(asked(name, **of("a")))
    assert isinstance(known.admit(asked("4", **of("a")))[0], ResourceExhausted)
    known.answered(first, [durable_message(AGENT, SESSION, content=bytes(600), in_reply_to=first.reply_with)])
    refused, _ = known.admit(asked("4", **of("b")))

    assert str(refused).startswith("no more bytes of answers to idempotency keys of principal b")
    assert journal.counts["full_principal"] == 2
    assert known.admit(asked("4")) == (None, False)


def test_a_principal_leaves_half_of_the_bytes_of_answers_to_others(journal, asked, durable_message, monkeypatch):
    """Also alone, and with requests that are under way: what goes beyond is not kept, and who asks again is told so."""
    monkeypatch.setattr("workers.durable.idempotency_keys.MOST_ANSWER_BYTES", 1_000)
    monkeypatch.setattr("workers.durable.idempotency_keys.MOST_ANSWER_BYTES_OF_PRINCIPAL", 500)
    known = keys_with(journal, here := {"a": 1})
    asks = [asked(name, **of("a")) for name in "0123"]
    for each in asks:
        assert known.admit(each) == (None, False)
    for each in asks:
        known.answered(each, [durable_message(AGENT, SESSION, content=bytes(300), in_reply_to=each.reply_with)])
    here |= {"b": 1, "": 1}

    assert 300 < known.in_use()[1] < 500
    assert journal.counts["full_principal"] == 3
    assert is_known(known.admit(asked("0", **of("a"))))
    assert isinstance(known.admit(asked("3", **of("a")))[0], AnswerNotKept)
    assert known.admit(asked("4", **of("b"))) == (None, False)
    assert known.admit(asked("4")) == (None, False)
    owners = asked("5")
    known.admit(owners)
    known.answered(owners, [durable_message(AGENT, SESSION, content=bytes(900), in_reply_to=owners.reply_with)])
    assert str(known.admit(asked("6"))[0]).startswith("no more bytes of answers")


def test_a_key_that_is_refused_counts_at_no_agent(keys, asked, monkeypatch):
    """However often one is refused for its bytes, its agent has as many keys as were taken."""
    monkeypatch.setattr("workers.durable.idempotency_keys.MOST_ANSWER_BYTES", 0)
    for name in "ab":
        assert isinstance(keys.admit(asked(name))[0], ResourceExhausted)
    assert not keys._of_agent


def test_keys_of_other_agents_are_others(keys, asked):
    """The same key at another agent is another key."""
    keys.admit(asked())
    other = asked()
    other.receiver = 2 << 10
    assert keys.admit(other) == (None, False)


def test_a_key_is_for_one_message(keys, journal, asked):
    """The same key with other content is an error and no duplicate, also after a restart."""
    first = asked()
    keys.admit(first)
    again = IdempotencyKeys(journal, UuidSource(0), HERE)
    again.restore(list(journal.commit.keys.values()))
    for knows in (keys, again):
        error, seen_to = knows.admit(asked(content=b"y"))
        assert (type(error), error.agent, seen_to) == (IdempotencyKeyReused, str(AgentId(AGENT)), True)
        assert is_known(knows.admit(asked()))
    assert journal.counts["duplicates"] == 2


def test_nobody_meets_the_key_of_another_principal(keys, journal, asked):
    """The same key of two principals and of the owner is three keys, whatever their names are, and each is kept."""
    causes = [None, Cause(0, bytes(16), "a"), Cause(0, bytes(16), "b")]
    asks = [(key, cause) for key in ("k", "a k") for cause in causes]
    for key, cause in asks:
        assert keys.admit(asked(key, cause=cause)) == (None, False)
    again = IdempotencyKeys(journal, UuidSource(0), HERE)
    again.restore(list(journal.commit.keys.values()))
    for key, cause in asks:
        for session in (SESSION, SESSION + 1):
            assert is_known(again.admit(asked(key, session, cause=cause))), "one's own outlives one's session"


def test_a_key_of_before_is_known_whatever_is_said(keys, asked):
    """A key that was stored without what was sent with it is known, and no reason to refuse another content."""
    keys.restore([KeyRow(AGENT, b"k" * 40, KEPT_MS - 1, b"")])
    assert isinstance(keys.admit(asked("k" * 40))[0], AnswerNotKept)
    assert is_known(keys.admit(asked("k" * 40, content=b"y", reply_with=None)))

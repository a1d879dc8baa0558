from collections import Counter

import msgspec
import pytest

from caxton.acl.envelope import Envelope, Rare
from caxton.delivery.dead_letter import Reason
from caxton.errors import AgentNotFound, QueueFull
from caxton.store.recovered import Letter
from workers.commit.journal import Journal
from workers.durable.dead_letters import DeadLetters
from workers.worker_pass import Pass

SESSION = 1 << 63


@pytest.fixture
def journal():
    journal = Journal(1)
    journal.begin(Pass(0, 1_000))
    return journal


def test_a_letter_says_why(journal, durable_message):
    """A dead letter has the whole message, its error, the reason that fits or was given, and when it died."""
    dead_letters = DeadLetters(journal, 100, evicting=False)
    dead = durable_message(5, 9, content=b"12345", rare=Rare(requeued_from=3))
    dead_letters.bury(dead, AgentNotFound("x"), attempts=2)
    dead_letters.bury(dead, QueueFull("x", 1, 1), reason=Reason.POISON, term="expired")
    first, second = journal.commit.dead.values()

    assert (first.reason, first.error.error, first.attempts, first.died_ms) == (
        "agent_not_found",
        "AgentNotFound",
        2,
        1_000,
    )
    assert (first.sender, first.receiver, first.content_bytes, first.requeued_from) == (5, 9, 5, 3)
    assert msgspec.msgpack.decode(first.message, type=Envelope) == dead
    assert (second.reason, second.number > first.number) == ("poison", True)
    assert (journal.counts["dead"], journal.counts["expired"]) == (1, 1)


def numbers_of(journal):
    return [*journal.commit.dead]


def commit(journal):
    """Let what was gathered be in the file; returns the numbers of the letters in it."""
    numbers = numbers_of(journal)
    journal.close(None)
    return numbers


def test_at_capacity_it_is_full(journal, durable_message):
    """Without eviction clients are refused at the capacity, but what they were told is safe is kept all the same."""
    dead_letters = DeadLetters(journal, 2, evicting=False)
    for held in (False, False, True):
        assert dead_letters.full == held
        dead_letters.bury(durable_message(SESSION, 9), AgentNotFound("x"))
    assert (len(dead_letters), journal.commit.buried) == (3, [])
    assert "dead letters (requeue" in str(dead_letters.refusal(5))


def test_with_eviction_the_oldest_goes(journal, durable_message):
    """With eviction there is never an end: the oldest letter goes, whoever's it is, and is counted."""
    dead_letters = DeadLetters(journal, 20, evicting=True)
    dead_letters.restore([Letter(-5, SESSION, 9)])
    for agent in range(19):
        dead_letters.bury(durable_message(SESSION, agent), AgentNotFound("x"))
    oldest, *_ = commit(journal)
    for agent in range(2):
        dead_letters.bury(durable_message(SESSION, agent), AgentNotFound("x"))

    assert (dead_letters.full, dead_letters.refusal(1), len(dead_letters)) == (False, None, 20)
    assert journal.commit.buried == [-5, oldest]
    assert journal.counts["evicted"] == 2


def test_an_agent_has_its_share(journal, durable_message):
    """What clients sent an agent in vain closes the way to this agent at a tenth of the capacity, and to no other."""
    dead_letters = DeadLetters(journal, 100, evicting=False)
    for held in range(10):
        assert (dead_letters.refuses, dead_letters.refusal(9)) == (False, None), held
        dead_letters.bury(durable_message(SESSION + held, 9), AgentNotFound("x"))

    assert dead_letters.refuses
    assert f"agent {9:016x}" in str(dead_letters.refusal(9))
    assert dead_letters.refusal(9).limit == 10
    assert dead_letters.refusal(8) is None
    dead_letters.forget(numbers_of(journal)[:1], "purged")
    assert (dead_letters.refuses, dead_letters.refusal(9)) == (False, None)


def test_what_an_agent_sent_takes_no_more_than_its_share(journal, durable_message):
    """Beyond its share an agent's own oldest goes, counted, and never what a client sent it, or what is another's."""
    dead_letters = DeadLetters(journal, 100, evicting=False)
    dead_letters.bury(durable_message(SESSION, 9), AgentNotFound("x"))
    dead_letters.bury(durable_message(8, 9), AgentNotFound("x"))
    for _ in range(10):
        dead_letters.bury(durable_message(9, SESSION), AgentNotFound("x"))
    before = commit(journal)
    for _ in range(3):
        dead_letters.bury(durable_message(9, SESSION), AgentNotFound("x"))

    assert (len(dead_letters), journal.counts["evicted"]) == (12, 3)
    assert journal.commit.buried == before[2:5]
    assert not dead_letters.refuses


@pytest.fixture
def dead_letters(journal, monkeypatch):
    """Of what agents send one commit writes 100 bytes, and each agent has 100 letters."""
    monkeypatch.setattr("workers.durable.dead_letters.MOST_GATHERED", 100)
    return DeadLetters(journal, 1_000, evicting=False)


@pytest.fixture
def bury(journal, durable_message, dead_letters):
    """Bury so many letters of somebody, each of so many bytes; returns how many are to be written then, by sender."""

    def bury(sender, times, size=10):
        for _ in range(times):
            dead_letters.bury(durable_message(sender, 7, content=bytes(size)), AgentNotFound("x"))
        return Counter(row.sender for row in journal.commit.dead.values())

    return bury


def test_what_one_commit_writes_of_agents_is_bounded(journal, bury, dead_letters):
    """Beyond its bytes an agent loses its oldest of this commit, counted; none of a client, a neighbour or before."""
    assert bury(9, 10) == {9: 10}
    before = commit(journal)
    bury(8, 1)
    bury(SESSION, 15)
    assert bury(9, 9) == {8: 1, SESSION: 15, 9: 9}
    assert journal.counts["evicted"] == 0
    second = [number for number, row in journal.commit.dead.items() if row.sender == 9][1:]
    assert bury(9, 1) == {8: 1, SESSION: 15, 9: 9}
    kept = [number for number, row in journal.commit.dead.items() if row.sender == 9]
    assert (kept[:-1], journal.counts["evicted"]) == (second, 1)
    assert (len(dead_letters), journal.commit.buried) == (len(before) + 25, [])


def test_who_is_noisy_in_a_commit_makes_room_for_its_neighbours(journal, bury):
    """Whoever sends what is too much, the agent that has the most loses its oldest: what is little is written."""
    bury(9, 10)
    oldest = numbers_of(journal)[0]
    assert bury(8, 1) == {9: 9, 8: 1}
    assert oldest not in numbers_of(journal)
    assert bury(7, 2, size=20) == {9: 5, 8: 1, 7: 2}
    assert bury(9, 200) == {9: 5, 8: 1, 7: 2}
    assert bury(6, 3) == {9: 4, 8: 1, 7: 1, 6: 3}
    assert journal.counts["evicted"] == 1 + 4 + 200 + 2


def test_what_a_commit_is_not_to_write_after_all_makes_room_in_it(journal, bury, dead_letters):
    """Letters that went before they were written do not count among its bytes."""
    bury(9, 10)
    dead_letters.forget(numbers_of(journal)[:4], "purged")
    assert (bury(8, 4), journal.counts["evicted"]) == ({9: 6, 8: 4}, 0)
    dead_letters.forget(numbers_of(journal), "purged")
    assert (bury(8, 10), journal.counts["evicted"]) == ({8: 10}, 0)


def test_what_agents_sent_takes_no_more_than_half(journal, durable_message):
    """Whatever agents do, half of the capacity is for what clients send; each beyond it loses of its own."""
    dead_letters = DeadLetters(journal, 100, evicting=False)
    for n in range(200):
        dead_letters.bury(durable_message(n % 20, SESSION), AgentNotFound("x"))

    assert (len(dead_letters), journal.counts["evicted"], dead_letters.full) == (50, 150, False)


def test_the_capacity_holds_for_what_agents_sent(journal, durable_message):
    """When clients' letters fill the capacity, an agent's letter goes as it comes."""
    dead_letters = DeadLetters(journal, 2, evicting=False)
    for agent in (1, 2):
        dead_letters.bury(durable_message(SESSION, agent), AgentNotFound("x"))
    number = dead_letters.bury(durable_message(3, 4), AgentNotFound("x"))

    assert (len(dead_letters), number in journal.commit.dead, journal.counts["evicted"]) == (2, False, 1)


def test_what_goes_with_the_commit_that_it_came_with_is_never_written(journal, durable_message):
    """It is neither added nor deleted; one of an earlier commit is deleted. The ledger counts each coming and going."""
    dead_letters = DeadLetters(journal, 100, evicting=False)
    for _ in range(12):
        dead_letters.bury(durable_message(9, SESSION), AgentNotFound("x"))
    assert (len(numbers_of(journal)), journal.commit.buried) == (10, [])
    assert (journal.counts["dead"], journal.counts["evicted"]) == (12, 2)
    first, second, *_ = numbers_of(journal)
    assert dead_letters.forget([second], "purged") == [second]
    assert (second in journal.commit.dead, journal.commit.buried, journal.counts["purged"]) == (False, [], 1)

    commit(journal)
    assert dead_letters.forget([first, second], "purged") == [first]
    assert (journal.commit.dead, journal.commit.buried) == ({}, [first])


def test_contents_are_bounded_in_bytes_too(journal, durable_message, monkeypatch):
    """At so many bytes clients are refused, whoever they send to; at a tenth of them those who send to one agent."""
    monkeypatch.setattr("workers.durable.dead_letters.MOST_BYTES", 1_000)
    dead_letters = DeadLetters(journal, 100, evicting=False)
    number = dead_letters.bury(durable_message(SESSION, 9, content=bytes(99)), AgentNotFound("x"))
    assert dead_letters.refusal(9) is None
    dead_letters.bury(durable_message(SESSION, 9, content=b"x"), AgentNotFound("x"))
    assert dead_letters.refusal(9) is not None
    assert (dead_letters.refusal(9).limit, dead_letters.refusal(8)) == (100, None)
    for agent in range(10, 19):
        dead_letters.bury(durable_message(SESSION, agent, content=bytes(99)), AgentNotFound("x"))
    assert (dead_letters.bytes, dead_letters.full) == (991, False)
    dead_letters.bury(durable_message(SESSION, 20, content=bytes(9)), AgentNotFound("x"))
    assert (dead_letters.full, dead_letters.refusal(8).limit) == (True, 1_000)
    dead_letters.forget([number], "purged")
    assert (dead_letters.bytes, dead_letters.full, dead_letters.refusal(9)) == (901, False, None)


def test_what_an_agent_sent_takes_a_tenth_of_the_bytes_and_all_of_them_half(journal, durable_message, monkeypatch):
    """As many of its own oldest go as it takes, whatever the size of what comes; also of what is known again."""
    monkeypatch.setattr("workers.durable.dead_letters.MOST_BYTES", 1_000)
    dead_letters = DeadLetters(journal, 100, evicting=False)
    dead_letters.restore([Letter(-9, 5, SESSION, 40), Letter(-8, 5, SESSION, 40), Letter(-7, 6, SESSION, 40)])
    dead_letters.bury(durable_message(5, SESSION, content=bytes(61)), AgentNotFound("x"))
    assert (journal.commit.buried, dead_letters.bytes) == ([-9, -8], 101)
    for agent in range(10, 20):
        dead_letters.bury(durable_message(agent, SESSION, content=bytes(50)), AgentNotFound("x"))
    assert dead_letters.bytes == 451


def test_with_eviction_the_oldest_go_until_the_bytes_fit(journal, durable_message, monkeypatch):
    """Whoever's they are."""
    monkeypatch.setattr("workers.durable.dead_letters.MOST_BYTES", 1_000)
    dead_letters = DeadLetters(journal, 100, evicting=True)
    dead_letters.restore([Letter(number, SESSION, 20 + number, 95) for number in range(-10, 0)])
    dead_letters.bury(durable_message(SESSION, 9, content=bytes(100)), AgentNotFound("x"))
    assert (journal.commit.buried, dead_letters.bytes, dead_letters.full) == ([-10], 955, False)


def test_shares_are_known_again(journal, durable_message):
    """After a restart each letter counts towards the share that it counted towards before."""
    dead_letters = DeadLetters(journal, 20, evicting=False)
    dead_letters.restore([Letter(-9, SESSION, 9), Letter(-8, SESSION, 9), Letter(-7, 5, 6), Letter(-6, 5, SESSION)])
    dead_letters.bury(durable_message(5, 6), AgentNotFound("x"))

    assert dead_letters.crowded == {9}
    assert journal.commit.buried == [-7]


def test_what_is_forgotten_is_forgotten_once(journal, durable_message):
    """Only letters that are there are deleted, each once, and counted under their term."""
    dead_letters = DeadLetters(journal, 10, evicting=False)
    dead_letters.restore([Letter(1, 5, 9), Letter(2, SESSION, 9), Letter(3, 5, 9)])

    assert dead_letters.forget([2, 9, 3], "purged") == [2, 3]
    assert dead_letters.forget([2, 1], "requeued") == [1]
    assert journal.commit.buried == [2, 3, 1]
    assert (journal.counts["purged"], journal.counts["requeued"], len(dead_letters)) == (2, 1, 0)

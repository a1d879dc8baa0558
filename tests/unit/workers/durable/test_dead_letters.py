import msgspec
import pytest

from caxton.acl.envelope import Envelope, Rare
from caxton.delivery.dead_letter import Reason
from caxton.errors import AgentNotFound, QueueFull
from workers.commit.journal import Journal
from workers.durable.dead_letters import DeadLetters
from workers.worker_pass import Pass


@pytest.fixture
def journal():
    journal = Journal(1)
    journal.begin(Pass(0, 1_000))
    return journal


def test_a_letter_says_why(journal, durable_message):
    """A dead letter has the whole message, its error, the reason that fits or was given, and when it died."""
    dead_letters = DeadLetters(journal, 10, evicting=False)
    dead = durable_message(5, 9, content=b"12345", rare=Rare(requeued_from=3))
    dead_letters.bury(dead, AgentNotFound("x"), attempts=2)
    dead_letters.bury(dead, QueueFull("x", 1, 1), reason=Reason.POISON, term="expired")
    first, second = journal.commit.dead

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


def test_at_capacity_it_is_full(journal, durable_message):
    """Without eviction there is an end, told by `full`, but what dies is kept all the same."""
    dead_letters = DeadLetters(journal, 2, evicting=False)
    for held in (False, False, True):
        assert dead_letters.full == held
        dead_letters.bury(durable_message(5, 9), AgentNotFound("x"))
    assert (len(dead_letters), journal.commit.buried) == (3, [])


def test_with_eviction_the_oldest_goes(journal, durable_message):
    """With eviction there is never an end: the oldest letter goes, and is counted."""
    dead_letters = DeadLetters(journal, 2, evicting=True)
    dead_letters.restore([-5])
    for _ in range(3):
        dead_letters.bury(durable_message(5, 9), AgentNotFound("x"))
    numbers = [row.number for row in journal.commit.dead]

    assert not dead_letters.full
    assert journal.commit.buried == [-5, numbers[0]]
    assert journal.counts["evicted"] == 2


def test_what_is_forgotten_is_forgotten_once(journal, durable_message):
    """Only letters that are there are deleted, each once, and counted under their term."""
    dead_letters = DeadLetters(journal, 10, evicting=False)
    dead_letters.restore([1, 2, 3])

    assert dead_letters.forget([2, 9, 3], "purged") == [2, 3]
    assert dead_letters.forget([2, 1], "requeued") == [1]
    assert journal.commit.buried == [2, 3, 1]
    assert (journal.counts["purged"], journal.counts["requeued"], len(dead_letters)) == (2, 1, 0)

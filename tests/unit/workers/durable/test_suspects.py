from collections import Counter

import msgspec
import pytest

from caxton.store.ledger import check
from caxton.wire.calls import DeadLetterFilter
from workers.agents.delivery import DURABLE_ROOT, Delivery
from workers.commit.journal import Journal
from workers.crash_note import AGENT, SEQUENCE, SOURCE
from workers.durable.suspects import Suspects
from workers.worker_pass import Pass

SESSION = 1 << 63


class Killed(BaseException):
    """The end of the worker, in the middle of a turn."""


@pytest.fixture
def deadly(make_shard, make_far):
    """A shard with a client, whose worker dies in turns: `deaths` says of which contents, and how often at most."""
    shard = make_shard(durable=True, shards=2)
    shard.handled = []
    shard.deaths = Counter(kill=1_000)
    shard.client = make_far(shard.sessions[0], shard)

    def work(_agent, given):
        content = msgspec.msgpack.decode(given)["content"]
        if shard.deaths[content.decode()]:
            shard.deaths[content.decode()] -= 1
            raise Killed
        shard.handled.append(content)

    shard.turns.work = work
    return shard


@pytest.fixture
def send(deadly, durable_message):
    """A function that sends contents to an agent, each for itself."""

    def sent(agent, *contents):
        client = deadly.client
        for content in contents:
            client.send(durable_message(client.number, agent.agent_id, content=content))

    return sent


@pytest.fixture
def successor(restart):
    """A function that returns the worker after one that died in a turn; it knows of which, by the crash note."""

    def after(shard, client):
        return restart(shard, client, note=tuple(shard.turns._note[place] for place in (SOURCE, SEQUENCE, AGENT)))

    return after


@pytest.fixture
def charged(deadly, converse, successor):
    """A function that lets the worker die; its successor has taken everything again, and claimed what it died of."""

    def claimed():
        with pytest.raises(Killed):
            converse(deadly, deadly.client)
        shard = successor(deadly, deadly.client)
        deadly.client.listen()
        deadly.client.push()
        shard.step()
        return shard

    return claimed


def live(shard, converse, successor):
    """Let the shard and its successors work until nobody dies any more; returns the last, and how many died."""
    deaths, client = 0, shard.client
    while True:
        try:
            converse(shard, client)
        except Killed:
            deaths += 1
            shard = successor(shard, client)
        else:
            return shard, deaths


def test_a_message_that_kills_is_dead_after_three_deaths(deadly, converse, successor, send):
    """The killing message is a dead letter with its reason after three deaths; innocent ones are handled, in order."""
    agent, client = deadly.agent(1), deadly.client
    send(agent, b"1", b"kill", b"2", b"3")
    shard, deaths = live(deadly, converse, successor)
    letters, _ = shard.runner.run(shard.store.letters_with_messages(DeadLetterFilter(), 10))

    assert (deaths, [letter.reason for letter in letters], client.acknowledged) == (3, ["poison"], 4)
    assert shard.registry.find(agent.agent_id).state.value == "failed"
    shard.runner.run(shard.lifecycle.resume(agent.agent_id))
    converse(shard, client)
    assert [n for n in deadly.handled if n != b"1"] == [b"2", b"3"]
    assert shard.durable.suspects.charges == {}
    assert check([shard.ledger()]).balanced


def test_who_stands_before_a_suspect_goes_first(deadly, converse, successor, send):
    """A charged message runs alone, and neither before those of its pair that came earlier nor after later ones."""
    deadly.deaths["2"] = 1
    send(deadly.agent(1), b"1", b"2", b"3")
    _, deaths = live(deadly, converse, successor)

    assert (deaths, deadly.handled) == (1, [b"1", b"1", b"2", b"3"])


def test_a_suspect_shares_no_commit(deadly, charged, send):
    """A charged message runs when all that ran before it is committed, and nothing runs before its own commit is."""
    agent, other, client = deadly.agent(1), deadly.agent(2), deadly.client
    deadly.deaths["1"] = 1
    send(agent, b"1")
    send(other, b"2")
    shard = charged()  # the one waits, the other has run
    send(other, b"3")
    client.push()
    shard.step()
    assert deadly.handled == [b"2"], "what ran before it is not committed"

    shard.commit()
    for _ in range(2):
        shard.step()
        assert deadly.handled == [b"2", b"1"], "its own turn is not committed"

    shard.soon.clear()
    shard.worker._woken = False
    shard.commit()
    assert shard.soon, "what came meanwhile is looked at at once"
    shard.step()
    assert deadly.handled == [b"2", b"1", b"3"]


def test_a_suspect_of_a_paused_agent_waits_in_its_place(deadly, charged, converse, send):
    """A suspect whose agent is paused keeps its place in the mailbox, and runs alone, first, after the pause."""
    agent, client = deadly.agent(1), deadly.client
    deadly.deaths["1"] = 1
    send(agent, b"1", b"2")
    shard = charged()
    assert shard.durable.suspects.waiting
    shard.runner.run(shard.lifecycle.pause(agent.agent_id))
    converse(shard, client)
    assert deadly.handled == []
    assert shard.ledger().pending == 2

    shard.runner.run(shard.lifecycle.resume(agent.agent_id))
    converse(shard, client)
    assert (deadly.handled, shard.ledger().pending) == ([b"1", b"2"], 0)


def test_a_suspect_whose_agent_goes_is_a_dead_letter(deadly, charged, converse, send):
    """A suspect whose agent is removed before its turn is a dead letter, as what waits behind it is."""
    agent = deadly.agent(1)
    send(agent, b"kill", b"2")
    shard = charged()
    shard.runner.run(shard.lifecycle.remove([agent.agent_id]))
    converse(shard, deadly.client)

    assert (shard.ledger().dead_letters, shard.ledger().pending, deadly.handled) == (2, 0, [])
    assert check([shard.ledger()]).balanced


def test_a_charge_follows_its_message_into_the_file(durable_message):
    """What is claimed has a root of its own in the file, which is charged in place of the one it came with."""
    journal = Journal(77)
    journal.begin(Pass(0, 0))
    suspects = Suspects(journal)
    root = SESSION, 5 | DURABLE_ROOT
    suspects.charge(root)
    suspects.charge(root)
    innocent, charged = (Delivery(durable_message(SESSION, 9), SESSION, n | DURABLE_ROOT) for n in (4, 5))
    assert not suspects.claim("agent", innocent)
    assert suspects.claim("agent", charged)

    stored = charged.source, charged.sequence
    assert suspects.charges == {stored: 2}
    assert journal.commit.charges == {root: 0, stored: 2}
    suspects.acquit(charged)
    assert (suspects.charges, journal.commit.charges) == ({}, {root: 0, stored: 0})


def test_what_runs_alone_is_not_claimed_again(durable_message):
    """A message that has its turn alone goes on into it."""
    journal = Journal(77)
    suspects = Suspects(journal)
    delivery = Delivery(durable_message(SESSION, 9), SESSION, 5 | DURABLE_ROOT)
    suspects.charge((SESSION, 5 | DURABLE_ROOT))
    suspects.alone = delivery
    assert not suspects.claim("agent", delivery)

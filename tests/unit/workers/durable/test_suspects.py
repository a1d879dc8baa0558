from collections import Counter

import msgspec
import pytest

from caxton.acl.envelope import Envelope
from caxton.store.ledger import check
from caxton.wire.calls import DeadLetterFilter
from workers.agents.delivery import DURABLE_ROOT, ROW_SPAN, Delivery
from workers.agents.registry import Hold
from workers.commit.journal import Journal
from workers.crash_note import AGENT, SEQUENCE, SOURCE
from workers.durable.suspects import Suspects
from workers.sandbox.traps import Trap, TrapReason
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
        return restart(shard, client, note=tuple(shard.turns._note))

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


def test_the_charge_of_what_is_refused_is_forgotten(deadly, converse, successor, send):
    """What a worker died of comes again, and its agent is gone: nothing waits for it to run alone any more."""
    agent, client = deadly.agent(1), deadly.client
    send(agent, b"kill")
    with pytest.raises(Killed):
        converse(deadly, client)
    shard = successor(deadly, client)
    assert shard.durable.suspects.charges
    shard.runner.run(shard.lifecycle.remove([agent.agent_id]))
    converse(shard, client)

    assert shard.durable.suspects.charges == {}


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


def test_a_charge_follows_its_message_into_a_row_that_it_shares(durable_message):
    """A charged message that has to wait is charged under its place in the file from the commit on that writes it."""
    journal = Journal(77)
    journal.begin(Pass(0, 0))
    suspects = Suspects(journal)
    root = SESSION, 5 | DURABLE_ROOT
    suspects.charge(root)
    innocent, charged = (Delivery(durable_message(SESSION, 9), SESSION, n | DURABLE_ROOT) for n in (4, 5))
    journal.enter(innocent)
    journal.enter(charged)
    commit = journal.close(lambda _: None).commit

    stored = 77, charged.sequence
    assert (suspects.charges, commit.charges) == ({stored: 1}, {root: 0, stored: 1})
    assert (suspects.deaths(innocent), suspects.deaths(charged)) == (0, 1)


def test_what_has_no_row_in_the_file_yet_is_known_by_its_former_root(durable_message):
    """While its commit is under way a message is what it was before, also if it gets another row meanwhile."""
    journal = Journal(77)
    journal.begin(Pass(0, 0))
    root = SESSION, 5 | DURABLE_ROOT
    delivery = Delivery(durable_message(SESSION, 9), *root)
    journal.enter(delivery)
    closed = journal.close(lambda _: None)
    first = delivery.sequence
    journal.linger(delivery)
    assert (journal.roots.former(first), journal.roots.former(delivery.sequence)) == (root, root)

    journal.stored(closed.commit.next_number)
    assert journal.roots.former(first) is None
    assert journal.roots.former(delivery.sequence) == (journal.file, first), "the file has its first row"
    journal.stored(journal.close(lambda _: None).commit.next_number)
    assert journal.roots.former(delivery.sequence) is None


def test_a_death_before_the_commit_is_charged_to_what_is_sent_again(deadly, converse, successor, send):
    """The worker dies of a message whose row is being written: the third death is its last all the same."""
    agent, client = deadly.agent(1), deadly.client
    send(agent, b"1", b"kill", b"2")
    agent.hold(Hold.PAUSED)
    client.listen()
    client.push()
    deadly.step()
    deadly.durable.journal.close(deadly.durable.outboxes.of)  # and never written
    agent.release(Hold.PAUSED)
    deadly.dispatcher.resume(agent)
    with pytest.raises(Killed):
        deadly.step()
    assert deadly.turns._note[SOURCE] == deadly.durable.journal.file

    heir = successor(deadly, client)
    heir.client = client
    shard, deaths = live(heir, converse, successor)
    letters, _ = shard.runner.run(shard.store.letters_with_messages(DeadLetterFilter(), 10))
    assert (1 + deaths, [letter.reason for letter in letters], client.acknowledged) == (3, ["poison"], 3)
    assert shard.durable.suspects.charges == {}


def test_what_a_suspect_sent_is_dead_when_its_agent_has_failed(deadly, converse, successor, send):
    """The first death is charged to what caused the message, which the file did not have; it is dead after three."""
    relay, victim = deadly.agent(1), deadly.agent(2)
    work = deadly.turns.work

    def relayed(agent, given):
        if agent.agent_id != relay.agent_id:
            return work(agent, given)
        if msgspec.msgpack.decode(given)["content"] != b"any":
            return None  # it is told what came of it
        contents = (b"before", b"kill", b"after")
        messages = [{"receiver": victim.agent_id, "content": content} for content in contents]
        return msgspec.msgpack.encode({"messages": messages})

    deadly.turns.work = relayed
    send(relay, b"any")
    shard, deaths = live(deadly, converse, successor)
    letters, _ = shard.runner.run(shard.store.letters_with_messages(DeadLetterFilter(), 10))
    assert (deaths, [msgspec.msgpack.decode(letter.message, type=Envelope).content for letter in letters]) == (
        3,
        [b"kill"],
    )
    states = [shard.registry.find(agent.agent_id).state.value for agent in (relay, victim)]
    assert states == ["running", "failed"]

    shard.runner.run(shard.lifecycle.resume(victim.agent_id))
    converse(shard, deadly.client)
    assert deadly.handled[-1] == b"after"
    assert (shard.durable.suspects.charges, shard.ledger().pending) == ({}, 0)


def test_a_death_before_the_row_of_a_retry_is_there_is_charged_to_the_row_before(deadly, converse, successor, send):
    """The file has the message in its first row by then: that one is read again, and the client sends nothing."""
    agent, client, journal = deadly.agent(1), deadly.client, deadly.durable.journal
    turns = iter([Trap(TrapReason.UNREACHABLE, "once")])

    def work(_agent, _given):
        raise next(turns, Killed())

    deadly.turns.work = work
    send(agent, b"any")
    agent.hold(Hold.PAUSED)
    client.listen()
    client.push()
    deadly.step()
    first = journal.close(deadly.durable.outboxes.of)
    agent.release(Hold.PAUSED)
    deadly.dispatcher.resume(agent)
    deadly.step()
    deadly.runner.run(deadly.store.commit(first.commit))
    journal.stored(first.commit.next_number)
    journal.close(deadly.durable.outboxes.of)  # and never written
    (due,) = deadly.durable.retries.due(1 << 62)
    deadly.dispatcher.put_back(*due)
    with pytest.raises(Killed):
        deadly.step()

    heir = successor(deadly, client)
    heir.client = client
    shard, deaths = live(heir, converse, successor)
    letters, _ = shard.runner.run(shard.store.letters_with_messages(DeadLetterFilter(), 10))
    assert (1 + deaths, [letter.reason for letter in letters]) == (3, ["poison"])
    assert (shard.durable.suspects.charges, shard.ledger().pending) == ({}, 0)


def test_a_death_of_what_nobody_knows_is_charged_to_its_agent_alone(deadly, successor):
    """A row that the file never got, and that was nothing before: a message to come would have its number."""
    agent, journal = deadly.agent(1), deadly.durable.journal
    note = [9 | DURABLE_ROOT] * 7  # and it says of another row, whose turn came before, what that was
    note[SOURCE], note[SEQUENCE] = journal.file, (journal.last_number + 1) * ROW_SPAN | DURABLE_ROOT
    note[AGENT] = agent.agent_id
    deadly.turns._note[:] = note
    shard = successor(deadly, deadly.client)

    assert (shard.durable.suspects.charges, shard.durable.suspects.agents) == ({}, {agent.agent_id: 1})


def test_what_runs_alone_is_not_claimed_again(durable_message):
    """A message that has its turn alone goes on into it."""
    journal = Journal(77)
    suspects = Suspects(journal)
    delivery = Delivery(durable_message(SESSION, 9), SESSION, 5 | DURABLE_ROOT)
    suspects.charge((SESSION, 5 | DURABLE_ROOT))
    suspects.alone = delivery
    assert not suspects.claim("agent", delivery)

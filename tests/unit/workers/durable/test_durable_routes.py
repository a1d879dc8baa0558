import pytest

from caxton.acl.envelope import AUTOMATIC, DURABLE
from caxton.acl.failure import read_report
from caxton.config.delivery import DeliverySettings
from caxton.errors import AgentNotFound
from caxton.ids import BROADCAST
from caxton.store.ledger import check
from caxton.wire.calls import DeadLetterFilter
from workers.agents.registry import Hold
from workers.sandbox.traps import Trap, TrapReason

OTHER, OTHERS_FILE = 8, 5_000
ROOT = (0, 0)


@pytest.fixture
def worker(durable, make_far):
    return make_far(OTHER, durable, OTHERS_FILE)


def letters(shard):
    return shard.runner.run(shard.store.letters_with_messages(DeadLetterFilter(), 100))[0]


def fail_as(agent):
    """What guests do, where one of them traps."""

    def work(who, _given):
        if who is agent:
            raise Trap(TrapReason.UNREACHABLE, "as planned")

    return work


def test_each_goes_where_its_receiver_is(durable, worker, make_far, converse, durable_message):
    """Messages of one turn go to a mailbox here, to another shard and to a client, each once, after one commit."""
    client = make_far(durable.sessions[0], durable)
    agent, here = durable.agent(1), durable.agent(2)
    to = [here.agent_id, 5 << 10 | 1, client.number]
    durable.routes.send([durable_message(agent.agent_id, one) for one in to], ROOT)
    converse(durable, worker, client)

    assert [a for a, _ in durable.turns.ran] == [here]
    assert [m.receiver for m in worker.got + client.got] == to[1:]
    durable.commit()
    assert durable.ledger().outbox == {}
    assert check([durable.ledger()]).balanced


@pytest.mark.parametrize(
    ("receiver", "reason"),
    [
        (9 << 10, "agent_not_found"),
        (0, "agent_not_found"),
        (BROADCAST, "invalid_message"),
        (1 << 63 | 99, "session_ended"),
    ],
)
def test_what_has_no_receiver_is_a_dead_letter(durable, durable_message, receiver, reason):
    """A message to nobody, to everybody or to a client that is gone is a dead letter, and its sender gets a failure."""
    durable.gone.add(1 << 63 | 99)
    agent = durable.agent(1)
    durable.routes.send([durable_message(agent.agent_id, receiver)], ROOT)
    durable.work()

    assert [row.reason for row in letters(durable)] == [reason]
    assert [a for a, _ in durable.turns.ran] == [agent], "it is given the failure"
    assert check([durable.ledger()]).balanced


def test_a_session_that_ended_here_gets_no_other_outbox(durable, durable_message):
    """What is for it is a dead letter, also when somebody holds its lock again: nobody would clear an outbox away."""
    agent, session = durable.agent(1), durable.sessions[0]
    durable.worker.heard_session_end(session)
    durable.routes.send([durable_message(agent.agent_id, session)], ROOT)
    durable.work()

    assert [row.reason for row in letters(durable)] == ["session_ended"]
    assert session not in durable.durable.outboxes.by_target


def test_failures_are_never_answered(durable, durable_message):
    """A failure that reaches nobody has ended: no letter, no other failure."""
    for sender in (9 << 10, 1 << 63 | 99):
        durable.gone.add(1 << 63 | 99)
        durable.routes.fail(durable_message(sender, 4 << 10), AgentNotFound("x"))
    durable.work()

    assert letters(durable) == []
    assert durable.counts()["failures_sent"] == 2
    assert check([durable.ledger()]).balanced


def test_a_failure_names_what_it_answers(durable, make_far, converse, durable_message):
    """A failure goes to the sender, automatic and durable, with the id of the message and the error."""
    client = make_far(durable.sessions[0], durable)
    failed = durable_message(client.number, 9 << 10)
    durable.routes.fail(failed, AgentNotFound("x"))
    converse(durable, client)
    (failure,) = client.got

    assert (failure.flags, failure.in_reply_to) == (AUTOMATIC | DURABLE, failed.message_id)
    assert isinstance(read_report(failure.content), AgentNotFound)


def test_nobody_waits_for_a_full_receiver(durable, durable_message):
    """What agents send goes beyond a mailbox's capacity; its sender goes on, and nothing is lost."""
    agent, full = durable.agent(1), durable.agent(2, capacity=4)
    full.hold(Hold.PAUSED)
    durable.routes.send([durable_message(agent.agent_id, full.agent_id) for _ in range(9)], ROOT)
    durable.work()
    assert (agent.holds, full.mailbox.depth, durable.ledger().pending) == (0, 9, 9)

    full.release(Hold.PAUSED)
    durable.dispatcher.resume(full)
    durable.work()
    assert durable.ledger().pending == 0


def test_what_is_not_kept_is_a_dead_letter(make_shard, durable_message, monkeypatch):
    """Beyond what one receiver may have, a durable effect is a dead letter at once, and its sender is told."""
    monkeypatch.setattr("workers.queues.admission.OF_ONE_AT_REST", 4)
    monkeypatch.setattr("workers.composition.OF_MIB", 6)
    durable = make_shard(durable=True, delivery=DeliverySettings(receiver_on_disk_mib=1))
    agent, full = durable.agent(1), durable.agent(2, capacity=4)
    full.hold(Hold.PAUSED)
    durable.routes.send([durable_message(agent.agent_id, full.agent_id) for _ in range(12)], ROOT)
    durable.work()

    assert (full.mailbox.effects, durable.durable.disk.messages, durable.ledger().pending) == (4, 6, 10)
    assert [row.reason for row in letters(durable)] == ["queue_full"] * 2
    assert [a for a, _ in durable.turns.ran] == [agent] * 2, "it is given the failures"
    assert check([durable.ledger()]).balanced


def test_what_waits_behind_a_retry_counts_in_its_receivers_share(durable, durable_message, monkeypatch):
    """Effects that came behind a message which waits for its retry are kept, and weigh as those in the mailbox do."""
    monkeypatch.setattr("workers.queues.admission.OF_ONE_STORED", 10)
    sender, failing = durable.agent(1), durable.agent(2)
    durable.turns.work = fail_as(failing)
    durable.routes.send([durable_message(sender.agent_id, failing.agent_id, content=bytes(4_096))] * 2, ROOT)
    durable.work()
    assert (failing.set_aside_weight, failing.mailbox.weight, failing.mailbox.depth) == (10, 0, 2)

    durable.routes.send([durable_message(9 << 10, failing.agent_id)], ROOT)
    durable.work()
    assert (durable.durable.disk.messages, failing.mailbox.depth, letters(durable)) == (1, 3, [])


def test_what_a_shard_does_not_take_is_bounded(durable, durable_message, monkeypatch):
    """Beyond the most that may wait for a shard, what is for it is a dead letter, and its senders go on."""
    monkeypatch.setattr("workers.durable.routes.MOST_UNREAD", 10)
    agent = durable.agent(1)
    durable.routes.send([durable_message(agent.agent_id, 5 << 10 | 1) for _ in range(12)], ROOT)
    durable.work()

    assert [row.reason for row in letters(durable)] == ["queue_full"] * 2
    assert [a for a, _ in durable.turns.ran] == [agent] * 2, "it is given the failures"
    assert durable.counts()["full_link"] == 2
    assert check([durable.ledger()]).balanced


def test_what_a_commit_gathers_counts_in_bytes_too(durable, durable_message, monkeypatch):
    """What is for a shard is bounded in bytes before it is in the outbox, and as much goes again after the commit."""
    monkeypatch.setattr("workers.durable.routes.MOST_BYTES", 1_000)
    agent, remote = durable.agent(1), 5 << 10 | 1
    durable.routes.send([durable_message(agent.agent_id, remote, content=bytes(250)) for _ in range(6)], ROOT)
    assert [len(durable.durable.journal.emitted[shard]) for shard in (1,)] == [4]
    durable.work()

    assert [row.reason for row in letters(durable)] == ["queue_full"] * 2
    assert durable.durable.journal.emitted_bytes == {}


def test_what_was_sent_stays_until_it_is_acknowledged(durable, make_far, converse, restart, durable_message):
    """Frames that left and were lost on their way are in the outbox after a restart, and go again, marked so."""
    client, agent = make_far(durable.sessions[0], durable), durable.agent(1)
    durable.routes.send([durable_message(agent.agent_id, client.number) for _ in range(3)], ROOT)
    durable.work()
    durable.commit()  # and whatever the sending itself gathered
    assert len(durable.emitted(client.number)) == durable.ledger().outbox[client.number] == 3
    heir = restart(durable, client)
    converse(heir, client)

    assert (len(client.got), client.resent) == (3, [True] * 3)
    heir.commit()
    assert client.number not in heir.ledger().outbox


def test_a_client_that_leaves_most_unread_gets_no_more(durable, make_far, durable_message, monkeypatch):
    """What waits in the outboxes counts in what all clients together leave unread: beyond it messages die at once."""
    client = make_far(durable.sessions[0], durable)
    agent = durable.agent(1)
    durable.routes.send([durable_message(agent.agent_id, client.number)], ROOT)
    durable.work()
    kept = durable.durable.outboxes.bytes_for(client.number)
    for most, reasons in ((kept, []), (kept - 1, ["queue_full"])):
        monkeypatch.setattr("workers.peers.peers.MOST_UNREAD_IN_ALL", most)
        durable.worker._tick()
        if reasons:
            durable.routes.send([durable_message(agent.agent_id, client.number)], ROOT)
        durable.work()
        assert [row.reason for row in letters(durable)] == reasons


def test_a_client_that_does_not_read_is_no_store(durable, make_far, durable_message, monkeypatch):
    """Beyond the most that may wait for a client messages for it are dead letters at once."""
    monkeypatch.setattr("workers.durable.routes.MOST_UNREAD", 10)
    client = make_far(durable.sessions[0], durable)
    agent = durable.agent(1)
    for _ in range(2):
        durable.routes.send([durable_message(agent.agent_id, client.number) for _ in range(6)], ROOT)
        durable.work()

    assert [row.reason for row in letters(durable)] == ["queue_full"] * 2
    assert durable.ledger().outbox == {client.number: 10}
    assert durable.counts()["session_full"] == 2

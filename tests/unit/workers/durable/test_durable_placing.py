import pytest

from caxton.acl.envelope import AUTOMATIC, DURABLE, Rare
from caxton.agents.manifest import Encoding
from caxton.store.recovered import Letter
from workers.agents.registry import Hold

OTHER, OTHERS_FILE, TOP = 8, 5_000, (1 << 64) - 1
SESSION = 1 << 63


@pytest.fixture
def client(durable, make_far):
    return make_far(durable.sessions[0], durable)


@pytest.fixture
def worker(durable, make_far):
    return make_far(OTHER, durable, OTHERS_FILE)


def test_an_idle_agent_has_its_turn_at_once(durable, client, converse, durable_message):
    """What comes for idle agents is handled in its pass, acknowledged, and costs the file no row."""
    agent = durable.agent(1)
    client.send(*(durable_message(client.number, agent.agent_id) for _ in range(50)))
    converse(durable, client)

    assert (client.acknowledged, client.refused, len(durable.turns.ran)) == (50, {}, 50)
    assert (durable.ledger().pending, durable.durable.journal.number()) == (0, 1)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"receiver": 9 << 10}, "AgentNotFound"),
        ({"receiver": 9 << 10 | 1}, "ShardUnavailable"),
        ({"receiver": 0}, "AgentNotFound"),
        ({"receiver": TOP}, "Unsupported"),
        ({"sender": 5}, "SecurityError"),
        ({"flags": DURABLE | AUTOMATIC}, "SecurityError"),
        ({"flags": 0}, "SecurityError"),
        ({"flags": DURABLE | 4}, "SecurityError"),
        ({"content": bytes(2_000_000)}, "MessageTooLarge"),
    ],
)
def test_a_client_is_told_why_a_message_was_refused(durable, client, converse, durable_message, fields, error):
    """A message that cannot be placed is refused alone, with its reason, and is no dead letter; its neighbours run."""
    agent = durable.agent(1)
    bad = durable_message(**({"sender": client.number, "receiver": agent.agent_id} | fields))
    good = [durable_message(client.number, agent.agent_id) for _ in range(2)]
    client.send(good[0], bad, good[1])
    converse(durable, client)

    assert (client.refused, client.acknowledged, len(durable.turns.ran)) == ({2: error}, 3, 2)
    assert (durable.ledger().counts["refused"], durable.ledger().dead_letters) == (1, 0)


@pytest.mark.parametrize("why", [Hold.PAUSED, Hold.FAILED, Hold.ATTACHED])
def test_what_comes_for_an_agent_that_runs_no_turns_waits(durable, client, converse, durable_message, why):
    """Messages for an agent on hold are acknowledged and pending, and are handled when the hold ends."""
    agent = durable.agent(1)
    agent.hold(why)
    client.send(*(durable_message(client.number, agent.agent_id) for _ in range(5)))
    converse(durable, client)
    assert (client.acknowledged, durable.ledger().pending, durable.turns.ran) == (5, 5, [])

    agent.release(why)
    durable.dispatcher.resume(agent)
    durable.work()
    assert (durable.ledger().pending, len(durable.turns.ran)) == (0, 5)


def test_a_client_may_fill_a_mailbox_to_its_capacity(durable, client, converse, durable_message):
    """Beyond the capacity a client is refused with QueueFull, and nothing that was taken is lost."""
    agent = durable.agent(1, capacity=8)
    agent.hold(Hold.PAUSED)
    client.send(*(durable_message(client.number, agent.agent_id) for _ in range(10)))
    converse(durable, client)

    assert client.refused == {9: "QueueFull", 10: "QueueFull"}
    assert durable.ledger().pending == agent.mailbox.depth == 8


def test_a_client_is_refused_once_mailboxes_keep_as_much_as_may_be(
    durable, client, converse, durable_message, monkeypatch
):
    """Of frames that come when as many bytes wait as may at most nothing is kept, and they are refused by name."""
    monkeypatch.setattr("workers.queues.admission.MOST_ROOTS_BYTES", 20)
    agent = durable.agent(1)
    agent.hold(Hold.PAUSED)
    for _ in range(3):
        client.send(durable_message(client.number, agent.agent_id, content=bytes(10)))
        converse(durable, client)

    assert client.refused == {3: "QueueFull"}
    assert durable.ledger().pending == agent.mailbox.depth == 2


def test_a_key_of_a_refused_message_is_free(durable, client, converse, durable_message):
    """A message that was refused for want of room has not used its key: sent again with it, it is delivered."""
    agent = durable.agent(1, capacity=1)
    agent.hold(Hold.PAUSED)
    keyed = {"rare": Rare(idempotency_key="k")}
    client.send(durable_message(client.number, agent.agent_id))
    client.send(durable_message(client.number, agent.agent_id, **keyed))
    converse(durable, client)
    assert client.refused == {2: "QueueFull"}

    agent.release(Hold.PAUSED)
    durable.dispatcher.resume(agent)
    client.send(durable_message(client.number, agent.agent_id, **keyed))
    client.send(durable_message(client.number, agent.agent_id, **keyed))
    converse(durable, client)
    assert len(durable.turns.ran) == 2
    assert client.refused == {2: "QueueFull", 4: "AlreadyAccepted"}
    counts = durable.ledger().counts
    assert (counts["duplicates"], counts["refused"], counts["accepted_clients"]) == (1, 2, 2)


def test_what_an_agent_elsewhere_sends_in_vain_is_a_dead_letter(durable, worker, converse, durable_message):
    """A message of another shard that nobody takes is acknowledged and a dead letter, and its sender gets a failure."""
    sender = 3 << 10 | 1
    worker.send(durable_message(sender, 9 << 10))
    converse(durable, worker)

    assert (worker.acknowledged, worker.refused, durable.ledger().dead_letters) == (1, {}, 1)
    assert [(m.receiver, m.flags) for m in worker.got] == [(sender, AUTOMATIC | DURABLE)]


def test_a_failure_that_nobody_reads_has_ended(durable, worker, converse, durable_message):
    """A failure for an agent that is gone, or takes content alone, counts as processed, and makes nothing else."""
    content = durable.agent(1, encoding=Encoding.CONTENT)
    for receiver in (content.agent_id, 9 << 10):
        worker.send(durable_message(3 << 10 | 1, receiver, flags=DURABLE | AUTOMATIC))
    converse(durable, worker)

    ledger = durable.ledger()
    assert (worker.acknowledged, worker.got, durable.turns.ran) == (2, [], [])
    assert (ledger.counts["processed"], ledger.dead_letters) == (2, 0)


def test_what_comes_again_may_have_been_tried(durable, client, converse, durable_message):
    """A message of a frame that was sent before has a delivery count of two."""
    agent = durable.agent(1)
    client.send(durable_message(client.number, agent.agent_id))
    client.ever = 1
    converse(durable, client)

    assert b"delivery_count\x02" in durable.turns.ran[0][1]


def test_clients_are_refused_when_no_more_can_die(make_shard, make_far, converse, durable_message):
    """At the capacity of the dead letters clients are refused with ResourceExhausted, and agents go on."""
    shard = make_shard(durable=True, shards=2)
    shard.durable.dead_letters.restore([Letter(-1, SESSION, 9 << 10)])
    shard.durable.dead_letters.capacity = 1
    client, worker = make_far(shard.sessions[0], shard), make_far(OTHER, shard, OTHERS_FILE)
    agent = shard.agent(1)
    client.send(durable_message(client.number, agent.agent_id))
    worker.send(durable_message(3 << 10 | 1, agent.agent_id))
    converse(shard, worker, client)

    assert client.refused == {1: "ResourceExhausted"}
    assert len(shard.turns.ran) == 1


def test_clients_are_refused_for_an_agent_at_its_share(durable, client, converse, durable_message):
    """What clients sent one agent in vain closes the way to this agent, and messages to others go on."""
    crowded, other = durable.agent(1), durable.agent(2)
    durable.durable.dead_letters.share = 1
    durable.durable.dead_letters.restore([Letter(-1, SESSION, crowded.agent_id)])
    client.send(*(durable_message(client.number, agent.agent_id) for agent in (crowded, other)))
    converse(durable, client)

    assert client.refused == {1: "ResourceExhausted"}
    assert [agent for agent, _ in durable.turns.ran] == [other]

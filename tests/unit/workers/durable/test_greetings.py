import pytest
from msgspec.structs import replace

from caxton.links.greeting import say
from caxton.store.ledger import check
from caxton.wire.control import Hello, Topology

OTHER, OTHERS_FILE, OWN = 8, 5_000, 7


def topology(shard, version, other):
    return Topology(0, shard.marks.mark(0), version, shard.table, [shard.own, other], ["ready", "ready"])


def test_frames_before_a_hello_are_left(durable, make_far, converse, durable_message):
    """What comes before its source's hello is left and asked for, and then taken, once."""
    agent, client = durable.agent(1), make_far(durable.sessions[0])
    client.shard, client.mark, client.read = durable, durable.marks.mark(client.number), [0, 0]
    client.send(durable_message(client.number, agent.agent_id))
    client.shard.frame(client.number, client.messages, first=1, lane=1)
    durable.settle()
    assert (durable.turns.ran, durable.counts()["left"]) == ([], 1)

    client.ever = 1
    converse(durable, client)
    assert (client.acknowledged, len(durable.turns.ran)) == (1, 1)


def test_who_asks_again_hears_that_the_disk_has_room(durable, make_far):
    """A client that missed the word that messages are taken again, and sends nothing, hears it when it asks."""
    client = make_far(durable.sessions[0], durable)
    durable.durable.greetings.close("the disk is full")
    client.listen()
    assert client.link.outgoing.closed == "the disk is full"
    durable.durable.greetings.close("")
    durable.peers.find(client.number)._control.frames.clear()
    client.read[0] = 0

    ends = client.number, client.mark, durable.own
    hello = say(ends, client.file, client.known, client.link.outgoing, client.link.incoming)
    durable.say(replace(hello, answer_wanted=True))
    client.listen()
    assert client.link.outgoing.closed == ""


def test_a_gap_is_never_skipped(durable, make_far, converse, durable_message):
    """A frame behind a gap is left; the source hears what is missing, and all is taken once, in order."""
    agent, client = durable.agent(1), make_far(durable.sessions[0], durable)
    client.send(*(durable_message(client.number, agent.agent_id, content=bytes([n])) for n in range(4)))
    client.push(most=2)
    durable.data.frames.popleft()
    for _ in range(12):
        converse(durable, client)
        durable.worker._tick()

    assert client.acknowledged == 4
    assert [given[given.index(b"content") + 9] for _, given in durable.turns.ran] == [0, 1, 2, 3]


def test_what_comes_twice_is_taken_once(durable, make_far, converse, durable_message):
    """A frame that comes again, alone or with more behind it, causes no turn twice."""
    agent, client = durable.agent(1), make_far(durable.sessions[0], durable)
    client.send(*(durable_message(client.number, agent.agent_id) for _ in range(3)))
    converse(durable, client)
    durable.frame(client.number, client.messages[:2], first=1, lane=1, resent=True)
    client.messages.append(durable_message(client.number, agent.agent_id))
    durable.frame(client.number, client.messages[1:], first=2, lane=1, resent=True)
    durable.work()

    assert len(durable.turns.ran) == 4
    assert durable.ledger().taken == {client.number: 4}


def test_a_client_cannot_speak_for_another_file(durable, make_far):
    """A client's hello for a file that is not its own is garbage, whatever numbers it has."""
    client, other = (make_far(number, durable) for number in durable.sessions[:2])
    for file in (other.number, OTHERS_FILE, 0, durable.store.file_id):
        durable.say(Hello(client.number, client.mark, durable.own, file, 0, 9, 9, answer_wanted=True))
    durable.settle()

    assert durable.counts()["garbage"] == 4
    assert durable.durable.greetings.sources[other.number].peer_number == other.number


@pytest.mark.parametrize("taken", [5, (1 << 63) - 1, (1 << 64) - 1])
def test_a_hello_that_cannot_be_moves_nothing(durable, make_far, converse, durable_message, taken):
    """Who says it took what was never sent is not believed, and gets what is for it after a true word."""
    agent, client = durable.agent(1), make_far(durable.sessions[0], durable)
    durable.routes.send([durable_message(agent.agent_id, client.number)], (0, 0))
    durable.work()
    file = durable.store.file_id
    durable.say(Hello(client.number, client.mark, durable.own, client.number, file, taken, 0, answer_wanted=False))
    converse(durable, client)

    durable.commit()
    assert len(client.got) == 1
    assert durable.ledger().outbox == {}


def test_a_successor_of_the_other_worker_goes_on(durable, make_far, converse, durable_message):
    """What the last incarnation of another shard did not take goes to the next one, marked as sent before."""
    worker = make_far(OTHER, durable, OTHERS_FILE)
    agent, remote = durable.agent(1), 5 << 10 | 1
    durable.routes.send([durable_message(agent.agent_id, remote) for _ in range(2)], (0, 0))
    converse(durable, worker)
    durable.routes.send([durable_message(agent.agent_id, remote) for _ in range(2)], (0, 0))
    durable.work()  # sent, and never read
    durable.say(topology(durable, 1, 9))
    worker.number = 9
    worker.meet(durable)
    converse(durable, worker)

    assert (len(worker.got), worker.resent) == (4, [False, False, True, True])
    durable.commit()
    assert durable.ledger().outbox == {}


def test_another_store_gets_what_the_old_one_owed(durable, make_far, converse, durable_message):
    """When a shard comes back with another file, what the lost one had not acknowledged goes to it, and is counted."""
    lost = make_far(OTHER, durable, OTHERS_FILE)
    agent, remote = durable.agent(1), 5 << 10 | 1
    durable.routes.send([durable_message(agent.agent_id, remote)], (0, 0))
    converse(durable, lost)
    durable.routes.send([durable_message(agent.agent_id, remote) for _ in range(3)], (0, 0))
    durable.work()
    durable.say(topology(durable, 1, 9))
    heir = make_far(9, durable, OTHERS_FILE + 1)
    converse(durable, heir)

    assert len(heir.got) == 3
    assert durable.ledger().emitted == {1: 3}
    assert check([durable.ledger()]).balanced


def test_a_worker_before_its_topology_is_heard_later(durable, make_far, converse, durable_message):
    """A hello of a worker that no topology names yet changes nothing; its next one after the topology does."""
    agent, worker = durable.agent(1), make_far(9, file=OTHERS_FILE)
    worker.meet(durable)
    worker.send(durable_message(5 << 10 | 1, agent.agent_id))
    durable.settle()
    worker.listen()
    assert not worker.link.outgoing.greeted

    durable.say(topology(durable, 1, 9))
    converse(durable, worker)
    assert worker.acknowledged == 1


def test_a_full_disk_is_told_to_who_comes_then(durable, make_far, converse, durable_message):
    """Also a client that comes while the disk is full is told so, and served after."""
    durable.durable.greetings.close("no room")
    client, agent = make_far(durable.sessions[0], durable), durable.agent(1)
    client.send(durable_message(client.number, agent.agent_id))
    converse(durable, client)
    assert client.link.outgoing.closed == "no room"

    durable.durable.greetings.close("")
    converse(durable, client)
    assert client.acknowledged == 1

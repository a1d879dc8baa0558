import msgspec
import pytest

from caxton.agents.manifest import Encoding
from caxton.wire.calls import Ended, Exchange
from workers.agents.registry import Hold
from workers.loop.condition import ShardCondition
from workers.worker_pass import NS_PER_MS

MOST = 100


@pytest.fixture
def durable(durable):
    """A shard whose states may come to a hundred bytes, and whose agents keep what they are sent."""
    durable.durable.journal.states.most = MOST
    durable.turns.work = lambda _who, given: msgspec.msgpack.encode(
        {"state": msgspec.msgpack.decode(given)["content"], "messages": [{"content": b"kept"}]}
    )
    return durable


@pytest.fixture
def client(durable, make_far):
    return make_far(durable.sessions[0], durable)


@pytest.fixture
def keep(durable, client, converse, durable_message):
    """A function that lets an agent keep so many bytes, on the durable lane, without a retry."""

    def make(agent, size):
        client.send(durable_message(client.number, agent.agent_id, content=bytes(size)))
        converse(durable, client)

    return make


def unsaved(durable):
    """Whom the shard's condition names, and what it says of all states."""
    now = ShardCondition(durable.parts, durable.worker._committer, durable.worker._passes).look(NS_PER_MS)
    return now.states, now.most_states, now.unsaved.names


def test_states_of_a_shard_are_bounded(durable, client, keep):
    """States may come to exactly so much; a turn beyond it fails as a whole, and the state is what it was."""
    one, two = durable.agent(1), durable.agent(2)
    keep(one, 60)
    keep(two, 40)
    assert (durable.parts.gauges()["state_bytes"], len(client.got)) == (100, 2)

    keep(two, 41)
    assert (len(one.saved), len(two.saved), len(client.got)) == (60, 40, 2)
    assert durable.counts()["states_refused"] == durable.counts()["failed"] == 1
    assert two.sandbox is None, "its next instance begins with the state that is kept"
    assert durable.ledger().pending == 1, "the message waits for its retry"
    assert unsaved(durable) == (100, MOST, ["a2"])

    keep(one, 10)
    assert unsaved(durable) == (50, MOST, [])


def test_the_refusal_says_what_there_is_no_more_of(durable, message):
    """Who sent the message of the volatile lane is told by name, with the agent and the limit."""
    agent, session = durable.agent(1), durable.sessions[0]
    durable.frame(session, [message(session, agent.agent_id, content=bytes(101), reply_with=bytes(16))])
    durable.settle()
    (answer,) = durable.emitted(session)
    report = msgspec.msgpack.decode(answer.content)
    assert "ResourceExhausted" in str(report)
    assert agent.label in str(report)
    assert str(MOST) in str(report)


def test_what_is_kept_stays_and_a_smaller_state_fits(durable, client, converse, keep, restart):
    """A lower bound takes nothing away: what is no larger than before is kept, and what is larger is refused."""
    one, two = durable.agent(1), durable.agent(2)
    keep(one, 60)
    keep(two, 40)
    heir = restart(durable, client)
    states = heir.durable.journal.states
    assert states.bytes == 100
    states.most = 50
    one, two = heir.registry.find(one.agent_id), heir.registry.find(two.agent_id)
    assert (len(one.saved), len(two.saved)) == (60, 40)
    for size, kept in ((60, 60), (59, 59), (60, 59), (0, 0)):
        if size <= len(one.saved):
            heir.turns.save(one, bytes(size))
        else:
            with pytest.raises(Exception, match="no more bytes of states"):
                heir.turns.check_state(one, bytes(size))
        assert len(one.saved) == kept
    assert states.bytes == 40


def test_the_state_of_an_agent_that_is_gone_takes_no_room(durable, keep):
    """Removing an agent gives back what its state took, and it is named no longer."""
    one, two = durable.agent(1), durable.agent(2)
    keep(one, 90)
    keep(two, 20)
    assert unsaved(durable) == (90, MOST, ["a2"])
    durable.runner.run(durable.lifecycle.remove([two.agent_id]))
    assert unsaved(durable) == (90, MOST, [])
    durable.runner.run(durable.lifecycle.remove([one.agent_id]))
    assert unsaved(durable) == (0, MOST, [])


def test_what_a_program_made_of_a_state_that_was_refused_is_refused(durable, client, converse, ask, durable_message):
    """Of ends that come together, those with a state after the refused one are not kept either: all come again."""
    agent = durable.agent(1, encoding=Encoding.ATTACHED)
    agent.hold(Hold.ATTACHED)
    durable.worker._attached.attach(client.number, agent)
    client.send(*(durable_message(client.number, agent.agent_id, content=content) for content in (b"1", b"2", b"3")))
    converse(durable, client)

    def exchange(*ended, most=10):
        asked = Exchange(agent.agent_id, list(ended), most, 0)
        return ask(durable, durable.worker._attached.exchange(client.number, asked))

    one, two, three = exchange().deliveries
    answer = exchange(
        Ended(one.delivery, [], None, bytes(101)),
        Ended(two.delivery, [], None, bytes(3)),
        Ended(three.delivery, [], None),
        most=0,
    )
    assert [failed.error for failed in answer.not_sent] == ["ResourceExhausted"] * 2
    assert agent.saved == b""
    assert durable.ledger().counts["processed"] == 1
    assert durable.ledger().pending == 2

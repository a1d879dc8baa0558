"""Lines of protocols on the durable lane: where they stand goes into the file with the messages."""

import msgspec
import pytest

from caxton.acl.envelope import Rare
from caxton.acl.failure import read_report
from caxton.protocols import standing

CLIENT = 1 << 63
TALK = b"t" * 16
CFP = 3


def lines(shard):
    return shard.durable.journal.conversations.table.find(TALK).lines


def test_a_line_is_where_it_was_after_a_restart(make_shard, make_far, converse, restart, durable_message):
    """Its position, what its initiator looks at, and its deadline; what does not fit is refused as before."""
    shard = make_shard(durable=True)
    agent, far = shard.agent(1), make_far(CLIENT, shard)

    def cfp(**fields):
        made = durable_message(
            CLIENT, agent.agent_id, conversation_id=TALK, rare=Rare(protocol="fipa-contract-net"), **fields
        )
        made.performative = CFP
        return made

    far.send(cfp(reply_with=b"w" * 16))
    converse(shard, far)
    before = lines(shard)
    assert [standing(position).state for position in before.positions.values()] == ["called"]

    successor = restart(shard, far)
    converse(successor, far)
    after = lines(successor)
    assert (after.positions, after.joints, after.open) == (before.positions, before.joints, before.open)
    assert after.look_at_ms == before.look_at_ms
    far.send(cfp())
    converse(successor, far)
    assert list(far.refused.values()) == ["ProtocolViolation"]


def test_a_conversation_in_a_name_that_is_the_runtime_s_now_is_still_read(
    make_shard, make_far, converse, restart, durable_message, monkeypatch
):
    """The file of an earlier runtime may have one: it goes on, without that name."""
    shard = make_shard(durable=True)
    agent, far = shard.agent(1), make_far(CLIENT, shard)
    named = {"conversation_id": TALK, "rare": Rare(protocol="caxton:ours")}
    with monkeypatch.context() as earlier:
        earlier.setattr("workers.conversations.protocols.machine_of", lambda _: None)
        far.send(durable_message(CLIENT, agent.agent_id, **named))
        converse(shard, far)
    successor = restart(shard, far)
    far.send(durable_message(CLIENT, agent.agent_id, **named))
    far.send(durable_message(CLIENT, agent.agent_id, conversation_id=TALK))
    converse(successor, far)
    assert list(far.refused.values()) == ["UnknownProtocol"]
    assert successor.durable.journal.conversations.table.find(TALK).messages == 2


def test_a_deadline_is_kept_after_a_restart(make_shard, make_far, converse, restart, durable_message):
    """Who waited is told by the successor, and the told word is as durable as what it asked."""
    shard = make_shard(durable=True)
    buyer, seller, far = shard.agent(1), shard.agent(2), make_far(CLIENT, shard)
    call = {"messages": [{"receiver": seller.agent_id, "performative": "cfp", "protocol": "fipa-contract-net"}]}
    heard = []

    def work(agent, given):
        said = msgspec.msgpack.decode(given)
        if agent.agent_id == buyer.agent_id:
            heard.append(said)
            return msgspec.msgpack.encode(call) if said["sender"] == CLIENT else None
        return None

    shard.turns.work = work
    far.send(durable_message(CLIENT, buyer.agent_id))
    converse(shard, far)
    successor = restart(shard, far)
    converse(successor, far)
    successor.durable.journal.served.now_ms += 60_000
    successor.tick()
    converse(successor, far)

    (told,) = [said for said in heard if said["sender"] == seller.agent_id]
    assert (told["performative"], type(read_report(told["content"])).__name__) == ("failure", "AnswerOverdue")


@pytest.mark.parametrize("name", ["fipa-reqest", "caxton:receipt", "caxton:conversation", "caxton:escalation"])
def test_a_name_that_is_nobody_s_to_use_is_refused_on_this_lane_too(
    make_shard, make_far, converse, durable_message, name
):
    """What a client sends in no conversation, and what a turn answers: it is told, and the agent is given nothing."""
    shard = make_shard(durable=True)
    one, other, far = shard.agent(1), shard.agent(2), make_far(CLIENT, shard)
    heard = []

    def work(agent, given):
        said = msgspec.msgpack.decode(given)
        heard.append((agent.agent_id, said["performative"]))
        answer = {"receiver": other.agent_id, "performative": "inform", "protocol": name}
        return msgspec.msgpack.encode({"messages": [answer]}) if said["sender"] == CLIENT else None

    shard.turns.work = work
    far.send(durable_message(CLIENT, one.agent_id, rare=Rare(protocol=name)))
    far.send(durable_message(CLIENT, one.agent_id))
    converse(shard, far)
    assert list(far.refused.values()) == ["UnknownProtocol"]
    assert heard[1:] == [(one.agent_id, "failure")]

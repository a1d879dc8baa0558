"""Who asks for a receipt is told, once, when its message was handled."""

import pytest

from caxton.acl.envelope import AUTOMATIC, DURABLE, RECEIPT_PROTOCOL, Rare
from caxton.acl.message import Message
from caxton.acl.performative import Performative
from caxton.agents.manifest import Encoding
from caxton.store.ledger import check
from caxton.wire.calls import Ended, Exchange
from workers.agents.registry import Hold
from workers.sandbox.traps import GuestError, Trap, TrapReason

ASKED = Rare(receipt=True, max_retries=0)
NEVER = 1 << 62
SECOND_FILE = 5_000


@pytest.fixture
def client(durable, make_far):
    return make_far(durable.sessions[0], durable)


def confirmed(messages):
    """What these confirm; nothing else may be among them."""
    assert all(Message.of(message).is_confirmation for message in messages)
    return [message.in_reply_to for message in messages]


@pytest.mark.parametrize("encoding", [Encoding.CONTENT, Encoding.MSGPACK])
def test_a_turn_that_ended_well_is_confirmed(durable, client, converse, durable_message, encoding):
    """On the durable lane by the commit that has the turn: automatic, from the agent, about the message's id."""
    agent = durable.agent(1, encoding=encoding)
    asked, other = (durable_message(client.number, agent.agent_id, rare=rare) for rare in (ASKED, None))
    client.send(asked, other)
    client.push()
    durable.step()
    assert client.got == []
    converse(durable, client)

    (told,) = client.got
    assert confirmed([told]) == [asked.message_id]
    assert (told.performative, told.sender, told.flags) == (Performative.CONFIRM, agent.agent_id, AUTOMATIC | DURABLE)
    assert durable.counts()["confirmations_sent"] == 1
    assert check([durable.ledger()]).balanced


def test_a_message_that_names_itself_is_confirmed_by_that_name(durable, client, converse, durable_message):
    """With a reply_with it is this, as for every other answer."""
    agent = durable.agent(1)
    client.send(durable_message(client.number, agent.agent_id, rare=ASKED, reply_with=b"r" * 16))
    converse(durable, client)

    assert confirmed(client.got) == [b"r" * 16]


@pytest.mark.parametrize("end", [Trap(TrapReason.UNREACHABLE, "x"), GuestError(-1)], ids=["trap", "error"])
def test_a_turn_that_failed_is_not_confirmed(durable, client, converse, durable_message, end):
    """Its sender gets the failure, and nothing else."""

    def work(_agent, _given):
        raise end

    durable.turns.work = work
    client.send(durable_message(client.number, durable.agent(1).agent_id, rare=ASKED))
    converse(durable, client)

    assert [message.performative for message in client.got] == [Performative.FAILURE]


def test_what_is_tried_again_is_confirmed_once(durable, client, converse, restart, durable_message):
    """By the life of the worker that committed the turn: one that died before it has told nobody."""
    asked = durable_message(client.number, durable.agent(1).agent_id, rare=ASKED)
    client.send(asked)
    client.push()
    durable.step()
    heir = restart(durable, client)
    converse(heir, client)
    last = restart(heir, client)
    converse(last, client)

    assert len(durable.turns.ran) == 2
    assert confirmed(client.got) == [asked.message_id]


def test_a_client_that_is_gone_is_counted(durable, client, converse, durable_message):
    """Nobody is left to be told; the books balance."""
    agent = durable.agent(1)
    agent.hold(Hold.PAUSED)
    client.send(durable_message(client.number, agent.agent_id, rare=ASKED))
    converse(durable, client)
    durable.gone.add(client.number)
    durable.worker.heard_session_end(client.number)
    agent.release(Hold.PAUSED)
    durable.dispatcher.resume(agent)
    durable.work()

    assert len(durable.turns.ran) == 1
    assert (durable.counts()["confirmations_sent"], durable.counts()["failures_dropped"]) == (0, 1)
    assert check([durable.ledger()]).balanced


def test_an_agent_that_asked_is_told_and_its_word_is_never_confirmed(durable, durable_message):
    """As a message that its guest can tell from others; one of the encoding `content` is told nothing."""
    receiver = durable.agent(1)
    for number, encoding in ((2, Encoding.MSGPACK), (3, Encoding.CONTENT)):
        sender = durable.agent(number, encoding=encoding)
        durable.routes.send([durable_message(sender.agent_id, receiver.agent_id, rare=ASKED)], (0, 0))
    durable.work()

    assert [agent.manifest.name for agent, _ in durable.turns.ran] == ["a1", "a1", "a2"]
    assert RECEIPT_PROTOCOL.encode() in durable.turns.ran[-1][1]
    assert check([durable.ledger()]).balanced


def test_a_handler_that_ended_well_is_confirmed(durable, client, converse, ask, durable_message):
    """What a client's process handled counts as what a guest did."""
    agent = durable.agent(1, encoding=Encoding.ATTACHED)
    agent.hold(Hold.ATTACHED)
    durable.worker._attached.attach(client.number, agent)
    asked = durable_message(client.number, agent.agent_id, rare=ASKED)
    client.send(asked)
    converse(durable, client)

    def exchange(*ended):
        return ask(durable, durable.worker._attached.exchange(client.number, Exchange(agent.agent_id, [*ended], 9, 0)))

    (given,) = exchange().deliveries
    converse(durable, client)
    assert client.got == []
    exchange(Ended(given.delivery))
    converse(durable, client)

    assert confirmed(client.got) == [asked.message_id]


@pytest.mark.parametrize("encoding", [Encoding.CONTENT, Encoding.MSGPACK])
def test_the_volatile_lane_confirms_too(durable, client, message, encoding):
    """With what else the pass causes, on its own lane."""
    agent = durable.agent(1, encoding=encoding)
    asked = message(client.number, agent.agent_id, rare=ASKED)
    durable.frame(client.number, [asked])
    durable.settle()

    (told,) = durable.emitted(client.number)
    assert confirmed([told]) == [asked.message_id]
    assert told.flags == AUTOMATIC

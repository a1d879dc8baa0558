import msgspec
import pytest

from caxton.acl.envelope import AUTOMATIC, DURABLE, Cause, Envelope, Rare, Waiters
from caxton.agents.manifest import Encoding
from caxton.delivery.causes import while_handled
from caxton.store.ledger import check
from caxton.store.waiting import decode_waiting
from caxton.wire.calls import DeadLetterFilter, Ended, Exchange, RequeueDeadLetters
from workers.agents.registry import Hold
from workers.loop.call_line import CallLine
from workers.loop.dead_letter_calls import DeadLetterCalls

NOBODY, OTHER, OTHERS_FILE = 9 << 10, 8, 5_000
ALL = DeadLetterFilter()


@pytest.fixture
def client(durable, make_far):
    return make_far(durable.sessions[0], durable)


@pytest.fixture
def follow(durable, client, converse, durable_message):
    """A function that lets a client send an agent one message, and follows it to its end."""

    def send(agent, **fields):
        client.send(durable_message(client.number, agent.agent_id, **fields))
        converse(durable, client)

    return send


def letters(shard):
    """Why each dead letter died, and its message."""
    rows, _ = shard.runner.run(shard.store.letters_with_messages(ALL, 2_000))
    return [(row.reason, msgspec.msgpack.decode(row.message, type=Envelope)) for row in rows]


def sends(*receivers):
    return msgspec.msgpack.encode({"messages": [{"receiver": receiver} for receiver in receivers]})


def is_failure(given):
    return msgspec.msgpack.decode(given)["performative"] == "failure"


@pytest.mark.parametrize(
    ("rare", "turns", "reason", "counter"),
    [(Rare(max_hops=4), 1 + 4, "hop_limit", "over_hops"), (Rare(max_work=3), 1 + 3, "work_limit", "over_work")],
)
def test_what_is_beyond_a_limit_is_a_dead_letter(durable, follow, rare, turns, reason, counter):
    """What a durable turn sends beyond the limit of its root is a dead letter with a reason of its own, and is told."""
    agent = durable.agent(1)
    durable.turns.work = lambda who, given: None if is_failure(given) else sends(who.agent_id)
    follow(agent, rare=rare)

    assert agent.run == turns + 1, "the last one is the failure"
    ((why, dead),) = letters(durable)
    assert (why, dead.receiver, dead.cause.hops) == (reason, agent.agent_id, turns)
    assert durable.counts()[counter] == 1
    assert check([durable.ledger()]).balanced


def test_an_agent_that_answers_its_own_failures_ends(durable, follow):
    """A message to nobody for each failure too: at the limit nothing more is sent, nor told, and the books balance."""
    agent = durable.agent(1)
    durable.turns.work = lambda _who, _given: sends(NOBODY)
    follow(agent, rare=Rare(max_hops=20))

    assert agent.run == 11
    assert [why for why, _ in letters(durable)] == ["agent_not_found"] * 10
    assert durable.counts()["over_hops"] == 1
    assert check([durable.ledger()]).balanced


def test_the_file_keeps_what_a_message_follows_from(durable, follow, restart):
    """What waits when its worker ends has its cause again, and goes on from there."""
    agent, held = durable.agent(1), durable.agent(2)
    held.hold(Hold.PAUSED)
    durable.turns.work = lambda who, given: None if is_failure(given) else sends(held.agent_id)
    follow(agent, rare=Rare(max_hops=2))
    second = restart(durable)
    held = second.registry.find(held.agent_id)
    second.work()

    hops = [m.cause.hops for _, m in letters(second)]
    assert hops == [3]
    assert held.run == 2 + 1


def test_rows_of_before_are_read(durable_message):
    """A message that waits in a row without a cause, as rows once were, is read, and follows from nothing."""
    parts = msgspec.to_builtins(durable_message(5, 6, rare=Rare(language="x")), builtin_types=(bytes,))
    parts[12] = parts[12][:10]
    (waiting,) = decode_waiting(msgspec.msgpack.encode([[parts[:13], 1, 2, 0, 0]]))
    assert (waiting.message.rare.language, waiting.message.cause) == ("x", None)


def test_what_is_requeued_begins_anew(durable, follow, ask):
    """A dead letter that is sent again is a root of its own: somebody wants it to go on."""
    agent = durable.agent(1)
    durable.turns.work = lambda who, given: None if is_failure(given) else sends(who.agent_id)
    follow(agent, rare=Rare(max_hops=3))
    calls = DeadLetterCalls(durable.parts, durable.worker._passes, CallLine())
    ask(durable, calls.answer(RequeueDeadLetters(ALL), lambda: None))
    durable.work()

    ((_, dead),) = letters(durable)
    assert (dead.cause.hops, agent.run) == (4, 2 * (1 + 3 + 1))


def test_an_agent_of_another_shard_is_told(durable, make_far, converse, durable_message):
    """What came from another shard and finds nobody here fails one hop further, to where it came from."""
    worker = make_far(OTHER, durable, OTHERS_FILE)
    worker.send(durable_message(5 << 10 | 1, NOBODY, cause=Cause(7, b"r" * 16, "user")))
    converse(durable, worker)

    assert [(m.flags, m.cause) for m in worker.got] == [(AUTOMATIC | DURABLE, Cause(8, b"r" * 16, "user"))]


def test_a_client_cannot_name_a_cause(durable, client, follow):
    """A durable message of a client that has one is refused."""
    agent = durable.agent(1)
    follow(agent, cause=Cause(0, b"r" * 16, "somebody"))
    assert (client.refused, agent.run) == ({1: "InvalidMessageFormat"}, 0)


def test_who_would_wait_for_itself_is_told(durable, client, converse, durable_message, ask):
    """A durable request that an agent's only handler makes of the agent is refused; an agent's is a dead letter."""
    agent, guest = durable.agent(1, encoding=Encoding.ATTACHED), durable.agent(2)
    agent.hold(Hold.ATTACHED)
    durable.worker._attached.attach(client.number, agent)
    client.send(durable_message(client.number, agent.agent_id))
    converse(durable, client)
    asked = Exchange(agent.agent_id, [], 9, 0, wants_seals=True)
    (given,) = ask(durable, durable.worker._attached.exchange(client.number, asked)).deliveries
    cause = while_handled(given.message)
    cause = msgspec.structs.replace(cause, waiters=Waiters(cause.waiters.deliveries, given.seal))
    output = msgspec.msgpack.encode({"messages": [{"receiver": agent.agent_id, "reply_with": bytes(16)}]})
    durable.turns.work = lambda _who, given: None if is_failure(given) else output

    for receiver in (agent, guest):
        request = durable_message(client.number, receiver.agent_id, cause=cause)
        request.reply_with = request.message_id
        client.send(request)
    converse(durable, client)
    assert client.refused == {2: "Deadlock"}
    ((reason, dead),) = letters(durable)
    assert (reason, dead.sender, dead.cause.hops) == ("deadlock", guest.agent_id, 2)
    calls = DeadLetterCalls(durable.parts, durable.worker._passes, CallLine())
    ask(durable, calls.answer(RequeueDeadLetters(ALL), lambda: None))
    durable.work()
    assert letters(durable) == []  # whoever requeues it does not wait for it: it waits for its turn
    assert agent.mailbox.depth == 2


def test_a_gateway_s_claim_keeps_its_root(durable, make_far, converse, durable_message):
    """A durable message that a session of a principal claims a cause for is done for that principal, and is no root."""
    durable.principals[durable.sessions[0]] = "alice"
    gateway, agent = make_far(durable.sessions[0], durable), durable.agent(1)
    agent.hold(Hold.PAUSED)
    cause = Cause(1, b"r" * 16, "bob", waiters=Waiters())
    seal = durable.marks.seal(gateway.number, cause)
    cause = msgspec.structs.replace(cause, waiters=Waiters((), seal))
    gateway.send(durable_message(gateway.number, agent.agent_id, cause=cause))
    converse(durable, gateway)
    assert (gateway.refused, [entry[0].cause for entry in agent.mailbox.normal.roots]) == (
        {},
        [Cause(1, b"r" * 16, "alice")],
    )


def test_what_a_handler_sends_follows_from_what_it_was_given(durable, client, converse, durable_message, ask):
    """An attached agent's messages are one hop further than the delivery, whatever its client says of them."""
    agent, held = durable.agent(1, encoding=Encoding.ATTACHED), durable.agent(2)
    agent.hold(Hold.ATTACHED)
    durable.worker._attached.attach(client.number, agent)
    client.send(durable_message(client.number, agent.agent_id))
    converse(durable, client)

    def exchange(*ended):
        return ask(durable, durable.worker._attached.exchange(client.number, Exchange(agent.agent_id, [*ended], 9, 0)))

    (given,) = exchange().deliveries
    said = durable_message(0, held.agent_id, cause=Cause(0, b"x" * 16, "somebody"))
    answer = durable_message(0, client.number, cause=Cause(0, b"x" * 16, "somebody"))
    exchange(Ended(given.delivery, [said, answer]))
    converse(durable, client)

    assert said.cause == Cause(1, given.message.message_id)
    assert [m.cause for m in client.got] == [None]


def test_what_a_gateway_sends_is_its_principal_s(durable, make_far, converse, durable_message, restart, ask):
    """A durable message is stamped where it enters, waits under its principal, and so does what follows and dies."""
    durable.principals[durable.sessions[0]] = "alice"
    gateway = make_far(durable.sessions[0], durable)
    agent = durable.agent(1)
    agent.hold(Hold.PAUSED)
    durable.turns.work = lambda who, given: None if is_failure(given) else sends(NOBODY)
    gateway.send(durable_message(gateway.number, agent.agent_id))
    gateway.send(durable_message(gateway.number, agent.agent_id, cause=Cause(0, bytes(16), "bob")))
    converse(durable, gateway)
    root = gateway.messages[0].message_id
    assert gateway.refused == {2: "InvalidMessageFormat"}

    second = restart(durable)
    second.work()
    assert [m.cause for _, m in letters(second)] == [Cause(1, root, "alice")]
    calls = DeadLetterCalls(second.parts, second.worker._passes, CallLine())
    ask(second, calls.answer(RequeueDeadLetters(ALL), lambda: None))
    second.work()
    ((_, dead),) = letters(second)
    assert dead.cause == Cause(0, dead.message_id, "alice")

import msgspec
import pytest

from caxton.acl.envelope import Rare
from caxton.agents.lifecycle import AgentState
from caxton.store.ledger import check
from caxton.wire.calls import DeadLetterFilter
from workers.agents.registry import Hold
from workers.sandbox.traps import Trap, TrapReason

OTHER, OTHERS_FILE = 8, 5_000


@pytest.fixture
def client(durable, make_far):
    return make_far(durable.sessions[0], durable)


def content_of(given):
    return msgspec.msgpack.decode(given)["content"]


def test_what_was_not_committed_leaves_no_trace(durable, client, converse, restart, durable_message):
    """A worker that dies before its commit has acknowledged nothing: all is sent again, and marked so."""
    agent = durable.agent(1)
    client.send(*(durable_message(client.number, agent.agent_id) for _ in range(3)))
    client.push()
    durable.step()
    assert len(durable.turns.ran) == 3
    heir = restart(durable, client)
    converse(heir, client)

    assert (client.acknowledged, heir.ledger().counts["processed"]) == (3, 3)
    assert all(msgspec.msgpack.decode(given)["delivery_count"] == 2 for _, given in durable.turns.ran[3:])


def test_what_was_committed_is_not_done_again(durable, client, converse, restart, durable_message):
    """A worker that dies after its commit, before it told anybody: what comes again is dropped, answers go once."""
    agent = durable.agent(1)
    emitted = b"\x81\xa8messages\x91\x81\xa8receiver\xcf" + client.number.to_bytes(8)
    durable.turns.work = lambda *_: emitted
    client.send(*(durable_message(client.number, agent.agent_id) for _ in range(3)))
    client.push()
    durable.step()
    closed = durable.durable.journal.close(durable.durable.outboxes.of)
    durable.runner.run(durable.store.commit(closed.commit))
    heir = restart(durable, client)
    converse(heir, client)

    assert (client.acknowledged, len(client.got), len(durable.turns.ran)) == (3, 3, 3)
    assert client.resent == [True] * 3
    assert check([heir.ledger()]).balanced


def test_a_dead_letter_is_in_the_commit_that_ends_its_message(durable, client, restart, durable_message):
    """A worker that dies right after the commit that counts a message as dead has left its dead letter in the file."""
    agent = durable.agent(1)

    def work(_agent, _given):
        raise Trap(TrapReason.UNREACHABLE, "x")

    durable.turns.work = work
    client.send(durable_message(client.number, agent.agent_id, content=b"bad", rare=Rare(max_retries=0)))
    client.push()
    durable.step()
    closed = durable.durable.journal.close(durable.durable.outboxes.of)
    durable.runner.run(durable.store.commit(closed.commit))
    heir = restart(durable, client)
    rows, _ = heir.runner.run(heir.store.letters_with_messages(DeadLetterFilter(), 10))

    assert heir.ledger().counts["dead"] == 1
    assert [msgspec.msgpack.decode(row.message)[4] for row in rows] == [b"bad"]
    assert check([heir.ledger()]).balanced


def test_what_waits_waits_in_its_order(durable, client, converse, restart, durable_message):
    """Messages that wait, also for a retry, are handled by the successor in the order in which they came."""
    agent = durable.agent(1)
    traps = [1]

    def work(_agent, given):
        if traps:
            traps.pop()
            raise Trap(TrapReason.UNREACHABLE, "x")

    durable.turns.work = work
    client.send(*(durable_message(client.number, agent.agent_id, content=bytes([n])) for n in range(5)))
    converse(durable, client)
    assert durable.ledger().pending == 5
    heir = restart(durable, client)
    assert heir.registry.find(agent.agent_id).mailbox.depth == 5
    while heir.ledger().pending:
        heir.durable.retries._due[:] = [(0, *rest) for _, *rest in heir.durable.retries._due]
        heir.worker._tick()
        converse(heir, client)

    assert [content_of(given)[0] for _, given in durable.turns.ran] == [0, 0, 1, 2, 3, 4]
    assert msgspec.msgpack.decode(durable.turns.ran[1][1])["delivery_count"] == 3, "tried once, and perhaps once more"


@pytest.mark.parametrize("moved_s", [-3_600, 3_600])
def test_a_moved_wall_clock_expires_nothing(durable, client, converse, restart, clocks, durable_message, moved_s):
    """A wall clock that jumps an hour either way between two lives makes nothing expire, nor wait for an hour."""
    agent = durable.agent(1)
    agent.hold(Hold.PAUSED)
    client.send(durable_message(client.number, agent.agent_id))
    converse(durable, client)
    clocks.wall_ms += moved_s * 1_000
    heir = restart(durable, client)
    converse(heir, client)

    assert (len(durable.turns.ran), heir.ledger().dead_letters) == (1, 0)


def test_state_goes_to_the_next_instance(durable, client, converse, restart, durable_message):
    """What a turn returned as state is there after a restart if, and only if, its message counts as processed."""
    agent = durable.agent(1)

    def work(who, _given):
        return msgspec.msgpack.encode({"state": (int.from_bytes(who.saved) + 1).to_bytes(8)})

    durable.turns.work = work
    client.send(durable_message(client.number, agent.agent_id))
    converse(durable, client)
    client.send(durable_message(client.number, agent.agent_id))
    client.push()
    durable.step()
    heir = restart(durable, client)
    assert int.from_bytes(heir.registry.find(agent.agent_id).saved) == 1
    converse(heir, client)

    assert int.from_bytes(heir.registry.find(agent.agent_id).saved) == heir.ledger().counts["processed"] == 2


def test_what_was_for_an_agent_that_is_gone_is_dead(durable, client, converse, restart, durable_message):
    """Messages whose agent is no longer in the file are dead letters, and their senders are told."""
    agent = durable.agent(1)
    agent.hold(Hold.PAUSED)
    client.send(durable_message(client.number, agent.agent_id))
    converse(durable, client)
    durable.runner.run(durable.stored.remove([agent.agent_id]))
    heir = restart(durable, client)
    converse(heir, client)

    assert (heir.ledger().pending, heir.ledger().dead_letters, len(client.got)) == (0, 1, 1)


def test_what_was_for_a_client_that_is_gone_is_dead(durable, client, converse, restart, durable_message):
    """What a client had not acknowledged when it ended beside its worker is a dead letter, and it is forgotten."""
    agent = durable.agent(1)
    durable.routes.send([durable_message(agent.agent_id, client.number) for _ in range(3)], (0, 0))
    durable.work()
    durable.gone.add(client.number)
    heir = restart(durable)

    ledger = heir.ledger()
    assert (ledger.dead_letters, ledger.outbox, ledger.taken, ledger.counts["dead_outbox"]) == (3, {}, {}, 3)
    assert check([ledger]).balanced


def test_refusals_outlive_the_worker(durable, client, converse, restart, durable_message):
    """A refusal whose word was lost with the worker is told by the successor, and never becomes an acknowledgement."""
    client.send(durable_message(client.number, 9 << 10))
    client.push()
    durable.step()
    durable.commit()
    heir = restart(durable, client)
    converse(heir, client)

    assert (client.acknowledged, client.refused) == (1, {1: "AgentNotFound"})
    assert (heir.ledger().counts["refused"], heir.ledger().counts.get("processed", 0)) == (1, 0)


def test_keys_outlive_the_worker(durable, client, converse, restart, durable_message):
    """A key that was used before a restart is known after it: one delivery, and the same answer."""
    agent = durable.agent(1)

    def work(_agent, given):
        asked = msgspec.msgpack.decode(given)
        answer = {"receiver": asked["sender"], "in_reply_to": asked["reply_with"], "content": b"once"}
        return msgspec.msgpack.encode({"messages": [answer]})

    durable.turns.work = work
    rare = Rare(idempotency_key="k")
    client.send(durable_message(client.number, agent.agent_id, rare=rare, reply_with=b"1" * 16))
    converse(durable, client)
    heir = restart(durable, client)
    client.send(durable_message(client.number, agent.agent_id, rare=rare, reply_with=b"2" * 16))
    converse(heir, client)

    assert len(durable.turns.ran) == 1
    assert [(m.in_reply_to, m.content) for m in client.got] == [(b"1" * 16, b"once"), (b"2" * 16, b"once")]


def test_paused_agents_stay_paused(durable, client, converse, restart, durable_message):
    """An agent that was paused runs no turn after a restart either, and takes messages."""
    agent = durable.agent(1)
    durable.runner.run(durable.lifecycle.pause(agent.agent_id))
    client.send(durable_message(client.number, agent.agent_id))
    converse(durable, client)
    heir = restart(durable, client)
    converse(heir, client)

    assert heir.registry.find(agent.agent_id).state is AgentState.PAUSED
    assert (durable.turns.ran, heir.ledger().pending) == ([], 1)


def test_numbers_are_never_used_twice(durable, client, converse, restart, durable_message):
    """Dead letters, rows and frames of all lives have numbers of their own."""
    numbers = []
    shard = durable
    for life in range(3):
        client.send(*(durable_message(client.number, 9 << 10) for _ in range(2)))
        agent = shard.agent(20 + life)
        shard.routes.send([durable_message(agent.agent_id, 9 << 10)], (0, 0))
        converse(shard, client)
        rows, _ = shard.runner.run(shard.store.letters_with_messages(DeadLetterFilter(), 100))
        numbers = [row.number for row in rows]
        shard = restart(shard, client)

    assert len(set(numbers)) == 3

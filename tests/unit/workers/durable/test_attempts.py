import msgspec
import pytest

from caxton.acl.envelope import AUTOMATIC, DURABLE, Rare
from caxton.acl.failure import read_report
from caxton.agents.manifest import Encoding
from caxton.config.delivery import DeliverySettings
from caxton.store.ledger import check
from caxton.wire.calls import DeadLetterFilter
from workers.agents.registry import Hold
from workers.sandbox.traps import GuestError, Trap, TrapReason

DELIVERY = DeliverySettings(breaker_threshold=3, breaker_timeout_s=5.0)


@pytest.fixture
def failing(make_shard, make_far, clocks):
    """A shard with a client, whose guests trap while `traps` is above zero, and tell what they handled."""
    shard = make_shard(durable=True, shards=2, delivery=DeliverySettings(breaker_threshold=100, retry_factor=1.1))
    shard.client = make_far(shard.sessions[0], shard)
    shard.traps, shard.handled, shard.clocks = 0, [], clocks

    def work(_agent, given):
        content = msgspec.msgpack.decode(given)["content"]
        if shard.traps and content == b"bad":
            shard.traps -= 1
            raise Trap(TrapReason.UNREACHABLE, "x")
        shard.handled.append(content)

    shard.turns.work = work
    return shard


def letters(shard):
    return shard.runner.run(shard.store.letters_with_messages(DeadLetterFilter(), 100))[0]


def wait(shard, seconds, converse):
    shard.clocks.wait(seconds)
    shard.worker._tick()
    converse(shard, shard.client)


def test_a_message_that_fails_is_tried_again_and_only_its_pair_waits(failing, converse, durable_message):
    """After a trap the message is tried again later; those of its pair wait behind it, in order, and others do not."""
    shard, client = failing, failing.client
    agent, other = shard.agent(1), shard.agent(2)
    shard.traps = 1
    client.send(durable_message(client.number, agent.agent_id, content=b"bad"))
    client.send(*(durable_message(client.number, agent.agent_id, content=bytes([n])) for n in (1, 2)))
    client.send(durable_message(client.number, other.agent_id, content=b"other"))
    converse(shard, client)
    assert (shard.handled, client.acknowledged, shard.ledger().pending) == ([b"other"], 4, 3)

    wait(shard, 2, converse)
    assert shard.handled == [b"other", b"bad", b"\x01", b"\x02"]
    assert shard.ledger().pending == 0


@pytest.mark.parametrize("wrong", [{"receiver": 0}, {"receiver": 5, "performative": "shout"}])
def test_a_turn_with_a_wrong_message_has_no_effect(failing, converse, durable_message, wrong):
    """When one message of a turn is wrong neither the others nor its state are kept, and the turn counts as failed."""
    shard, client = failing, failing.client
    agent = shard.agent(1)
    right = {"receiver": client.number, "content": b"right"}
    shard.turns.work = lambda *_: msgspec.msgpack.encode({"messages": [right, wrong], "state": b"half"})
    client.send(durable_message(client.number, agent.agent_id))
    converse(shard, client)

    assert (client.got, agent.saved, shard.ledger().pending) == ([], b"", 1)
    assert (shard.ledger().counts["retries"], shard.ledger().counts.get("processed", 0)) == (1, 0)


def test_a_message_that_always_traps_is_poison(failing, converse, durable_message):
    """A message that fails every time is a dead letter after its attempts, its sender told, and the pair goes on."""
    shard, client = failing, failing.client
    agent = shard.agent(1)
    shard.traps = 100
    client.send(durable_message(client.number, agent.agent_id, content=b"bad", rare=Rare(max_retries=4)))
    client.send(durable_message(client.number, agent.agent_id, content=b"good"))
    for _ in range(40):
        wait(shard, 1, converse)
    (letter,) = letters(shard)

    assert (letter.reason, letter.attempts, 100 - shard.traps) == ("poison", 5, 5)
    assert shard.handled == [b"good"]
    assert [type(read_report(m.content)).__name__ for m in client.got] == ["WasmExecutionFailed"]
    assert client.got[0].flags == AUTOMATIC | DURABLE


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (1, 2), (3, 4), (10, 11)])
def test_it_is_tried_as_often_as_its_sender_says(failing, converse, durable_message, retries, attempts):
    """A message is tried once and again as often as asked, however long the waits are that lie between."""
    shard, client = failing, failing.client
    shard.traps = 100
    rare = Rare(max_retries=retries)
    client.send(durable_message(client.number, shard.agent(1).agent_id, content=b"bad", rare=rare, timeout_ms=1_000))
    for _ in range(40):
        wait(shard, 0.5, converse)

    assert 100 - shard.traps == attempts
    assert [letter.reason for letter in letters(shard)] == ["poison"]


def test_a_dead_letter_says_why_each_attempt_failed(failing, converse, restart, durable_message):
    """In order, also when the worker was another one meanwhile."""
    shard, client = failing, failing.client
    ends = [Trap(TrapReason.DEADLINE, "x"), Trap(TrapReason.OUT_OF_FUEL, "x"), Trap(TrapReason.UNREACHABLE, "x")]

    def work(_agent, _given):
        raise ends.pop(0)

    shard.turns.work = work
    rare = Rare(max_retries=2)
    client.send(durable_message(client.number, shard.agent(1).agent_id, rare=rare))
    converse(shard, client)
    wait(shard, 2, converse)
    heir = restart(shard, client)
    heir.clocks, heir.client = shard.clocks, client
    wait(heir, 2, converse)
    (letter,) = letters(heir)

    assert (letter.attempts, letter.retry_reasons) == (3, ("timeout", "resource_exhausted", "agent_failed"))


def test_who_waits_for_the_answer_to_a_key_is_told_of_its_failure(failing, converse, durable_message):
    """When a request with a key comes to nothing, those who asked again meanwhile hear it too; the books balance."""
    shard, client = failing, failing.client
    agent = shard.agent(1)
    shard.traps = 9
    rare = Rare(idempotency_key="k", max_retries=1)
    tokens = [bytes([number]) * 16 for number in (1, 2, 3)]
    for token in tokens:
        client.send(durable_message(client.number, agent.agent_id, content=b"bad", reply_with=token, rare=rare))
    converse(shard, client)
    for _ in range(3):
        wait(shard, 2, converse)

    assert [m.in_reply_to for m in client.got] == tokens
    assert all(m.flags & AUTOMATIC for m in client.got)
    assert check([shard.ledger()]).balanced


def test_an_agents_own_error_is_an_answer(failing, converse, durable_message):
    """A turn that ends with the agent's error code is not tried again: it is processed, and its sender gets to know."""
    shard, client = failing, failing.client

    def refuse(_agent, _given):
        raise GuestError(-3)

    shard.turns.work = refuse
    client.send(durable_message(client.number, shard.agent(1, encoding=Encoding.CONTENT).agent_id))
    converse(shard, client)

    assert (shard.ledger().counts["processed"], shard.ledger().dead_letters) == (1, 0)
    assert [type(read_report(m.content)).__name__ for m in client.got] == ["AgentError"]


def test_what_waits_too_long_expires(failing, converse, durable_message):
    """A message that is not handled within its timeout is a dead letter under its own term, and its sender is told."""
    shard, client = failing, failing.client
    agent = shard.agent(1)
    agent.hold(Hold.PAUSED)
    client.send(durable_message(client.number, agent.agent_id, timeout_ms=1_000))
    converse(shard, client)
    agent.release(Hold.PAUSED)
    shard.clocks.wait(2)
    shard.dispatcher.resume(agent)
    converse(shard, client)

    assert ([row.reason for row in letters(shard)], shard.handled) == (["expired"], [])
    assert shard.ledger().counts["expired"] == 1
    assert [type(read_report(m.content)).__name__ for m in client.got] == ["MessageExpired"]


def test_who_is_resumed_is_tried_at_once(make_shard, make_far, converse, durable_message):
    """An operator's word goes before an open breaker, which opens again where nothing was mended."""
    shard = make_shard(durable=True, shards=2, delivery=DELIVERY)
    client, agent = make_far(shard.sessions[0], shard), shard.agent(1)
    tried, fails = [], [True]

    def work(_agent, given):
        tried.append(given)
        if fails[0]:
            raise Trap(TrapReason.UNREACHABLE, "x")

    shard.turns.work = work
    none = Rare(max_retries=0)
    shard.runner.run(shard.lifecycle.pause(agent.agent_id))
    client.send(*(durable_message(client.number, agent.agent_id, rare=none) for _ in range(12)))
    converse(shard, client)
    shard.runner.run(shard.lifecycle.resume(agent.agent_id))
    converse(shard, client)
    assert (len(tried), agent.holds) == (3, Hold.BROKEN)
    for mended in (False, True):
        shard.runner.run(shard.lifecycle.pause(agent.agent_id))
        assert agent.holds & Hold.PAUSED
        fails[0] = not mended
        shard.runner.run(shard.lifecycle.resume(agent.agent_id))
        converse(shard, client)
        shard.tick()
        converse(shard, client)
        assert (len(tried), agent.holds) == ((12, 0) if mended else (6, Hold.BROKEN))
    assert shard.durable.attempts.broken == []
    assert shard.ledger().pending == 0


def test_a_breaker_opens_and_probes(make_shard, make_far, clocks, converse, durable_message):
    """After failures in a row an agent is left alone; then one message probes it; a success lets all through."""
    shard = make_shard(durable=True, shards=2, delivery=DELIVERY)
    client, agent = make_far(shard.sessions[0], shard), shard.agent(1)
    tried, fails = [], [True]

    def work(_agent, given):
        tried.append(given)
        if fails[0]:
            raise Trap(TrapReason.UNREACHABLE, "x")

    shard.turns.work = work
    none = Rare(max_retries=0)
    agent.hold(Hold.PAUSED)
    client.send(*(durable_message(client.number, agent.agent_id, rare=none, timeout_ms=300_000) for _ in range(10)))
    converse(shard, client)
    agent.release(Hold.PAUSED)
    shard.dispatcher.resume(agent)
    converse(shard, client)
    assert len(tried) == 3
    client.send(durable_message(client.number, agent.agent_id))
    converse(shard, client)
    assert client.refused == {11: "CircuitBreakerOpen"}

    clocks.wait(6)
    shard.worker._tick()
    converse(shard, client)
    assert len(tried) == 4
    clocks.wait(7)
    shard.worker._tick()
    converse(shard, client)
    assert len(tried) == 4, "after a failed probe it is left alone for twice as long"

    fails[0] = False
    clocks.wait(6)
    shard.worker._tick()
    converse(shard, client)
    assert len(tried) == 10
    assert shard.ledger().pending == 0
    client.send(durable_message(client.number, agent.agent_id))
    converse(shard, client)
    assert len(tried) == 11

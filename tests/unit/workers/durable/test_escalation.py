"""A message that its agent failed on for good goes to whom the agent escalates to."""

import msgspec
import pytest

from caxton.acl.envelope import AUTOMATIC, DURABLE, Rare
from caxton.acl.escalation import read_escalation
from caxton.acl.message import Message
from caxton.agents.manifest import Encoding
from caxton.ids import AgentNames
from caxton.store.ledger import check
from caxton.wire.calls import DeadLetterFilter
from workers.agents.registry import Agent, Hold
from workers.durable.suspects import MOST_DEATHS
from workers.sandbox.traps import Trap, TrapReason

NAMES = AgentNames(bytes(32))
OTHER, OTHERS_FILE = 8, 5_000
ONCE = Rare(max_retries=0)


def name_on(shard, table):
    """A name whose agent belongs to a shard of two."""
    return next(name for name in map(str, range(99)) if table.shard_of(NAMES.id_of(name)) == shard)


@pytest.fixture
def client(durable, make_far):
    return make_far(durable.sessions[0], durable)


@pytest.fixture
def above(durable):
    """A function that makes the agent that others escalate to, here, with the id of its name."""

    def make(encoding=Encoding.MSGPACK, name=None):
        name = name or name_on(0, durable.table)
        made = durable.agent(2, encoding=encoding, enter=False)
        agent = Agent(NAMES.id_of(name), msgspec.structs.replace(made.manifest, name=name))
        agent.state = made.state
        agent.release(Hold.PAUSED)
        durable.registry.add(agent)
        durable.runner.run(durable.stored.add([(agent.agent_id, agent.manifest)], 0))
        return agent

    return make


@pytest.fixture
def failing(durable):
    """A function that makes an agent whose guest always traps, and that escalates to a name."""

    def make(escalate_to):
        agent = durable.agent(1)
        agent.manifest = msgspec.structs.replace(agent.manifest, escalate_to=escalate_to)

        def work(who, _given):
            if who.manifest.escalate_to is not None:
                raise Trap(TrapReason.UNREACHABLE, "x")

        durable.turns.work = work
        return agent

    return make


def handled(shard, agent):
    """What an agent was given."""
    return [given for who, given in shard.turns.ran if who is agent]


def test_it_goes_with_the_commit_that_buries_it(durable, client, converse, above, failing, durable_message):
    """From the agent that failed, with the message and the name of its dead letter; its sender hears too."""
    agent = above()
    failed = failing(agent.manifest.name)
    sent = durable_message(client.number, failed.agent_id, content=b"bad", rare=ONCE, conversation_id=b"c" * 16)
    agent.hold(Hold.PAUSED)
    client.send(sent)
    client.push()
    durable.step()
    (letter,) = durable.durable.journal.commit.dead.values()
    (waits,) = durable.durable.journal._fresh
    told = read_escalation(Message.of(waits.message))
    assert (waits.message.receiver, waits.message.sender) == (agent.agent_id, failed.agent_id)
    assert (waits.message.flags, waits.message.conversation_id) == (AUTOMATIC | DURABLE, b"c" * 16)
    assert (told.dead_letter, told.attempts, told.retry_reasons) == (f"0-{letter.number}", 1, ("agent_failed",))
    assert (told.message.message_id.__bytes__(), told.message.content) == (sent.message_id, b"bad")
    agent.release(Hold.PAUSED)
    durable.dispatcher.resume(agent)
    converse(durable, client)

    assert b"caxton:escalation" in handled(durable, agent)[0]
    assert len(client.got) == 1
    assert durable.counts()["escalated"] == 1
    assert check([durable.ledger()]).balanced


def test_what_fails_there_too_goes_no_further(durable, client, converse, above, failing, durable_message, clocks):
    """It has no dead letter and no failure of its own, and escalates to nobody: no circle ever begins."""
    agent = above()
    failed = failing(agent.manifest.name)
    agent.manifest = msgspec.structs.replace(agent.manifest, escalate_to=failed.manifest.name)
    client.send(durable_message(client.number, failed.agent_id, content=b"bad", rare=ONCE))
    converse(durable, client)
    for _ in range(9):
        clocks.wait(10)
        durable.worker._tick()
        converse(durable, client)

    assert (durable.counts()["escalated"], durable.ledger().dead_letters, durable.ledger().pending) == (1, 1, 0)
    assert len(handled(durable, agent)) == 4, "it is tried as often as any message"
    assert check([durable.ledger()]).balanced


@pytest.mark.parametrize("encoding", [Encoding.CONTENT, Encoding.ATTACHED])
def test_it_waits_for_who_is_away_and_goes_to_who_reads_contents(
    durable, client, converse, above, failing, durable_message, encoding
):
    """Unlike a failure, which would be dropped there: somebody named this agent for it."""
    agent = above(encoding)
    if encoding is Encoding.ATTACHED:
        agent.hold(Hold.ATTACHED)
    client.send(durable_message(client.number, failing(agent.manifest.name).agent_id, rare=ONCE))
    converse(durable, client)

    waits = 0 if agent.mailbox is None else agent.mailbox.depth
    assert (len(handled(durable, agent)), waits) == ((1, 0) if encoding is Encoding.CONTENT else (0, 1))
    assert durable.counts()["failures_dropped"] == 0


def test_it_crosses_to_another_shard(durable, client, converse, make_far, failing, durable_message):
    """By the outbox, like every other effect."""
    worker = make_far(OTHER, durable, OTHERS_FILE)
    name = name_on(1, durable.table)
    client.send(durable_message(client.number, failing(name).agent_id, rare=ONCE))
    converse(durable, client, worker)

    (told,) = worker.got
    assert told.receiver == NAMES.id_of(name)
    assert read_escalation(Message.of(told)).agent == "a1"


def test_one_from_another_shard_is_taken(durable, client, converse, make_far, above, failing, durable_message):
    """Also by an agent that is away, and not by one that is not there: that is counted."""
    worker, agent = make_far(OTHER, durable, OTHERS_FILE), above(Encoding.ATTACHED)
    agent.hold(Hold.ATTACHED)
    client.send(durable_message(client.number, failing(name_on(1, durable.table)).agent_id, rare=ONCE))
    converse(durable, client, worker)
    (told,) = worker.got
    worker.send(*(msgspec.structs.replace(told, receiver=to) for to in (agent.agent_id, 9 << 10)))
    converse(durable, client, worker)

    assert agent.mailbox.depth == 1
    assert durable.counts()["failures_dropped"] == 1
    assert durable.ledger().dead_letters == 1


def test_nobody_of_that_name_is_counted(durable, client, converse, failing, durable_message):
    """The dead letter is there all the same."""
    client.send(durable_message(client.number, failing(name_on(0, durable.table)).agent_id, rare=ONCE))
    converse(durable, client)

    assert (durable.counts()["escalated"], durable.counts()["failures_dropped"]) == (1, 1)
    assert durable.ledger().dead_letters == 1
    assert check([durable.ledger()]).balanced


def test_what_only_waited_too_long_does_not_escalate(durable, above, failing, durable_message):
    """Only what the agent failed on does."""
    failed = failing(above().manifest.name)
    durable.durable.attempts.expire(failed, durable_message(5 << 10, failed.agent_id), None)
    durable.work()

    assert durable.ledger().dead_letters == 1
    assert durable.counts()["escalated"] == 0


def test_what_workers_died_of_escalates(durable, client, converse, restart, above, failing, durable_message):
    """By the successor that buries it."""
    agent = above()
    failed = failing(agent.manifest.name)
    manifest = failed.manifest
    failed.hold(Hold.PAUSED)
    client.send(durable_message(client.number, failed.agent_id))
    converse(durable, client)
    durable.runner.run(durable.stored.remove([failed.agent_id]))
    durable.runner.run(durable.stored.add([(failed.agent_id, manifest)], 0))
    heir = durable
    for _ in range(MOST_DEATHS):
        mailbox = heir.registry.find(failed.agent_id).mailbox
        ((*_, delivery, _),) = mailbox.lines()[0]
        heir = restart(heir, client, note=(delivery.source, delivery.sequence, failed.agent_id, 1, 0, 0, 0))
    converse(heir, client)

    letters = heir.runner.run(heir.store.letters_with_messages(DeadLetterFilter(), 9))[0]
    assert [letter.retry_reasons for letter in letters] == [("agent_unavailable",) * MOST_DEATHS]
    given = [given for who, given in durable.turns.ran if who.agent_id == agent.agent_id]
    assert len(given) == 1
    assert b"RetryLimitExceeded" in given[0]

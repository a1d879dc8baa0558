"""Durable messages for which memory has no room: on disk, read again page by page, or dead letters page by page."""

import asyncio

import msgspec
import pytest

from caxton.config.delivery import DeliverySettings
from caxton.errors import DeploymentError, StorageDamaged
from caxton.store.ledger import check
from caxton.wire.calls import DeadLetterFilter
from workers.agents.delivery import DURABLE_ROOT
from workers.agents.registry import Hold

ROOT = (0, 0)
SENDER = 5 << 10


@pytest.fixture
def little(monkeypatch):
    """A memory that keeps four effects of an agent, or two while it has no turns."""
    for name, value in {
        "queues.admission.OF_ONE_STORED": 4,
        "queues.admission.OF_ONE_AT_REST": 2,
        "durable.disk.OF_ONE_AT_REST": 2,
    }.items():
        monkeypatch.setattr(f"workers.{name}", value)


@pytest.fixture
def send(durable, durable_message):
    """A function that lets an agent of this shard send numbered messages to another one."""

    def sent(agent, numbers, sender=SENDER, shard=durable, **fields):
        messages = [durable_message(sender, agent.agent_id, content=bytes([n]), **fields) for n in numbers]
        shard.routes.send(messages, ROOT)

    return sent


def ran(shard):
    return [msgspec.msgpack.decode(given)["content"][0] for _, given in shard.turns.ran]


def letters(shard):
    rows, _ = shard.runner.run(shard.store.letters_with_messages(DeadLetterFilter(), 1_000))
    return [(row.reason, msgspec.msgpack.decode(row.message)[4][0]) for row in rows]


def go_on(shard, agent):
    agent.release(Hold.PAUSED)
    shard.dispatcher.resume(agent)
    shard.work()


@pytest.mark.usefixtures("little")
def test_what_memory_does_not_keep_waits_on_disk_in_its_order(durable, send):
    """Of an agent that has no turns memory keeps a few effects; the rest is on disk, and all are handled in order."""
    agent = durable.agent(1)
    agent.hold(Hold.PAUSED)
    for n in range(3):
        send(agent, range(n * 4, n * 4 + 4))
        durable.work()
    counts = durable.parts.gauges()
    assert (agent.mailbox.effects, agent.mailbox.away, agent.mailbox.depth, agent.busy) == (2, 10, 12, True)
    assert (counts["on_disk"], counts["pending"], durable.ledger().pending) == (10, 12, 12)

    go_on(durable, agent)
    assert ran(durable) == list(range(12))
    assert (agent.mailbox.depth, agent.mailbox.away, durable.parts.gauges()["on_disk"]) == (0, 0, 0)
    assert (durable.durable.disk.weight, durable.durable.journal.rows, durable.durable.disk._of) == (0, {}, {})
    assert check([durable.ledger()]).balanced


@pytest.mark.usefixtures("little")
def test_nothing_overtakes_what_waits_on_disk(durable, send):
    """An agent that is idle, and has something on disk, is given nothing new before that."""
    agent = durable.agent(1)
    agent.hold(Hold.PAUSED)
    send(agent, range(6))
    durable.work()
    agent.release(Hold.PAUSED)
    durable.dispatcher.resume(agent)
    durable.settle()
    assert ran(durable) == [0, 1]
    send(agent, [6])
    durable.settle()
    assert ran(durable) == [0, 1]

    durable.work()
    assert ran(durable) == list(range(7))


@pytest.mark.usefixtures("little")
def test_an_urgent_message_comes_from_disk_before_others(durable, send):
    """What is urgent is read as soon as it is in the file, whatever of lower levels waits in memory."""
    agent = durable.agent(1)
    send(agent, range(9))
    send(agent, [99], level=9)
    agent.hold(Hold.PAUSED)
    durable.commit()
    agent.release(Hold.PAUSED)
    assert durable.page()
    durable.dispatcher.resume(agent)
    durable.work()

    assert ran(durable)[0] == 99
    assert sorted(ran(durable)) == [*range(9), 99]


@pytest.mark.usefixtures("little")
def test_what_is_not_committed_is_not_read(durable, send):
    """What waits for a commit that is under way, or finds no room on the disk, is read when it is in the file."""
    agent = durable.agent(1)
    send(agent, range(9))
    durable.settle()
    closed = durable.durable.journal.close(durable.durable.outboxes.of)
    assert not durable.page()
    durable.runner.run(durable.store.commit(closed.commit))
    durable.durable.journal.stored(closed.commit.next_number)
    assert durable.page()
    durable.work()
    assert ran(durable) == list(range(9))


@pytest.mark.usefixtures("little")
def test_a_successor_reads_no_more_than_memory_keeps(durable, send, restart):
    """Recovery leaves in the file what memory has no room for; it is handled in its order, as tried before perhaps."""
    agent = durable.agent(1)
    send(agent, range(20))
    send(agent, range(20, 30), sender=1 << 63)
    agent.hold(Hold.PAUSED)
    durable.commit()
    heir = restart(durable)
    agent = heir.registry.find(agent.agent_id)
    assert (agent.mailbox.effects, agent.mailbox.away, agent.mailbox.depth) == (2, 18, 30)
    assert heir.durable.disk.messages == 26

    heir.work()
    effects, roots = list(range(20)), list(range(20, 30))
    assert [n for n in ran(heir) if n < 20] == effects
    assert [n for n in ran(heir) if n >= 20] == roots
    assert {msgspec.msgpack.decode(given)["delivery_count"] for _, given in heir.turns.ran} == {2}
    assert check([heir.ledger()]).balanced


@pytest.mark.usefixtures("little")
def test_what_waits_on_disk_was_not_tried_before(durable, send):
    """A message that came back from disk in the life that put it there has its first try."""
    agent = durable.agent(1)
    send(agent, range(9))
    durable.work()
    assert not any("delivery_count" in msgspec.msgpack.decode(given) for _, given in durable.turns.ran)


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize("removed", [False, True])
def test_a_large_backlog_of_who_ends_becomes_dead_letters_page_by_page(durable, send, monkeypatch, removed):
    """Whoever stops or removes an agent is answered before all that waited for it is among the dead letters."""
    monkeypatch.setattr("workers.operations.lifecycle.MOST_AT_ONCE", 1)
    monkeypatch.setattr("workers.durable.disk.OF_READ", 16)
    agent, other = durable.agent(1), durable.agent(2)
    for one in (agent, other):
        one.hold(Hold.PAUSED)
        send(one, range(40))
    durable.work()
    send(agent, [40])
    durable.runner.run(
        durable.lifecycle.remove([agent.agent_id]) if removed else durable.lifecycle.stop(agent.agent_id)
    )
    assert durable.durable.disk.is_ending(agent.agent_id)
    durable.commit()
    assert len(letters(durable)) == 0
    durable.page()
    durable.commit()
    assert 0 < len(letters(durable)) < 41

    durable.work()
    reason = "agent_removed" if removed else "agent_stopped"
    assert sorted(letters(durable)) == [(reason, n) for n in range(41)]
    assert not durable.durable.disk.is_ending(agent.agent_id)
    go_on(durable, other)
    assert ran(durable) == list(range(40))
    assert check([durable.ledger()]).balanced


@pytest.mark.usefixtures("little")
def test_a_name_is_free_again_when_its_backlog_is_gone(durable, send, monkeypatch):
    """Nobody is deployed under the name of an agent that was removed while its messages are becoming dead letters."""
    monkeypatch.setattr("workers.operations.lifecycle.MOST_AT_ONCE", 1)
    agent = durable.agent(1)
    manifest, agent_id = agent.manifest, agent.agent_id
    monkeypatch.setattr(durable.lifecycle, "_names", type("Names", (), {"id_of": lambda *_: agent_id})())
    agent.hold(Hold.PAUSED)
    send(agent, range(20))
    durable.work()
    durable.runner.run(durable.lifecycle.remove([agent_id]))
    with pytest.raises(DeploymentError, match="try again soon"):
        durable.lifecycle._check(agent_id, manifest)

    durable.work()
    durable.lifecycle._checked.add((manifest.module, manifest.limits.max_memory_bytes))
    durable.lifecycle._check(agent_id, manifest)
    assert len(letters(durable)) == 20


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize("removed", [False, True])
def test_a_successor_goes_on_ending_a_backlog(durable, send, restart, monkeypatch, removed):
    """A worker that dies while a backlog becomes dead letters leaves the rest to its successor."""
    monkeypatch.setattr("workers.operations.lifecycle.MOST_AT_ONCE", 1)
    agent = durable.agent(1)
    agent.hold(Hold.PAUSED)
    send(agent, range(20))
    durable.work()
    durable.runner.run(
        durable.lifecycle.remove([agent.agent_id]) if removed else durable.lifecycle.stop(agent.agent_id)
    )
    heir = restart(durable)
    heir.work()

    reason = "agent_not_found" if removed else "agent_stopped"
    assert sorted(letters(heir)) == [(reason, n) for n in range(20)]
    assert check([heir.ledger()]).balanced


@pytest.mark.usefixtures("little")
def test_the_disk_of_a_shard_is_bounded(make_shard, send, monkeypatch):
    """Beyond what a shard keeps on disk, a durable effect is a dead letter, and counted; memory keeps what it can."""
    monkeypatch.setattr("workers.composition.OF_MIB", 3)
    durable = make_shard(durable=True, delivery=DeliverySettings(effects_on_disk_mib=2))
    agents = [durable.agent(n) for n in (1, 2, 3)]
    for agent in agents:
        agent.hold(Hold.PAUSED)
        send(agent, range(5), shard=durable)
        durable.work()

    assert letters(durable) == [("queue_full", n) for n in (2, 3, 4)]
    assert durable.counts()["full_shard"] == 3
    assert [agent.mailbox.depth for agent in agents] == [5, 5, 2]
    assert durable.durable.disk.messages == 6


@pytest.mark.usefixtures("little")
def test_who_has_as_much_on_disk_as_may_is_told_while_that_is_so(make_shard, send, monkeypatch):
    """Agents for whom effects were refused are known until less waits for them; so many may wait as settings say."""
    monkeypatch.setattr("workers.composition.OF_MIB", 3)
    durable = make_shard(durable=True, delivery=DeliverySettings(effects_on_disk_mib=9, receiver_on_disk_mib=1))
    disk, agents = durable.durable.disk, [durable.agent(n) for n in (1, 2)]
    for agent in agents:
        agent.hold(Hold.PAUSED)
    send(agents[0], range(5), shard=durable)
    assert disk.full == []
    send(agents[0], [5], shard=durable)
    send(agents[1], range(9), shard=durable)
    durable.work()
    assert (disk.full, disk.most) == ([agent.agent_id for agent in agents], 27)

    go_on(durable, agents[0])
    assert disk.full == [agents[1].agent_id]
    durable.runner.run(durable.lifecycle.remove([agents[1].agent_id]))
    assert (disk.full, disk.refused_for) == ([], set())


@pytest.mark.usefixtures("little")
def test_what_one_commit_is_to_write_is_bounded(durable, send, monkeypatch):
    """While a commit does not end, memory gathers so much for the disk and no more."""
    monkeypatch.setattr("workers.durable.disk.MOST_TO_DISK", 3)
    agent = durable.agent(1)
    agent.hold(Hold.PAUSED)
    send(agent, range(6))
    assert (durable.durable.journal.to_disk, durable.counts().get("on_disk")) == (3, 0)
    durable.work()
    assert letters(durable) == [("queue_full", 5)]
    assert durable.durable.journal.to_disk == 0


@pytest.mark.usefixtures("little")
def test_what_waits_on_disk_expires(durable, send, clocks):
    """What waits on disk for a program that is busy is read when what is before it has expired, and expires."""
    agent = durable.agent(1)
    agent.hold(Hold.ATTACHED)
    durable.worker._attached.attach(durable.sessions[1], agent)
    send(agent, range(9), timeout_ms=1_000)
    durable.work()
    clocks.wait(2)
    for _ in range(90):
        durable.tick()
        durable.work()
    assert sorted(letters(durable)) == [("expired", n) for n in range(9)]
    assert (agent.mailbox.depth, durable.durable.disk.messages) == (0, 0)


@pytest.mark.usefixtures("little")
def test_what_waits_behind_a_retry_does_not_fill_memory(durable, send, monkeypatch):
    """While a message waits for its retry, no more of its pair is read than memory keeps."""
    monkeypatch.setattr("workers.durable.disk.QUANTUM", 1)
    agent = durable.agent(1)

    def fail(_agent, _given):
        raise RuntimeError("as planned")

    durable.turns.work = fail
    send(agent, range(30))
    durable.work()
    assert agent.set_aside_weight <= 6
    assert agent.mailbox.depth == 30


@pytest.mark.usefixtures("little")
def test_who_has_turns_is_read_for_though_memory_is_full(durable, send, monkeypatch):
    """Though effects of agents that have no turns fill memory, those of others come from disk, a few at a time."""
    monkeypatch.setattr("workers.durable.disk.FROM_DISK", 0)
    monkeypatch.setattr("workers.queues.admission.TO_DISK", 0)
    agent = durable.agent(1)
    send(agent, range(40))
    durable.work()
    assert ran(durable) == list(range(40))


def test_a_row_that_is_gone_is_damage(durable):
    """A place that the file does not have ends the worker as a damaged file does, and nothing is made up for it."""
    with pytest.raises(StorageDamaged, match="unfinished row 77 is gone"):
        durable.runner.run(durable.store.waiting([(77, 0)], 1))


@pytest.mark.usefixtures("little")
def test_reading_is_asked_for_by_passes(durable, send):
    """A pass asks for what memory has room for, and what was read asks for a pass."""
    agent = durable.agent(1)
    send(agent, range(9))
    durable.settle()
    durable.commit()
    paging = durable.worker._passes.paging

    async def once():
        reading = asyncio.get_running_loop().create_task(paging.run())
        while not durable.soon:
            await asyncio.wait({reading}, timeout=0.01)
        reading.cancel()

    durable.soon.clear()
    durable.worker._woken = False
    durable.step()
    durable.soon.clear()
    durable.worker._woken = False
    durable.runner.run(once())
    durable.work()
    assert ran(durable) == list(range(9))


def test_a_successor_takes_no_more_in_all(durable, send, restart, monkeypatch):
    """However many agents there are, recovery takes so much into memory and leaves the rest in the file."""
    monkeypatch.setattr("workers.durable.disk.FROM_DISK", 5)
    agents = [durable.agent(n) for n in range(1, 5)]
    for agent in agents:
        agent.hold(Hold.PAUSED)
        send(agent, range(3))
    durable.commit()
    heir = restart(durable)
    assert (heir.dispatcher.queued, heir.durable.disk.messages) == (5, 7)

    heir.work()
    assert sorted(ran(heir)) == sorted([*range(3)] * 4)


@pytest.mark.usefixtures("little")
def test_effects_on_disk_take_no_room_of_clients(durable, send, make_far, converse, durable_message):
    """A client may fill a mailbox to its capacity, whatever waits on disk for its agent."""
    agent = durable.agent(1, capacity=3)
    agent.hold(Hold.PAUSED)
    send(agent, range(10))
    durable.work()
    client = make_far(durable.sessions[0], durable)
    client.send(*(durable_message(client.number, agent.agent_id) for _ in range(4)))
    converse(durable, client)
    assert (client.acknowledged, sorted(client.refused.items())) == (4, [(4, "QueueFull")])


def test_the_highest_level_is_read_first(durable, send, monkeypatch):
    """Where a read has room for one message of many that wait on disk, it is the most urgent one."""
    monkeypatch.setattr("workers.queues.admission.TO_DISK", 0)
    monkeypatch.setattr("workers.durable.disk.OF_READ", 1)
    agent = durable.agent(1)
    agent.hold(Hold.PAUSED)
    send(agent, range(3))
    send(agent, [99], level=9)
    durable.settle()
    durable.commit()
    assert durable.page()
    assert [entry[0].content for line in agent.mailbox.lines() for entry in line] == [bytes([99])]

    go_on(durable, agent)
    assert ran(durable) == [99, 0, 1, 2]


def test_poison_that_waited_on_disk_is_a_dead_letter(durable, send, monkeypatch):
    """A message that three workers died of has no turn when it is read from disk."""
    monkeypatch.setattr("workers.queues.admission.TO_DISK", 0)
    agent = durable.agent(1)
    agent.hold(Hold.PAUSED)
    send(agent, range(3))
    durable.settle()
    durable.commit()
    ((place, *_),) = [line.first(9, 1 << 62) for own in durable.durable.disk._turns for line in own.lines.values()]
    durable.durable.suspects.charges[durable.store.file_id, place | DURABLE_ROOT] = 3
    go_on(durable, agent)

    assert ran(durable) == [1, 2]
    assert letters(durable) == [("poison", 0)]
    assert durable.durable.suspects.charges == {}

"""How full everything is that a shard bounds."""

import logging

import pytest

from caxton.store.recovered import Letter
from caxton.wire.codec import CONTROL
from caxton.wire.condition import MOST_NEAR
from workers.agents.registry import Hold
from workers.loop import levels
from workers.loop.levels import LOOK_EVERY, Levels

SESSION = 1 << 63


@pytest.fixture
def durable(make_shard):
    return make_shard(durable=True)


def near(shard, calls=0):
    """The limits that are near on a shard, with whose they are and how full."""
    found = Levels(shard.parts, shard.worker._passes).look(calls)
    return {(one.limit, one.whose): (one.have, one.most) for one in found}


def letters(durable, count, agent=9, size=0):
    dead = durable.durable.dead_letters
    dead.restore(Letter(-1 - n, SESSION, agent, size) for n in range(len(dead), len(dead) + count))


def test_an_empty_shard_is_near_nothing(durable):
    """Where nothing is kept no limit is near."""
    assert near(durable) == {}


def test_a_shard_tells_what_is_near_and_whose_it_is(durable, monkeypatch):
    """All dead letters, and those of the agent that has the most, by its name."""
    dead = durable.durable.dead_letters
    dead.capacity, dead.share = 10, 5
    agent = durable.agent(1)
    letters(durable, 4, agent.agent_id)
    letters(durable, 4, 77)
    found = near(durable)
    assert found == {("dead_letters", ""): (8, 10), ("agent_dead_letters", "agent a1"): (4, 5)}
    monkeypatch.setattr(levels, "MOST_BYTES", 0)
    dead.evicting = True
    assert ("dead_letters", "") not in near(durable)


def test_bytes_of_an_agents_dead_letters_are_told(durable, monkeypatch):
    """Also where another agent has more letters."""
    monkeypatch.setattr(levels, "MOST_BYTES", 1_000)
    letters(durable, 2, 5, size=45)
    letters(durable, 9, 6, size=1)
    assert near(durable) == {("agent_dead_letter_bytes", f"agent {5:016x}"): (90, 100)}


def test_a_mailbox_that_fills_is_told_with_its_agent(make_shard, message):
    """What clients sent that waits for one agent, from 80 % of what its mailbox takes."""
    shard = make_shard()
    agent = shard.agent(1, capacity=10)
    agent.hold(Hold.PAUSED)
    session = shard.sessions[0]
    for count, told in ((7, {}), (1, {("mailbox", "agent a1"): (8, 10)}), (2, {("mailbox", "agent a1"): (10, 10)})):
        shard.frame(session, [message(session, agent.agent_id) for _ in range(count)])
        shard.settle()
        assert near(shard) == told


def test_what_waits_on_disk_for_one_agent_is_told(durable, durable_message, monkeypatch):
    """As long as so much waits, and with the agent's name."""
    monkeypatch.setattr("workers.queues.admission.OF_ONE_AT_REST", 2)
    disk = durable.durable.disk
    disk.of_one = 10
    agent = durable.agent(1)
    agent.hold(Hold.PAUSED)
    durable.routes.send([durable_message(5 << 10, agent.agent_id) for _ in range(9)], (0, 0))
    durable.work()
    assert (disk.weight, near(durable)) == (7, {})
    durable.routes.send([durable_message(5 << 10, agent.agent_id)], (0, 0))
    durable.work()
    assert near(durable) == {("agent_on_disk", "agent a1"): (8, 10)}
    agent.release(Hold.PAUSED)
    durable.dispatcher.resume(agent)
    durable.work()
    assert (disk.weight, near(durable), disk.most_of_one()) == (0, {}, (0, 0))


@pytest.mark.parametrize(
    ("limit", "bound", "whose"),
    [
        ("keys", "MOST_KEYS", ""),
        ("answers", "MOST_ANSWER_BYTES", ""),
        ("mailboxes", "MOST_QUEUED", ""),
        ("mailbox_bytes", "MOST_QUEUED_BYTES", ""),
        ("effects", "MOST_EFFECTS", ""),
        ("backlog", "OF_LINK", "shard 0"),
        ("unread", "MOST_UNREAD_IN_ALL", ""),
        ("calls", "MAX_CALLS", ""),
        ("watches", "MOST_WATCHES", ""),
        ("agents", "MOST_AGENTS", ""),
        ("registered_bytes", "MOST_REGISTERED_BYTES", ""),
        ("undecided", "MOST_UNDECIDED", ""),
        ("subscriptions", "MOST_SUBSCRIPTIONS", ""),
        ("offers", "MOST_OFFERS", ""),
    ],
)
def test_every_level_is_looked_at(durable, monkeypatch, limit, bound, whose):
    """Each limit of a shard is compared with its own bound: one below nothing is near whatever there is."""
    monkeypatch.setattr(levels, "OVER_BELOW", 0)
    looked = Levels(durable.parts, durable.worker._passes)
    monkeypatch.setattr(levels, bound, 12_345)
    found = [*looked._of_lane(), *looked._of_memory(3), *looked._of_agents()]
    assert [(level.limit, level.whose) for level in found if level.most == 12_345] == [(limit, whose)]


def test_a_crossing_is_logged_and_counted_once(durable, caplog):
    """One line in the log, one more in the counter, and every heartbeat tells it while it holds."""
    dead = durable.durable.dead_letters
    dead.capacity = 10
    letters(durable, 9)
    with caplog.at_level(logging.WARNING, "caxton.worker"):
        for _ in range(3 * LOOK_EVERY):
            durable.tick()
    told = CONTROL.decode(durable.supervisor.frames[-1]).condition.near
    assert [(one.limit, one.have, one.most) for one in told] == [("dead_letters", 9, 10)]
    assert caplog.messages == ["shard 0, limit near: dead_letters: 9 of 10 (90 %)"]
    assert durable.counts()["limits_near"] == 1


def test_no_more_is_told_than_so_many(make_shard, message):
    """The fullest of many: a heartbeat stays small whoever fills mailboxes."""
    shard = make_shard()
    session = shard.sessions[0]
    for number in range(1, MOST_NEAR + 3):
        agent = shard.agent(number, capacity=10)
        agent.hold(Hold.PAUSED)
        shard.frame(session, [message(session, agent.agent_id) for _ in range(8 + (number > 2))])
        shard.settle()
    found = near(shard)
    assert len(found) == MOST_NEAR
    assert set(found.values()) == {(9, 10)}

import pytest

from caxton.store.commit import KeyRow
from caxton.store.recovered import Letter
from caxton.wire.codec import CONTROL
from caxton.wire.condition import Condition, Named
from workers.agents.registry import Hold
from workers.durable.idempotency_keys import MOST_ANSWER_BYTES, MOST_KEYS
from workers.loop.calls import MAX_CALLS
from workers.loop.condition import ShardCondition
from workers.worker_pass import NS_PER_MS

SESSION = 1 << 63


@pytest.fixture
def durable(make_shard):
    return make_shard(durable=True)


@pytest.fixture
def look(durable):
    """A function that looks at a shard so many milliseconds after the first look."""
    condition = ShardCondition(durable.parts, durable.worker._committer)
    return lambda ms=0: condition.look(NS_PER_MS + ms * NS_PER_MS)


def test_a_heartbeat_tells_how_the_shard_stands(durable):
    """The dead letters, the sandboxes, and their limits are in each heartbeat of a worker."""
    durable.durable.dead_letters.restore([Letter(-1, SESSION, 9)])
    durable.tick()
    condition = CONTROL.decode(durable.supervisor.frames[-1]).condition
    assert condition == Condition(
        dead_letters=1,
        dead_letter_capacity=100_000,
        most_sandboxes=9,
        most_keys=MOST_KEYS,
        most_answers=MOST_ANSWER_BYTES,
        most_calls=MAX_CALLS,
    )


def test_keys_count_until_they_expire(durable, look):
    """Keys that are in use and the bytes of their answers are told, and no longer once their time is over."""
    wall_ms = durable.durable.journal.wall_ms
    durable.durable.keys.restore([KeyRow(1, b"k", wall_ms + 5, b"1234"), KeyRow(1, b"l", wall_ms + 9, None)])
    assert (look().keys, look().answers) == (2, 4)
    durable.durable.journal.wall_ms = wall_ms + 5
    assert (look().keys, look().answers) == (1, 0)


def test_agents_that_take_nothing_are_named(durable, look):
    """Failed, broken and crowded agents by name, and an agent that is gone by its id."""
    failed, broken = durable.agent(1), durable.agent(2)
    durable.runner.run(durable.lifecycle.fail(failed))
    broken.hold(Hold.BROKEN)
    durable.durable.attempts.broken.append(broken)
    durable.durable.dead_letters.crowded |= {failed.agent_id, 77}
    found = look()
    assert (found.failed, found.broken) == (Named(1, ["a1"]), Named(1, ["a2"]))
    assert found.crowded == Named(2, [f"{77:016x}", "a1"])

    durable.runner.run(durable.lifecycle.resume(failed.agent_id))
    durable.runner.run(durable.lifecycle.remove([broken.agent_id]))
    assert (look().failed, look().broken) == (Named(), Named())


def test_agents_that_failed_are_known_after_a_restart(durable, make_shard):
    """A failed agent stays one for the successor, and is none when it was removed."""
    for number in (1, 2):
        durable.runner.run(durable.lifecycle.fail(durable.agent(number)))
    durable.close()
    again = make_shard(durable=True, path=durable.file)
    again.recover()
    assert {agent.manifest.name for agent in again.lifecycle.failed.values()} == {"a1", "a2"}
    again.runner.run(again.lifecycle.remove([1 << 10]))
    assert {agent.manifest.name for agent in again.lifecycle.failed.values()} == {"a2"}


def test_what_waits_for_a_commit_is_told_with_its_time(durable, look):
    """It counts from the first look that saw something wait, and ends with the next commit."""
    assert (look().waiting_ms, look(500).waiting_ms) == (0, 0)
    durable.durable.journal.urgent = True
    assert [look(ms).waiting_ms for ms in (1_000, 1_400, 3_000)] == [0, 400, 2_000]
    durable.commit()
    durable.durable.journal.urgent = True
    assert [look(ms).waiting_ms for ms in (3_200, 3_300)] == [0, 100]


def test_who_has_the_turns_meanwhile_is_named(durable, look):
    """When work waits for a second, the agent with most turns since then is told, if any has any."""
    first, second = durable.agent(1), durable.agent(2)
    first.run = 1_000
    durable.durable.journal.urgent = True
    look()
    assert [look(ms).busy for ms in (1_000, 1_200)] == ["", ""]
    first.run, second.run = first.run + 1, 5
    assert look(1_400).busy == "a2"
    durable.commit()
    assert look(1_600).busy == ""


def test_a_commit_under_way_and_a_full_disk_are_told_with_their_time(durable, look):
    """Both count from the moment at which they began."""
    committer = durable.worker._committer
    committer.begun_ns = committer.refusing_ns = NS_PER_MS
    durable.durable.greetings.closed = "no room"
    found = look(700)
    assert (found.commit_ms, found.refused_ms, found.storage) == (700, 700, "no room")

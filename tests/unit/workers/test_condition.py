import pytest

from caxton.store.commit import KeyRow
from caxton.store.recovered import Letter
from caxton.wire.codec import CONTROL
from caxton.wire.condition import Condition, Named
from workers.agents.registry import Hold
from workers.commit.outboxes import MOST_UNREAD
from workers.durable.dead_letters import MOST_BYTES
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
    condition = ShardCondition(durable.parts, durable.worker._committer, durable.worker._passes)
    return lambda ms=0: condition.look(NS_PER_MS + ms * NS_PER_MS)


def test_a_heartbeat_tells_how_the_shard_stands(durable):
    """The dead letters, the sandboxes, and their limits are in each heartbeat of a worker."""
    durable.durable.dead_letters.restore([Letter(-1, SESSION, 9, 7)])
    durable.tick()
    condition = CONTROL.decode(durable.supervisor.frames[-1]).condition
    assert condition == Condition(
        dead_letters=1,
        dead_letter_capacity=100_000,
        dead_letter_bytes=7,
        most_dead_letter_bytes=MOST_BYTES,
        most_sandboxes=9,
        most_keys=MOST_KEYS,
        most_answers=MOST_ANSWER_BYTES,
        most_calls=MAX_CALLS,
        most_on_disk=1 << 20,
        most_outbox=MOST_UNREAD,
        most_states=256 << 20,
    )


def test_the_fullest_outbox_is_told(make_shard, durable_message, monkeypatch):
    """Of the outboxes for other shards the one is told that is nearest to a bound, in messages or in bytes."""
    monkeypatch.setattr("workers.commit.outboxes.MOST_BYTES", 100_000)
    monkeypatch.setattr("workers.commit.outboxes.MOST_UNREAD", 10)
    durable = make_shard(durable=True, shards=3)
    condition = ShardCondition(durable.parts, durable.worker._committer, durable.worker._passes)
    agent, told = durable.agent(1), []
    for shard, size, count in ((1, 0, 3), (2, 50_000, 1), (1, 0, 4)):
        to = 5 << 10 | durable.table.owners.index(shard)
        durable.routes.send([durable_message(agent.agent_id, to, content=bytes(size)) for _ in range(count)], (0, 0))
        durable.work()
        now = condition.look(NS_PER_MS)
        told.append((now.most_outbox, now.outbox_of, now.outbox > 50_000 or now.outbox))

    assert told == [
        (10, "messages for shard 1", 3),
        (100_000, "bytes for shard 2", True),
        (10, "messages for shard 1", 7),
    ]


def test_keys_count_until_they_expire(durable, look):
    """Keys that are in use and the bytes of their answers are told, and no longer once their time is over."""
    served = durable.durable.journal.served
    durable.durable.keys.restore(
        [KeyRow(1, b"k", served.now_ms + 5, b"1234"), KeyRow(1, b"l", served.now_ms + 90_000, None)]
    )
    assert (look().keys, look().answers) == (2, 4)
    served.now_ms += 5
    assert (look().keys, look().answers) == (1, 0)


@pytest.fixture
def waiting(durable, durable_message):
    """An agent of which a message waits for its turn."""
    agent = durable.agent(1)
    durable.routes.send([durable_message(5 << 10, agent.agent_id)], (0, 0))
    return agent


def test_a_shard_that_runs_nothing_is_seen(durable, look, waiting):
    """For how long nobody had a turn who may have one is told, until somebody has."""
    assert [look(200 * n).still_ms for n in range(6)] == [0, 200, 400, 600, 800, 1_000]
    durable.step()
    assert look(1_200).still_ms == 0
    assert waiting.run == 1
    assert look(9_000).still_ms == 0


def test_a_process_that_stood_still_says_nothing_of_its_shard(durable, look, waiting):
    """Whoever stops a process, or a machine, for an hour is not told afterwards that the shard ran nothing."""
    assert look().still_ms == 0
    assert look(3_600_000).still_ms < 1_000
    durable.step()
    assert look(3_600_200).still_ms == 0


def test_the_age_of_what_waits_is_told(durable, look, waiting):
    """For how long the oldest message has waited that may have its turn is in the heartbeat and in the book."""
    (entry,) = waiting.mailbox.normal.effects
    entry[4].since_ns = NS_PER_MS
    assert look(5_000).oldest_ms == 5_000
    assert durable.parts.gauges()["oldest_ms"] == 5_000
    waiting.hold(Hold.PAUSED)
    assert look(5_000).oldest_ms == 0
    waiting.release(Hold.PAUSED)
    durable.work()
    assert look(5_000).oldest_ms == 0


def test_a_read_that_takes_long_is_told(durable, look):
    """For how long a read of what waits on disk takes."""
    assert look().reading_ms == 0
    durable.worker._passes.paging.begun_ns = NS_PER_MS
    assert look(1_500).reading_ms == 1_500


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

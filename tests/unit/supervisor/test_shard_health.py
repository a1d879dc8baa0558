from types import SimpleNamespace

from caxton.supervisor.desk.health import health_of
from caxton.supervisor.workforce.shard import ShardState
from caxton.wire.condition import Condition, Named


def shard(heartbeat):
    return SimpleNamespace(
        number=0,
        process=None,
        state=ShardState.READY,
        restarts=0,
        counters={"agents": 9},
        planned_restarts=0,
        last_exit=None,
        heartbeat=heartbeat,
    )


def test_agents_that_run_no_turns_are_counted():
    """All of them, although only some are named."""
    names = [f"agent {number}" for number in range(300)]
    told = health_of(shard(SimpleNamespace(condition=Condition(broken=Named.of(names), failed=Named.of(names[:2])))))

    assert (told.agents, told.agents_broken, told.agents_failed) == (9, 300, 2)


def test_of_a_worker_that_said_nothing_nothing_is_known():
    """It has no agents that it leaves alone."""
    told = health_of(shard(None))

    assert (told.agents_broken, told.agents_failed) == (0, 0)

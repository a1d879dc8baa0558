import pytest

from caxton.supervisor.desk.health import status_of
from caxton.supervisor.workforce.shard import ShardState

READY, FAILED, RESTARTING = ShardState.READY, ShardState.FAILED, ShardState.RESTARTING


@pytest.mark.parametrize(
    ("states", "problem", "status", "reason"),
    [
        ([READY, READY], None, "healthy", None),
        ([READY, FAILED], None, "degraded", "shard 1 is failed"),
        ([RESTARTING, READY, FAILED], None, "degraded", "shard 0 is restarting; shard 2 is failed"),
        ([READY], "no compiler is ready", "degraded", "no compiler is ready"),
        ([FAILED], "no compiler is ready", "unhealthy", "shard 0 is failed"),
        (
            [READY, ShardState.QUARANTINED],
            None,
            "degraded",
            "shard 1 is quarantined (its file is damaged: restore shard-1.* from a backup, then run `caxton restart`)",
        ),
        ([ShardState.STARTING] * 2, None, "unhealthy", "shard 0 is starting; shard 1 is starting"),
    ],
)
def test_the_status_says_who_serves(states, problem, status, reason):
    """All serve: healthy; some, or nothing can be compiled: degraded; nobody: unhealthy; with every reason."""
    assert status_of(states, problem) == (status, reason)

"""What the screen says while nothing newer can be seen, and that it looks again."""

import pytest

from caxton.cli.commands.top import _Watch
from caxton.cli.top.view import View
from caxton.errors import NetworkError, ResourceExhausted, ShardUnavailable
from caxton.wire.busy import Busiest
from caxton.wire.told import Health, RouterStats

FULL = ResourceExhausted("calls at a time", 64)
GONE = NetworkError("the supervisor", "it ended before it answered")


class Runtime:
    """It tells figures, unless its desk or its shards raise what they are told to."""

    def __init__(self):
        self.desk = self.shards = None

    async def stats(self):
        if self.desk is not None:
            raise self.desk
        return RouterStats(10.0, 1, 9, [], {}, {"total": 0}, 0, {})

    async def health(self):
        return Health("healthy", "all is well", [], 10.0, "0.1.0", 7, "/run", "/data", 1, 9, [], [])

    async def busiest(self, *_):
        if self.shards is not None:
            raise self.shards
        return Busiest([], 1, 0)


@pytest.fixture
def runtime():
    return Runtime()


@pytest.fixture
def watch(runtime, tmp_path):
    return _Watch(runtime, tmp_path, View(), 2.0)


@pytest.mark.parametrize(("error", "says"), [(FULL, "no room for this now"), (GONE, "no runtime serves in")])
async def test_what_may_pass_is_told_and_looked_at_again(watch, runtime, error, says):
    """What was seen before stays; at the next look that works the problem is gone."""
    await watch._look()
    seen, runtime.desk = watch.seen, error
    await watch._look()
    assert (watch.seen is seen, says in watch.problem) == (True, True)
    runtime.desk = None
    await watch._look()
    assert (watch.seen is seen, watch.problem) == (False, "")


@pytest.mark.parametrize("error", [FULL, ShardUnavailable(0, "restarting")])
async def test_agents_that_no_shard_tells_leave_the_rest(watch, runtime, error):
    """With why they are not told."""
    runtime.shards = error
    await watch._look()
    assert (watch.seen.busiest, watch.seen.untold, watch.problem) == (None, str(error), "")

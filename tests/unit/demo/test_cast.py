"""The agents of the words demo: how many, and what it means when one of them fails."""

from types import SimpleNamespace

import pytest

from caxton.acl.failure import report
from caxton.demo.cast import COUNTER_WASM, SPLITTERS_PER_WORKER, Cast, counters_for, failure_of, on_stage
from caxton.demo.totals import Totals
from caxton.errors import AgentError, MessageExpired, NetworkError, ResourceLimitExceeded
from caxton.ids import AgentId

WORKERS = 2
CAST = Cast((AgentId(1),), (AgentId(2), AgentId(3)), (AgentId(1),), b"c 2\n")


@pytest.mark.parametrize(
    ("size", "counters"),
    [(0, 64), (64 * 24 * 1024, 64), (65 * 24 * 1024, 65), (96 << 20, 4_096), (10**12, 4_096)],
)
def test_a_counter_for_each_24_kib(size, counters):
    """A text gets a counter for each 24 KiB, at least 64 and at most 4,096."""
    assert counters_for(size) == counters


def test_a_full_counter_is_told_with_its_remedy():
    """A word without room in its counter is that counter's limit; the error tells the remedy and how many there are."""
    error = failure_of(Totals(1, 1, 1, 1, report(AgentError("the counter", -2))), CAST)
    assert isinstance(error, ResourceLimitExceeded)
    assert (error.agent, error.resource, error.limit) == ("the counter", "state", 65_535)
    assert "--counters" in str(error)
    assert "use more counters than 2" in str(error)


@pytest.mark.parametrize("told", [AgentError("the counter", -1), MessageExpired("the counter", 30.0)])
def test_another_failure_is_told_as_it_is(told):
    """What else went wrong is the error that the splitter was told of."""
    error = failure_of(Totals(1, 1, 1, 1, report(told)), CAST)
    assert (type(error), str(error)) == (type(told), str(told))


@pytest.mark.parametrize("content", [b"", b"\x81garbage"])
def test_a_failure_that_says_nothing_is_told_by_number(content):
    """A failure whose content is not the runtime's is reported with how many there were."""
    error = failure_of(Totals(1, 1, 1, 7, content), CAST)
    assert isinstance(error, NetworkError)
    assert "7" in str(error)


class Crowded:
    """A client of a runtime in which the first agents all have names of the same shard. deployed: names in order."""

    def __init__(self, of_first_shard):
        self.of_first_shard = of_first_shard
        self.deployed = []
        self.removed = []

    async def deploy_many(self, deployments):
        before = len(self.deployed)
        self.deployed += [deployment.name for deployment in deployments]
        return [AgentId(number + 1) for number in range(before, len(self.deployed))]

    async def agents(self):
        return [
            SimpleNamespace(agent_id=AgentId(number + 1), shard=int(number >= self.of_first_shard))
            for number in range(len(self.deployed))
        ]

    async def remove_many(self, names):
        self.removed += names


async def test_each_worker_has_a_splitter():
    """Also where chance gave all of the first ones to one worker; turns go around, and whoever was deployed goes."""
    first = SPLITTERS_PER_WORKER * WORKERS
    client = Crowded(1 + first)
    async with on_stage(client, COUNTER_WASM, 1, WORKERS) as cast:
        assert (len(cast.counters), len(cast.splitters)) == (1, 2 * first)
        assert [turn > 1 + first for turn in cast.turns] == [False, True] * first
    assert len(set(client.deployed)) == len(client.deployed)
    assert sorted(client.removed) == sorted(client.deployed)

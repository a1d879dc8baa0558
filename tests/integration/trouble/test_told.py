"""What the supervisor tells is what the types say that it tells."""

from typing import get_type_hints

from caxton.wire.supervision import Health, Reason, WorkerHealth
from caxton.wire.told import HealthValues, ReasonValues, StatsValues, WorkerHealthValues

WORKERS = 2


def test_the_values_of_health_have_the_fields_of_health():
    """Each has the type that it is sent with."""
    assert get_type_hints(WorkerHealthValues) == get_type_hints(WorkerHealth)
    assert get_type_hints(ReasonValues) == get_type_hints(Reason)
    parts = {"workers": list[WorkerHealthValues], "reasons": list[ReasonValues]}
    assert get_type_hints(HealthValues) == get_type_hints(Health) | parts


async def test_a_runtime_tells_what_its_values_are_typed_to_have(client, served):
    """No name is missing, and none is there that the types do not know."""
    health, stats = await client.health(), await client.stats()

    assert health.keys() == HealthValues.__annotations__.keys() == (await served.health()).keys()
    assert stats.keys() == StatsValues.__annotations__.keys()
    for worker in health["workers"]:
        assert worker.keys() == WorkerHealthValues.__annotations__.keys()
    for worker in stats["workers"]:
        assert {"shard", "incarnation", "state", *stats["totals"]} <= worker.keys()

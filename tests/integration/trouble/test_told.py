"""What the supervisor tells is what the types say that it tells."""

import msgspec
import pytest

from caxton.errors import InvalidMessageFormat
from caxton.testing import eventually
from caxton.wire.counters import COUNTERS
from caxton.wire.told import ERRORS, Health, RouterStats, read_told

WORKERS = 2


async def test_a_runtime_tells_what_its_values_are_typed_to_have(client, served):
    """No part is missing, and health is the same to whoever asks without a session."""

    async def look():
        health = await client.health()
        return health if health.status == "healthy" else None

    health, stats = await eventually(look), await client.stats()  # a shard that a test killed comes back

    assert set(health.components) == {"shard 0", "shard 1", "compiler", "files", "clients"}
    assert {part.status for part in health.components.values()} == {"healthy"}
    assert [worker.pid for worker in (await served.health()).workers] == [worker.pid for worker in health.workers]
    for worker in stats.workers:
        assert {"shard", "incarnation", "state", *stats.totals} <= worker.keys()


async def test_what_is_processed_waits_and_fails_is_counted(client, agent):
    """Turns, errors by their type, what waits, and what memory and files take."""
    before = await client.stats()
    waiting = await agent("mischief")
    await client.request(waiting, b"")
    await client.pause(waiting)
    await client.send_batch([])
    for _ in range(3):
        await client.send(waiting, b"later")
    with pytest.raises(Exception, match="nobody"):
        await client.send("nobody", b"")
    after = await client.stats()

    assert after.total_messages_processed - before.total_messages_processed == 1
    assert after.errors_by_type["refused"] - before.errors_by_type["refused"] == 1
    assert after.total_errors == sum(after.errors_by_type.values())
    assert after.inbound_queue_depth - before.inbound_queue_depth == 3
    assert after.outbound_queue_depth == 0
    assert after.memory_usage_bytes > sum(worker.resident_bytes for worker in (await client.health()).workers) // 2
    assert after.database_size_bytes > 0


async def test_times_and_rates_are_told(client, agent):
    """How long messages took is told in percentiles, and what happens in a second."""
    name = await agent("mischief")
    for _ in range(5):
        await client.request(name, b"")
    await client.send(name, b"")

    async def look():
        stats = await client.stats()
        return stats if stats.latencies["commit"].count else None

    stats = await eventually(look)  # a commit is in the book with the pass after it

    assert set(stats.latencies) == {"routing", "waiting", "processing", "commit"}
    for what, told in stats.latencies.items():
        assert told.count == sum(told.buckets) >= (1 if what == "commit" else 5)
        assert 0 <= told.p50_us <= told.p90_us <= told.p99_us <= told.p999_us
    assert (await client.inspect(name)).counters["time_us"] > 0
    assert stats.rates_s >= 0
    assert stats.peak_messages_per_second >= 0


async def test_a_worker_that_died_is_an_error_of_its_shard(client, served):
    """Its shard is well again soon, and what happened is told all the same."""
    await served.kill_worker(1)
    health = await client.health()

    part = health.components["shard 1"]
    assert part.error_count == 1
    assert part.last_error == health.last_error == "a worker of shard 1 died: killed by SIGKILL"


def test_every_type_of_error_is_a_counter():
    """No name is one that workers do not count under."""
    assert set(ERRORS) <= COUNTERS.keys()


def test_what_another_version_tells_is_read_as_far_as_it_is_known():
    """More than is known is passed over, what is not told has its default, and anything else is a typed error."""
    told = msgspec.to_builtins(RouterStats(1.0, 1, 9, [], {}, {}, 0, {})) | {"of_tomorrow": 1}
    del told["total_errors"]

    assert read_told(told, RouterStats) == RouterStats(1.0, 1, 9, [], {}, {}, 0, {})
    with pytest.raises(InvalidMessageFormat, match="Health"):
        read_told(told, Health)

"""Runtimes whose data is removed while they serve."""

import asyncio
from pathlib import Path

from caxton.client.client import connect
from caxton.errors import CaxtonError
from caxton.guests import __file__ as guests
from caxton.placement.slot_table import SlotTable

ECHO = Path(guests).with_name("echo.wasm")


def test_a_send_is_not_acknowledged_into_a_file_that_is_gone(serve):
    """Once a shard's file was removed no durable send is acknowledged, its shard is quarantined, the rest serves on."""
    served = serve()
    served.event("ready")

    async def lose():
        async with connect(served.runtime_dir) as client:
            table, names = SlotTable.even(2), [f"agent-{number}" for number in range(200)]
            shards = {name: table.shard_of(client.id_of(name)) for name in names}
            agents = [name for shard in (0, 1) for name in [n for n in names if shards[n] == shard][:4]]
            for name in agents:
                await client.deploy(name, ECHO)
                await client.send(name, b"before")
            lost = served.data_dir / "shard-0.db"
            lost.unlink()
            ends = []
            for _ in range(3):
                sends = (client.send(name, b"after", timeout_s=3) for name in agents)
                ends += await asyncio.gather(*sends, return_exceptions=True)
            return ends, [shards[name] for name in agents]

    ends, shards = asyncio.run(lose())

    event = served.event("shard_quarantined")
    health = served.health()
    assert event["shard"] == 0
    assert health["status"] == "degraded"
    assert {0, 1} == {*shards}
    for end, shard in zip(ends, shards * 3, strict=True):
        assert isinstance(end, CaxtonError) is (shard == 0), (shard, end)

"""Data directories as older versions of the code left them, served by this one."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from caxton import connect
from caxton.acl.options import DeliveryOptions
from caxton.store.shard_store import ShardStore
from caxton.testing import eventually

KEPT = sorted((Path(__file__).parents[2] / "data" / "formats").glob("directory-*"))
PATIENCE_S = 60.0


@pytest.fixture(params=KEPT, ids=[path.name for path in KEPT])
def kept(request, place):
    """A copy of a directory that is kept."""
    copy = place / "data"
    shutil.copytree(request.param, copy)
    for directory in (copy, *(path for path in copy.rglob("*") if path.is_dir())):
        directory.chmod(0o700)
    return copy


async def states(kept, shards):
    """What agents returned as their states, by their numbers."""
    found = {}
    for shard in range(shards):
        store = await ShardStore.open(kept / f"shard-{shard}.db", shard)
        found |= (await store.load()).states
        await store.close()
    return found


@pytest.mark.parametrize("shards", [2, 1, 3])
async def test_a_kept_directory_is_served_to_its_end(serve, caxton, kept, shards):
    """Its agents are there, each message reaches its end once, and the ledger balances, in any number of shards."""
    if shards != 2:
        resharded = caxton("reshard", "--workers", shards, "--data-dir", kept, "-o", "json")
        assert (resharded.code, resharded.json["shards"], resharded.json["durable"]["balanced"]) == (0, shards, True)
    served = serve(workers=None)
    served.event("ready")
    handled = []

    async def program(delivered):
        handled.append((delivered.message.content, delivered.delivery_count))

    async with connect(served.runtime_dir) as client:
        agents = {agent.name: agent for agent in await client.agents()}
        told = {name: (agent.state, agent.encoding, agent.capabilities) for name, agent in agents.items()}
        assert told == {
            "desk": ("paused", "msgpack", ("count", "of desk")),
            "keeper": ("running", "msgpack", ("count", "of keeper")),
            "program": ("detached", "attached", ("count", "of program")),
            "retired": ("stopped", "msgpack", ("count", "of retired")),
        }
        key = DeliveryOptions(idempotency_key="taken")
        assert not (await client.send("desk", b"again", options=key)).is_new
        await client.resume("desk")

        async def nothing_waits():
            whole = (await client.ledger()).whole
            return whole if not (whole.pending or whole.in_flight) else None

        async with client.attach("program", program):
            whole = await eventually(nothing_waits, PATIENCE_S)
        reasons = [letter.reason async for letter in client.dead_letters()]
    assert (whole.problems, whole.accepted, whole.processed, whole.dead) == ([], 11, 9, 2)
    assert handled == [(b"message 4", 3)]
    assert reasons == ["retry_limit", "session_ended"]
    os.kill(served.pid, signal.SIGTERM)
    served.process.wait(60)
    after = await states(kept, shards)
    counted = {name: int.from_bytes(after.get(agent.agent_id, b""), "little") for name, agent in agents.items()}
    assert counted == {"desk": 4, "keeper": 3, "program": 0, "retired": 0}

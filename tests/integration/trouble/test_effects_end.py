"""Chains of effects end in a runtime as it runs, on two workers, and who has nothing to do with them goes on."""

import msgspec

from caxton.acl.options import DeliveryOptions
from caxton.placement.slot_table import SlotTable

WORKERS = 2
SAYS = """(module (memory (export "memory") 3) (data (i32.const 131072) "{data}")
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32 i32) (result i64)
    (i64.or (i64.shl (i64.const 131072) (i64.const 32)) (i64.const {length}))))"""
NOBODY = 12_345


def tells(*receivers):
    """The text of a guest that tells these whatever it is told, be it a failure."""
    said = msgspec.msgpack.encode({"messages": [{"receiver": receiver} for receiver in receivers]})
    return SAYS.format(data="".join(f"\\{byte:02x}" for byte in said), length=len(said))


async def until(condition):
    while not await condition():
        pass


async def test_chains_end_and_others_go_on(client, agent):
    """An agent that answers its own failures, and two on two workers that answer each other: each ends, by its hops."""
    loop = await agent(tells(NOBODY), "loop", encoding="msgpack")
    neighbour = await agent("echo", "neighbour")
    names = [f"one of two {n}" for n in range(64)]
    shards = {name: SlotTable.even(WORKERS).shard_of(client.id_of(name)) for name in names}
    left, right = (next(name for name in names if shards[name] == shard) for shard in (0, 1))
    for name, other in ((left, right), (right, left)):
        await agent(tells(other), name, encoding="msgpack")
    await client.send(loop, b"go", options=DeliveryOptions(max_hops=60))
    await client.send(left, b"go", options=DeliveryOptions(max_hops=61))

    async def ended():
        assert (await client.request(neighbour, b"x")).content == b"x"
        await client.send(neighbour, b"x")
        return (await client.dead_letter_stats()).messages_by_reason == {"agent_not_found": 30, "hop_limit": 1}

    await until(ended)
    (letter,) = [x async for x in client.dead_letters(reason="hop_limit")]
    assert (letter.error.error, letter.error.fields) == ("HopLimitExceeded", {"hops": 62, "limit": 61})

"""The agents of a laboratory: relays in the sandbox, and names that belong to a shard that was chosen."""

from itertools import count
from pathlib import Path

import wasmtime

from caxton.agents.limits import Limits
from caxton.client.client import Client
from caxton.placement.slot_table import SlotTable

_GUESTS = Path(__file__).with_name("guests")


def relay_module(copies: int = 1) -> bytes:
    """Return the module of a relay that passes on so many copies of each message."""
    text = (_GUESTS / "relay.wat").read_text().replace("$copies i32 (i32.const 1)", f"$copies i32 (i32.const {copies})")
    return bytes(wasmtime.wat2wasm(text))


def tally_module() -> bytes:
    """Return the module of an agent that counts."""
    return bytes(wasmtime.wat2wasm((_GUESTS / "tally.wat").read_text()))


def name_on(client: Client, shards: int, shard: int, prefix: str) -> str:
    """Return a name that belongs to a shard, always the same one in one data directory."""
    table = SlotTable.even(shards)
    return next(name for n in count() if table.shard_of(client.id_of(name := f"{prefix}-{n}")) == shard)


async def deploy_relay(client: Client, name: str, copies: int = 1) -> None:
    """Deploy a relay under a name."""
    await client.deploy(name, relay_module(copies), encoding="msgpack", limits=Limits())

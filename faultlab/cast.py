"""The agents of a laboratory: relays in the sandbox, and names that belong to a shard that was chosen."""

from itertools import count
from pathlib import Path

import msgspec
import wasmtime

from caxton.agents.limits import Limits
from caxton.client.client import Client
from caxton.placement.slot_table import SlotTable

_GUESTS = Path(__file__).with_name("guests")
# Where a guest of a circle has its answer.
_AT = 4_096


def relay_module(copies: int = 1) -> bytes:
    """Return the module of a relay that passes on so many copies of each message."""
    text = (_GUESTS / "relay.wat").read_text().replace("$copies i32 (i32.const 1)", f"$copies i32 (i32.const {copies})")
    return bytes(wasmtime.wat2wasm(text))


def tally_module() -> bytes:
    """Return the module of an agent that counts."""
    return bytes(wasmtime.wat2wasm((_GUESTS / "tally.wat").read_text()))


def circle_module(prefix: str, count: int) -> bytes:
    """Return the module of an agent of a circle: "PREFIX 00000" tells "PREFIX 00001", and the last one the first.

    count: how many they are. Contents are four bytes, the number of whom they are for.
    """
    digits, content = b"00000", b"\xfd\xfe\xfe\xfd"
    name = f"{prefix} ".encode() + digits
    output = msgspec.msgpack.encode({"messages": [{"receiver": name.decode(), "content": content}]})
    text = (_GUESTS / "circle.wat").read_text()
    escaped = "".join(f"\\{byte:02x}" for byte in output)
    text = text.replace(";; data", f'(data (i32.const {_AT}) "{escaped}")')
    for what, number in (
        ("count", count),
        ("digits", _AT + output.index(digits)),
        ("content", _AT + output.index(content)),
    ):
        text = text.replace(f"${what} i32 (i32.const 0)", f"${what} i32 (i32.const {number})")
    return bytes(
        wasmtime.wat2wasm(text.replace("(i64.const 0))) ;; answer", f"(i64.const {_AT << 32 | len(output)})))"))
    )


def name_on(client: Client, shards: int, shard: int, prefix: str) -> str:
    """Return a name that belongs to a shard, always the same one in one data directory."""
    table = SlotTable.even(shards)
    return next(name for n in count() if table.shard_of(client.id_of(name := f"{prefix}-{n}")) == shard)


async def deploy_relay(client: Client, name: str, copies: int = 1) -> None:
    """Deploy a relay under a name."""
    await client.deploy(name, relay_module(copies), encoding="msgpack", limits=Limits())

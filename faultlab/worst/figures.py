"""What one guest, one module and one refusal cost: runaway code, compile bombs, and how fast refusals are."""

import asyncio
import statistics
import time
from collections.abc import Sequence

from bench.guests.echo import echo_wasm
from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions
from caxton.agents.limits import Limits
from caxton.client.client import Client
from caxton.errors import CaxtonError, InvalidModule
from caxton.ids import AgentId
from caxton.testing import runtime
from faultlab.hostile.cell import Cell
from faultlab.hostile.corpus import kinds

DEADLINE_MS = 50
# What must hold.
MOST_OVER_MS, MOST_BOMB_S, MOST_BEHIND_S, LEAST_REFUSALS = 20.0, 6.0, 2.0, 0.3
RUNAWAYS = (
    "a loop with all the fuel there is",
    "a loop in the start function with all the fuel there is",
    "a tower of loops",
)
BOMBS = "100,000 loops in one function", "300,000 functions"
_TURNS, _MESSAGES, _ROUNDS, _BATCH = 20, 40_000, 3, 256
_VOLATILE = DeliveryOptions(reliability="at_most_once")


def runaway_ms() -> float:
    """Return by how much runaway code went beyond a deadline of 50 ms, of 20 turns each, in the middle one."""
    chosen = [kind for kind in kinds() if kind.name in RUNAWAYS]
    limits = Limits(max_fuel=10**12, max_execution_ms=DEADLINE_MS)
    over: list[float] = []
    with Cell() as cell:
        for kind in chosen:
            over += [cell.turn_ms(kind.wasm, limits) - DEADLINE_MS for _ in range(_TURNS)]
    return statistics.median(over)


async def bombs() -> tuple[float, float]:
    """Return how long the slowest compile bomb took until it was refused, and a module that came right behind one."""
    refused_s = behind_s = 0.0
    by_name = {kind.name: kind for kind in kinds()}
    async with runtime() as served, served.connect() as client, served.connect() as other:
        for number, name in enumerate(BOMBS):
            wasm = by_name[name].wasm
            began_s = time.monotonic()
            bomb = asyncio.get_running_loop().create_task(_refused(client, wasm))
            await asyncio.sleep(0.5)  # it is under way; whoever comes now comes behind it
            came_s = time.monotonic()
            await other.deploy(f"behind-{number}", echo_wasm() + bytes([0, 2, 1, number]))
            behind_s = max(behind_s, time.monotonic() - came_s)
            await bomb
            refused_s = max(refused_s, time.monotonic() - began_s)
    return refused_s, behind_s


async def _refused(client: Client, wasm: bytes) -> None:
    try:
        await client.deploy("bomb", wasm)
    except InvalidModule:
        return
    raise AssertionError("a compile bomb was taken")


async def refusals() -> dict[str, float]:
    """Return how fast each kind of refusal is, as a part of the rate of deliveries in the same minute."""
    async with runtime() as served, served.connect() as client:
        good = await client.deploy("good", echo_wasm())
        small = await client.deploy("small", echo_wasm(), limits=Limits(max_message_bytes=1))
        nobody = AgentId((1 << 40) | 1 << 10)
        deliveries: list[float] = []
        unknown: list[float] = []
        too_large: list[float] = []
        for _ in range(_ROUNDS):
            deliveries.append(await _per_s(client, good))
            unknown.append(await _per_s(client, nobody))
            too_large.append(await _per_s(client, small))
    most = max(deliveries)
    return {"deliveries/s": most, "unknown": max(unknown) / most, "too large": max(too_large) / most}


async def _per_s(client: Client, agent: AgentId) -> float:
    batch: Sequence[Message] = [Message(agent, b"xx", delivery_options=_VOLATILE)] * _BATCH
    began_s = time.perf_counter()
    left = _MESSAGES

    async def send() -> None:
        nonlocal left
        while left > 0:
            left -= len(batch)
            results = await client.send_batch(batch)
            if any(isinstance(result, CaxtonError) for result in results) != isinstance(results[0], CaxtonError):
                raise AssertionError("some were delivered and some refused")

    async with asyncio.TaskGroup() as tasks:
        for _ in range(16):
            tasks.create_task(send())
    return _MESSAGES / (time.perf_counter() - began_s)

"""The client of a storm, in a process of its own: lists of agents that fail, and others that use all of their time."""

import asyncio
import contextlib
import sys
from pathlib import Path

import msgspec

from caxton.acl.options import DeliveryOptions
from caxton.client.client import Client, connect
from caxton.errors import CaxtonError
from faultlab.hostile.corpus import kinds

# Each of the first makes 255 dead letters of a message, so that a list of all of them makes 10,200.
FAILING, BUSY = 40, 4
FAILS, LOOPS = "an answer beside 255 messages to agents that do not exist", "a loop in handle_message"
# How long a turn of a busy agent takes, in ms; how many messages each of all of these has at a time.
_BUSY_MS, _EACH = 10, 64
_VOLATILE = DeliveryOptions(reliability="at_most_once")


def main(runtime_dir: str) -> int:
    """Deploy them, tell `{"event": "raging"}` on standard output, and go on until the process is ended."""
    asyncio.run(_rage(Path(runtime_dir)))
    return 0


async def _rage(runtime_dir: Path) -> None:
    async with connect(runtime_dir=runtime_dir) as client:
        failing, busy = [f"failing-{n}" for n in range(FAILING)], [f"busy-{n}" for n in range(BUSY)]
        await deploy(client, FAILS, failing)
        await deploy(client, LOOPS, busy)
        sys.stdout.buffer.write(msgspec.json.encode({"event": "raging"}) + b"\n")
        sys.stdout.flush()
        async with asyncio.TaskGroup() as group:
            group.create_task(_send_for_ever(client, failing, DeliveryOptions()))
            group.create_task(_send_for_ever(client, busy, _VOLATILE))


async def deploy(client: Client, name: str, agents: list[str]) -> None:
    """Deploy agents of a kind of the corpus."""
    (kind,) = [kind for kind in kinds() if kind.name == name]
    limits = msgspec.structs.replace(kind.limits, max_execution_ms=_BUSY_MS)
    for agent in agents:
        await client.deploy(agent, kind.wasm, encoding=kind.encodings[-1].value, limits=limits)


async def _send_for_ever(client: Client, agents: list[str], options: DeliveryOptions) -> None:
    while True:  # of who is gone, paused or out of room the error is a result among the others
        with contextlib.suppress(CaxtonError):
            await client.send(agents * _EACH, b"x", options=options)

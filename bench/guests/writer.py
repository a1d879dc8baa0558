"""Agents that use all of their memory."""

from pathlib import Path

import wasmtime

from caxton.agents.deployment import Deployment
from caxton.client.client import Client
from caxton.errors import CaxtonError
from caxton.ids import AgentId

# The four pages of writer.wat.
MEMORY_BYTES = 4 * 65_536


async def deploy_writers(client: Client, count: int) -> list[AgentId]:
    """Deploy so many writers and return their ids; raises the error of the first that is refused."""
    wasm = bytes(wasmtime.wat2wasm(Path(__file__).with_name("writer.wat").read_text(encoding="utf-8")))
    agents = []
    for result in await client.deploy_many([Deployment(f"writer-{number}", wasm) for number in range(count)]):
        if isinstance(result, CaxtonError):
            raise result
        agents.append(result)
    return agents

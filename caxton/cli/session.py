"""Commands that need a client of the runtime, and the agents that they name."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

import caxton
from caxton.cli.options import resolve_runtime_dir
from caxton.client.client import Client
from caxton.errors import AgentNotFound
from caxton.ids import AgentId

T = TypeVar("T")

AgentArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME|ID",
        help="An agent's name or its id. 16 hex digits are an id if an agent has it, and a name if not.",
        show_default=False,
    ),
]


def with_client(runtime_dir: Path | None, use: Callable[[Client], Awaitable[T]]) -> T:
    """Connect to the runtime, let `use` do its work, and return what it returns. Raises RuntimeNotFound."""

    async def connected() -> T:
        async with caxton.connect(resolve_runtime_dir(runtime_dir)) as client:
            return await use(client)

    return asyncio.run(connected())


async def find(client: Client, agent: str) -> AgentId:
    """Return the id that a command line's NAME|ID means; a name is not looked up here."""
    try:
        agent_id = AgentId.parse(agent)
        if not agent_id.is_session:
            await client.inspect(agent_id)
            return agent_id
    except (ValueError, AgentNotFound):
        pass
    return client.id_of(agent)

"""Commands that need a client of the runtime, and the agents that they name."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

import caxton
from caxton.cli.elsewhere import elsewhere
from caxton.cli.options import resolve_runtime_dir
from caxton.cli.suggestions import suggestion
from caxton.client.client import Client
from caxton.config.keys import BY_OPTION, MisfitError
from caxton.errors import AccessDenied, AgentNotFound, ConfigurationError, Unsupported
from caxton.ids import AgentId

T = TypeVar("T")
# Agents beyond which nobody's name is compared with theirs.
_MOST_ASKED = 10_000

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
        async with client_of(runtime_dir) as client:
            return await use(client)

    return asyncio.run(connected())


def client_of(runtime_dir: Path | None) -> Client:
    """Return a client, not open yet, of the runtime that is meant: of this machine, or by a gateway of another."""
    if (there := elsewhere(runtime_dir)) is None:
        return caxton.connect(resolve_runtime_dir(runtime_dir), reconnect=False, trace_sampling_ratio=sampled())
    return caxton.connect(there.url, token=there.token, ca=there.ca, cert=there.cert, insecure_http=there.insecure_http)


def sampled() -> float:
    """Return how many of the traces that begin here are sampled: CAXTON_TRACE_SAMPLING_RATIO, or none.

    Raises ConfigurationError.
    """
    key = BY_OPTION["trace_sampling_ratio"]
    text = os.environ.get(key.variable, "")
    try:
        return float(key.read(text)) if text else 0.0
    except MisfitError as error:
        raise ConfigurationError(key.variable, error.problem, error.remedy) from None


def with_agent(runtime_dir: Path | None, agent: str, use: Callable[[Client, AgentId], Awaitable[T]]) -> T:
    """Connect, find out which agent NAME|ID means, and let `use` do its work with it.

    Raises RuntimeNotFound; AgentNotFound with what stands on the command line.
    """

    async def named(client: Client) -> T:
        try:
            return await use(client, await found_agent(client, agent))
        except AgentNotFound:
            raise await not_found(client, agent) from None

    return with_client(runtime_dir, named)


async def not_found(client: Client, name: str) -> AgentNotFound:
    """Return the error for a name that no agent has, with those that may be meant, unless there are too many to ask."""
    error = AgentNotFound(name)
    try:
        workers = (await client.health()).workers
    except AccessDenied:  # a token for some agents is not told of others
        return error
    if sum(worker.agents for worker in workers) > _MOST_ASKED:
        return error
    meant = suggestion(name, sorted(view.name for view in await client.agents()))
    return error.suggesting(meant) if meant else error


async def found_agent(client: Client, agent: str) -> AgentId:
    """Return the agent that NAME|ID means; whether there is one of that name is not asked."""
    try:
        agent_id = AgentId.parse(agent)
        if not agent_id.is_session:
            await client.inspect(agent_id)
            return agent_id
    except (ValueError, AgentNotFound):
        pass
    return await id_of(client, agent)


async def id_of(client: Client, name: str) -> AgentId:
    """Return the id of a name, which from another machine only the runtime knows. Raises AgentNotFound there."""
    try:
        return client.id_of(name)
    except Unsupported:
        return (await client.inspect(name)).id

"""Several agents that one command asks or tells: by their names, or by what all of them can do."""

from typing import Annotated

import typer

from caxton.acl.capability import Capability
from caxton.cli.capable import capability_of
from caxton.cli.session import id_of
from caxton.client.client import Client
from caxton.errors import CaxtonError
from caxton.ids import AgentId

ToOption = Annotated[
    list[str],
    typer.Option("--to", metavar="NAME|@CAPABILITY", help="Whom: once for each, or once for all who can do something."),
]


def asked_of(to: list[str]) -> list[str] | Capability:
    """Return whom --to names; raises BadParameter for a capability beside somebody else."""
    capable = [capability for name in to if (capability := capability_of(name, param_hint="--to")) is not None]
    if not capable:
        return to
    if len(to) > 1:
        raise typer.BadParameter("a capability stands alone; several at once are @a+b", param_hint="--to")
    return capable[0]


async def names_of_asked(client: Client, asked: list[str] | Capability, agents: list[AgentId]) -> dict[AgentId, str]:
    """Return what the agents that were asked are called. One that is gone since is called by its id."""
    if not isinstance(asked, Capability):
        return {await id_of(client, name): name for name in asked}
    views = await client.lookup(agents)
    return {
        agent: str(agent) if isinstance(view, CaxtonError) else view.name
        for agent, view in zip(agents, views, strict=True)
    }

"""`caxton capability`: list, show, find, advertise."""

from typing import Annotated, Any

import typer

from caxton.agents.manifest import MAX_WEIGHT, Health
from caxton.cli.capable import NameArgument
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import Format, Output, print_json, print_text, reports_errors
from caxton.cli.pages import LimitOption, Listing, WholeOption, most
from caxton.cli.session import AgentArgument, with_agent, with_client
from caxton.client.client import Client
from caxton.ids import AgentId
from caxton.wire.calls import AgentView
from caxton.wire.capability_calls import CapabilityView

app = typer.Typer(
    name="capability",
    help="See which agents can do what, and let them have other capabilities.",
    epilog="Examples: caxton capability list; caxton capability show translate; "
    "caxton capability advertise echo --add translate --weight 3; caxton capability find --help",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
_LISTED = ("capability", "agents", "healthy")
_SHOWN = ("id", "name", "state", "shard", "healthy", "health", "weight", "conversations", "queued")


@app.command(name="list", epilog="Examples: caxton capability list; caxton capability list --limit 20 -o json")
@reports_errors
def list_all(
    *,
    limit: LimitOption = None,
    whole: WholeOption = False,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """List the capabilities that agents have: how many have each, and how many of them are healthy."""
    listing = Listing("capabilities", _LISTED, most(limit, output, whole=whole), output)

    async def use(client: Client) -> None:
        await listing.show(client.capabilities(), _values)
        listing.end()

    with_client(runtime_dir, use)


@app.command(epilog="Examples: caxton capability show translate; caxton capability show translate -o json")
@reports_errors
def show(
    capability: Annotated[str, typer.Argument(help="Its name.", show_default=False)],
    *,
    limit: LimitOption = None,
    whole: WholeOption = False,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Show the agents that have a capability: whether they are healthy, their weight, and what waits for them."""
    _list([capability], limit, output, whole=whole, runtime_dir=runtime_dir)


@app.command(epilog="Examples: caxton capability find german translate; caxton capability find translate -o json")
@reports_errors
def find(
    capabilities: NameArgument,
    *,
    limit: LimitOption = None,
    whole: WholeOption = False,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Find the agents that have all of these capabilities."""
    _list(capabilities, limit, output, whole=whole, runtime_dir=runtime_dir)


@app.command(
    epilog="Examples: caxton capability advertise echo --add translate --remove talk; "
    "caxton capability advertise echo --health unhealthy -o json"
)
@reports_errors
def advertise(
    agent: AgentArgument,
    *,
    add: Annotated[
        list[str] | None, typer.Option(help="What it can do from now on; may be given again.", show_default=False)
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option(help="What it cannot do any more; may be given again.", show_default=False)
    ] = None,
    weight: Annotated[
        int | None, typer.Option(min=1, max=MAX_WEIGHT, help="Its share where it is chosen by weight.")
    ] = None,
    health: Annotated[
        Health | None,
        typer.Option(
            help="unhealthy: it is sent nothing for its capabilities. healthy: it is, as long as it takes messages. "
            "auto: while it runs.",
            show_default=False,
        ),
    ] = None,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Let an agent have other capabilities, another weight, or your word about its health; also after a restart."""

    async def use(client: Client, agent_id: AgentId) -> AgentView:
        return await client.advertise(agent_id, add=add or (), remove=remove or (), weight=weight, health=health)

    view = with_agent(runtime_dir, agent, use)
    if output is Format.JSON:
        print_json(_row(view) | {"capabilities": list(view.capabilities)})
    else:
        names = ", ".join(view.capabilities) or "no capabilities"
        print_text(f"{agent} has {names}; weight {view.weight}, health {view.health}")


def _list(names: list[str], limit: int | None, output: Format, *, whole: bool, runtime_dir: Any) -> None:
    listing = Listing("agents", _SHOWN, most(limit, output, whole=whole), output)

    async def use(client: Client) -> None:
        await listing.show(aiter(client.find(*names, limit=listing.asked)), _row)
        listing.end()

    with_client(runtime_dir, use)


def _values(view: CapabilityView) -> dict[str, Any]:
    return {"capability": view.name, "agents": view.agents, "healthy": view.healthy}


def _row(view: AgentView) -> dict[str, Any]:
    return {
        "id": str(view.id),
        "name": view.name,
        "state": view.state,
        "shard": view.shard,
        "healthy": view.is_healthy,
        "health": view.health,
        "weight": view.weight,
        "conversations": view.conversations,
        "queued": view.queued,
    }

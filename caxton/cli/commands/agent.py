"""`caxton agent`: deploy, validate, list, inspect, waiting, logs, pause, resume, drain, stop, remove."""

from functools import partial
from typing import Annotated, Any

import msgspec
import typer

from caxton.agents.lifecycle import TOLD_STATES
from caxton.cli import deploying
from caxton.cli.agent_logs import LOGS_EXAMPLES, logs
from caxton.cli.message_text import kept_values
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import (
    Format,
    Output,
    print_json,
    print_table,
    print_text,
    reports_errors,
)
from caxton.cli.pages import LimitOption, Listing, WholeOption, most
from caxton.cli.session import AgentArgument, with_agent, with_client
from caxton.client.calls.agent_calls import DRAIN_TIMEOUT_S, LONGEST_DRAIN_S
from caxton.client.calls.drain_calls import Drained
from caxton.client.client import Client
from caxton.forms.agent_form import AgentForm
from caxton.ids import AgentId
from caxton.printable import counted
from caxton.wire.calls import AgentView

app = typer.Typer(
    name="agent",
    help="Deploy agents, look at them, pause, drain, stop and remove them.",
    epilog="Examples: caxton agent deploy echo echo.wasm; caxton agent list; caxton agent inspect echo; "
    "caxton agent drain echo; caxton agent deploy --help",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

app.command(epilog=LOGS_EXAMPLES)(logs)

_LISTED = ("id", "name", "state", "shard", "queued", "run", "failed")
_WAITING = ("message_id", "state", "attempts", "sent_at", "sender", "performative", "content_bytes")


app.command(epilog=deploying.EXAMPLES)(deploying.deploy)
app.command(epilog=deploying.EXAMPLES_OF_VALIDATE)(deploying.validate)


@app.command(
    "list",
    epilog="Examples: caxton agent list; caxton agent list --limit 20; "
    "caxton agent list --name 'tally-*' --state paused; caxton agent list --all -o json",
)
@reports_errors
def list_agents(
    *,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="PATTERN", help="Those whose name fits; * is any text.", show_default=False),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option("--state", metavar="STATE", help=f"Those that are {', '.join(TOLD_STATES)}.", show_default=False),
    ] = None,
    limit: LimitOption = None,
    whole: WholeOption = False,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """List agents by name."""
    listing = Listing("agents", _LISTED, most(limit, output, whole=whole), output)

    async def use(client: Client) -> None:
        found = client.agents(name=name, state=state, limit=listing.asked)
        await listing.show(aiter(found), _values if output is Format.JSON else _row)
        listing.end(found.total if name is None and state is None else None)

    with_client(runtime_dir, use)


@app.command(epilog="Examples: caxton agent inspect echo; caxton agent inspect 00c0ffee00c0ffee -o json")
@reports_errors
def inspect(agent: AgentArgument, runtime_dir: RuntimeDirOption = None, output: Output = Format.TEXT) -> None:
    """Show all about one agent: state, limits, and its counters since its worker started."""

    async def use(client: Client, agent_id: AgentId) -> AgentView:
        return await client.inspect(agent_id)

    values = _values(with_agent(runtime_dir, agent, use))
    if output is Format.JSON:
        print_json(values)
        return
    plain = [[name, value] for name, value in values.items() if not isinstance(value, (dict, list))]
    nested = [[name, number] for group in ("limits", "counters") for name, number in sorted(values[group].items())]
    shared = [[f"program {each['session']}", _share(each)] for each in values["members"]]
    print_table(
        str(values["name"]),
        ["", ""],
        [*plain, ["capabilities", ", ".join(values["capabilities"]) or "none"], *shared, *nested],
    )


@app.command(epilog="Examples: caxton agent pause echo; caxton agent pause 00c0ffee00c0ffee -o json")
@reports_errors
def pause(agent: AgentArgument, runtime_dir: RuntimeDirOption = None, output: Output = Format.TEXT) -> None:
    """Let an agent handle nothing until it is resumed, also after a restart; what is sent to it waits."""

    async def use(client: Client, agent_id: AgentId) -> AgentId:
        await client.pause(agent_id)
        return agent_id

    _say("paused", agent, with_agent(runtime_dir, agent, use), output)


@app.command(epilog="Examples: caxton agent resume echo; caxton agent resume 00c0ffee00c0ffee -o json")
@reports_errors
def resume(agent: AgentArgument, runtime_dir: RuntimeDirOption = None, output: Output = Format.TEXT) -> None:
    """Let an agent that was paused, or that failed, handle messages again."""

    async def use(client: Client, agent_id: AgentId) -> AgentId:
        await client.resume(agent_id)
        return agent_id

    _say("resumed", agent, with_agent(runtime_dir, agent, use), output)


@app.command(epilog="Examples: caxton agent stop echo; caxton agent stop 00c0ffee00c0ffee --drain -o json")
@reports_errors
def stop(
    agent: AgentArgument,
    *,
    drain: Annotated[
        bool, typer.Option("--drain", help="Let it finish what it has first; `caxton agent drain` also waits for that.")
    ] = False,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Let an agent take no more messages. Its name stays taken."""

    async def use(client: Client, agent_id: AgentId) -> AgentId:
        await client.stop(agent_id, drain=drain)
        return agent_id

    _say("stopped", agent, with_agent(runtime_dir, agent, use), output)


@app.command(epilog="Examples: caxton agent drain echo; caxton agent drain 00c0ffee00c0ffee --timeout 60 -o json")
@reports_errors
def drain(
    agent: AgentArgument,
    *,
    timeout: Annotated[
        float, typer.Option(min=0.0, max=LONGEST_DRAIN_S, help="Seconds after which it is stopped as it is.")
    ] = DRAIN_TIMEOUT_S,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Let an agent finish its conversations and what waits for it, take nothing new, and stop; wait until it has."""

    async def use(client: Client, agent_id: AgentId) -> Drained:
        return await client.drain(agent_id, timeout_s=timeout)

    drained = with_agent(runtime_dir, agent, use)
    left = {"conversations": drained.conversations, "messages": drained.messages}
    if output is Format.JSON:
        print_json({"agent_id": str(drained.agent_id), "drained": drained.is_complete, **left})
    elif drained.is_complete:
        print_text(f"drained {agent}: nothing was left")
    else:
        open_ones = ", ".join(counted(number, name) for name, number in left.items() if number)
        print_text(f"stopped {agent} at its timeout, and left {open_ones}")


@app.command(epilog="Examples: caxton agent remove echo; caxton agent remove 00c0ffee00c0ffee -o json")
@reports_errors
def remove(agent: AgentArgument, runtime_dir: RuntimeDirOption = None, output: Output = Format.TEXT) -> None:
    """Stop an agent and forget it, its name included; what waits for it goes to the dead letters."""

    async def use(client: Client, agent_id: AgentId) -> AgentId:
        await client.remove(agent_id)
        return agent_id

    _say("removed", agent, with_agent(runtime_dir, agent, use), output)


@app.command(
    epilog="Examples: caxton agent waiting echo; caxton agent waiting echo --limit 20; "
    "caxton agent waiting 00c0ffee00c0ffee -o json"
)
@reports_errors
def waiting(
    agent: AgentArgument,
    *,
    limit: LimitOption = None,
    whole: WholeOption = False,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """List the messages that wait for an agent, without what they say."""
    listing = Listing("messages that wait", _WAITING, most(limit, output, whole=whole), output)

    async def use(client: Client, agent_id: AgentId) -> None:
        await listing.show(client.waiting(agent_id, limit=listing.asked), partial(kept_values, with_content=False))
        listing.end()

    with_agent(runtime_dir, agent, use)


def _say(done: str, agent: str, agent_id: AgentId, output: Format) -> None:
    if output is Format.JSON:
        print_json({"agent_id": str(agent_id), done: True})
    else:
        print_text(f"{done} {agent}")


def _row(view: AgentView) -> dict[str, Any]:
    counters = view.counters
    return {
        "id": AgentId(view.agent_id),
        "name": view.name,
        "state": view.state,
        "shard": view.shard,
        "queued": view.queued,
        "run": counters.get("run", 0),
        "failed": counters.get("failed", 0) + counters.get("agent_errors", 0),
    }


def _values(view: AgentView) -> dict[str, Any]:
    """Return an agent as `-o json` prints it."""
    values: dict[str, Any] = msgspec.to_builtins(AgentForm.of(view))
    return values


def _share(member: dict[str, Any]) -> str:
    return f"{member['under_way']} under way{'' if member['is_there'] else ', leaving or silent'}"

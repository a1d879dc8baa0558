"""`caxton agent`: deploy, list, inspect, pause, resume, stop, remove."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from caxton.agents.limits import BOUNDS, DEFAULT_LIMITS, MIB, Limits
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import (
    Format,
    JsonItems,
    Output,
    print_hint,
    print_json,
    print_table,
    print_text,
    reports_errors,
)
from caxton.cli.pages import LimitOption, WholeOption, most
from caxton.cli.session import AgentArgument, with_agent, with_client
from caxton.client.client import Client
from caxton.ids import AgentId
from caxton.wire.calls import AgentView

app = typer.Typer(
    name="agent",
    help="Deploy agents, look at them, pause, stop and remove them.",
    epilog="Examples: caxton agent deploy echo echo.wasm; caxton agent list; caxton agent inspect echo; "
    "caxton agent stop echo --drain; caxton agent deploy --help",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


class ModuleEncoding(StrEnum):
    """The encodings of a module; an attached agent has none, and its encoding is not for the command line."""

    CONTENT = "content"
    MSGPACK = "msgpack"


def _limit(name: str, meaning: str) -> Any:
    least, most = BOUNDS[name]
    return typer.Option(
        min=least, max=most, help=f"{meaning} Default {getattr(DEFAULT_LIMITS, name)}.", show_default=False
    )


@app.command(
    epilog="Examples: caxton agent deploy echo echo.wasm; caxton agent deploy tally counter.wasm --encoding msgpack "
    "--max-memory-mb 64 --capability count; caxton agent deploy split splitter.wasm --encoding msgpack -o json"
)
@reports_errors
def deploy(
    name: Annotated[str, typer.Argument(help="The agent's name, which nobody else has.", show_default=False)],
    wasm: Annotated[
        Path, typer.Argument(help="Its core module.", exists=True, dir_okay=False, readable=True, show_default=False)
    ],
    *,
    encoding: Annotated[
        ModuleEncoding, typer.Option(help="What it reads and writes: content alone, or whole messages as msgpack.")
    ] = ModuleEncoding.CONTENT,
    capability: Annotated[
        list[str] | None, typer.Option(help="What it can do; may be given again.", show_default=False)
    ] = None,
    max_memory_mb: Annotated[
        int | None, typer.Option(min=1, max=BOUNDS["max_memory_bytes"][1] // MIB, help="Memory in MiB. Default 16.")
    ] = None,
    max_fuel: Annotated[int | None, _limit("max_fuel", "Fuel of one call, about one a wasm instruction.")] = None,
    max_execution_ms: Annotated[int | None, _limit("max_execution_ms", "Computing time of one call, in ms.")] = None,
    max_message_bytes: Annotated[int | None, _limit("max_message_bytes", "Content that it takes, in bytes.")] = None,
    max_output_bytes: Annotated[int | None, _limit("max_output_bytes", "What one turn may return, in bytes.")] = None,
    max_output_messages: Annotated[int | None, _limit("max_output_messages", "Messages one turn may send.")] = None,
    mailbox_capacity: Annotated[int | None, _limit("mailbox_capacity", "Messages that may wait for it.")] = None,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Deploy an agent."""
    given = {
        "max_memory_bytes": None if max_memory_mb is None else max_memory_mb * MIB,
        "max_fuel": max_fuel,
        "max_execution_ms": max_execution_ms,
        "max_message_bytes": max_message_bytes,
        "max_output_bytes": max_output_bytes,
        "max_output_messages": max_output_messages,
        "mailbox_capacity": mailbox_capacity,
    }
    limits = Limits(**{field: value for field, value in given.items() if value is not None})

    async def use(client: Client) -> AgentId:
        return await client.deploy(
            name, wasm, encoding=encoding.value, capabilities=tuple(capability or ()), limits=limits
        )

    agent_id = with_client(runtime_dir, use)
    if output is Format.JSON:
        print_json({"agent_id": str(agent_id), "name": name})
    else:
        print_text(f"deployed {name}, id {agent_id}")


@app.command(
    "list",
    epilog="Examples: caxton agent list; caxton agent list --limit 20; caxton agent list --all; "
    "caxton agent list -o json",
)
@reports_errors
def list_agents(
    *,
    limit: LimitOption = None,
    whole: WholeOption = False,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """List agents by name."""
    count = most(limit, output, whole=whole)

    async def use(client: Client) -> list[AgentView]:
        return await client.agents()

    views = sorted(with_client(runtime_dir, use), key=lambda view: view.name)
    if output is Format.JSON:
        items = JsonItems()
        for view in views[:count]:
            items.add(_values(view))
        items.end()
        return
    shown = views[:count]
    left = len(views) - len(shown)
    title = f"{len(shown):,} of {len(views):,} agents" if left else f"{len(views):,} agents"
    print_table(title, ["id", "name", "state", "shard", "queued", "run", "failed"], map(_row, shown))
    if left:
        print_hint(f"{left:,} more agents; see them with --all, or --limit and how many")


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
    print_table(
        str(values["name"]), ["", ""], [*plain, ["capabilities", ", ".join(values["capabilities"]) or "none"], *nested]
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
        bool, typer.Option("--drain", help="Handle what waits for it first. Otherwise that goes to the dead letters.")
    ] = False,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Let an agent take no more messages. Its name stays taken."""

    async def use(client: Client, agent_id: AgentId) -> AgentId:
        await client.stop(agent_id, drain=drain)
        return agent_id

    _say("stopped", agent, with_agent(runtime_dir, agent, use), output)


@app.command(epilog="Examples: caxton agent remove echo; caxton agent remove 00c0ffee00c0ffee -o json")
@reports_errors
def remove(agent: AgentArgument, runtime_dir: RuntimeDirOption = None, output: Output = Format.TEXT) -> None:
    """Stop an agent and forget it, its name included; what waits for it goes to the dead letters."""

    async def use(client: Client, agent_id: AgentId) -> AgentId:
        await client.remove(agent_id)
        return agent_id

    _say("removed", agent, with_agent(runtime_dir, agent, use), output)


def _say(done: str, agent: str, agent_id: AgentId, output: Format) -> None:
    if output is Format.JSON:
        print_json({"agent_id": str(agent_id), done: True})
    else:
        print_text(f"{done} {agent}")


def _row(view: AgentView) -> list[object]:
    run, failed = (view.counters.get(name, 0) for name in ("run", "failed"))
    return [AgentId(view.agent_id), view.name, view.state, view.shard, view.queued, run, failed]


def _values(view: AgentView) -> dict[str, Any]:
    """Return an agent as `-o json` prints it."""
    return {
        "agent_id": str(AgentId(view.agent_id)),
        "name": view.name,
        "state": view.state,
        "shard": view.shard,
        "encoding": view.encoding,
        "capabilities": list(view.capabilities),
        "module_sha256": view.module.hex(),
        "instantiated": view.instantiated,
        "queued": view.queued,
        "limits": view.limits,
        "counters": view.counters,
    }

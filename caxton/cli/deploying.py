"""`caxton agent deploy` and `validate`: one agent by its module and options, or those that manifests describe."""

import asyncio
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from caxton.agents.deployment import Deployment
from caxton.agents.limits import BOUNDS, DEFAULT_CAPACITY, DEFAULT_LIMITS, MIB, Limits
from caxton.agents.manifest import DEFAULT_WEIGHT, MAX_WEIGHT, Encoding
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import FAILED, Format, Output, print_json, print_text, report_error, reports_errors
from caxton.cli.progress import agents_done
from caxton.cli.session import with_client
from caxton.cli.validation import check_modules
from caxton.client.client import Client
from caxton.errors import CaxtonError
from caxton.ids import AgentId
from caxton.manifests.mistakes import Mistake
from caxton.manifests.reading import examine
from caxton.printable import counted

EXAMPLES = (
    "Examples: caxton agent deploy echo echo.wasm; caxton agent deploy tally counter.wasm --encoding msgpack "
    "--max-memory-mb 64 --capability count; caxton agent deploy agent.toml; caxton agent deploy agents/ -o json"
)
EXAMPLES_OF_VALIDATE = "Examples: caxton agent validate agent.toml; caxton agent validate agents/ system.toml -o json"
# Agents that are deployed between two steps of the progress.
_AT_A_TIME = 500
# Errors of agents that are told on standard error; `-o json` has all.
_MOST_TOLD = 10

RootOption = Annotated[
    Path | None,
    typer.Option(
        "--root",
        metavar="DIR",
        exists=True,
        file_okay=False,
        help="The folder below which the modules are that manifests name. Otherwise the manifests' own.",
        show_default=False,
    ),
]


class ModuleEncoding(StrEnum):
    """The encodings of a module; an attached agent has none, and its encoding is not for the command line."""

    CONTENT = "content"
    MSGPACK = "msgpack"


def _limit(name: str, meaning: str) -> Any:
    least, most = BOUNDS[name]
    usual = f"{DEFAULT_CAPACITY}, or the runtime's --inbound-queue-size"
    return typer.Option(
        min=least, max=most, help=f"{meaning} Default {getattr(DEFAULT_LIMITS, name) or usual}.", show_default=False
    )


@reports_errors
def deploy(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|MANIFEST",
            help="The agent's name, which nobody else has, with a module behind it; or else a manifest, or a folder of "
            "manifests.",
            show_default=False,
        ),
    ],
    wasm: Annotated[
        Path | None,
        typer.Argument(help="Its core module.", exists=True, dir_okay=False, readable=True, show_default=False),
    ] = None,
    *,
    encoding: Annotated[
        ModuleEncoding | None,
        typer.Option(
            help="What it reads and writes: content alone, or whole messages as msgpack. Default content.",
            show_default=False,
        ),
    ] = None,
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
    max_hops: Annotated[int | None, _limit("max_hops", "How far from its root what it sends to agents may be.")] = None,
    weight: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_WEIGHT, help="Its share where a capability is balanced by weight. Default 1."),
    ] = None,
    escalate_to: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who is sent what it fails on as often as it may.", show_default=False),
    ] = None,
    root: RootOption = None,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Deploy an agent, or those that manifests describe."""
    given = {
        "max_memory_bytes": None if max_memory_mb is None else max_memory_mb * MIB,
        "max_fuel": max_fuel,
        "max_execution_ms": max_execution_ms,
        "max_message_bytes": max_message_bytes,
        "max_output_bytes": max_output_bytes,
        "max_output_messages": max_output_messages,
        "mailbox_capacity": mailbox_capacity,
        "max_hops": max_hops,
    }
    limits = {field: value for field, value in given.items() if value is not None}
    if wasm is None:
        if limits or encoding or capability or weight or escalate_to:
            raise typer.BadParameter("what an agent may stands in its manifest: options are for a name and a module")
        _deploy_manifests(Path(name), root, runtime_dir, output)
        return
    if root is not None:
        raise typer.BadParameter("it is for manifests", param_hint="--root")

    async def use(client: Client) -> AgentId:
        return await client.deploy(
            name,
            wasm,
            encoding=(encoding or Encoding.CONTENT).value,
            capabilities=tuple(capability or ()),
            limits=Limits(**limits),
            escalate_to=escalate_to,
            weight=weight or DEFAULT_WEIGHT,
        )

    agent_id = with_client(runtime_dir, use)
    if output is Format.JSON:
        print_json({"agent_id": str(agent_id), "name": name})
    else:
        print_text(f"deployed {name}, id {agent_id}")


@reports_errors
def validate(
    manifests: Annotated[
        list[Path], typer.Argument(metavar="MANIFEST...", help="Files, or folders of them.", show_default=False)
    ],
    *,
    root: RootOption = None,
    compiles: Annotated[
        bool, typer.Option("--compile/--no-compile", help="Have each module compiled, as a deployment has it.")
    ] = True,
    output: Output = Format.TEXT,
) -> None:
    """Say all that is wrong with manifests, each with its line; no runtime is needed. Exit code 1 if anything is."""
    reading = examine(manifests, root)
    mistakes = reading.mistakes
    if compiles:
        asyncio.run(check_modules(reading))
    if output is Format.JSON:
        print_json(
            {
                "files": reading.files,
                "agents": len(reading.agents),
                "mistakes": [_mistake(one) for one in mistakes.found],
                "more": mistakes.more,
            }
        )
    else:
        for one in mistakes.found:
            print_text(str(one))
        what = counted(len(mistakes), "mistakes") if mistakes else "no mistakes"
        print_text(f"{counted(reading.files, 'manifests')}, {counted(len(reading.agents), 'agents')}: {what}")
    if mistakes:
        raise typer.Exit(FAILED)


def _deploy_manifests(path: Path, root: Path | None, runtime_dir: Path | None, output: Format) -> None:
    if path.suffix == ".wasm":
        raise typer.BadParameter(
            f"{str(path)!r} is a module and no manifest; name the agent first, as in "
            f"`caxton agent deploy {path.stem} {path}`"
        )
    if not os.path.exists(path):  # noqa: PTH110 (a path that is too long is none)
        raise typer.BadParameter(
            f"there is no manifest {str(path)!r}; to deploy a module, name the agent and then the module"
        )
    reading = examine([path], root)
    reading.mistakes.check(path)

    async def use(client: Client) -> list[AgentId | CaxtonError]:
        results: list[AgentId | CaxtonError] = []
        with agents_done(len(reading.agents)) as advance:
            for start in range(0, len(reading.agents), _AT_A_TIME):
                some = reading.agents[start : start + _AT_A_TIME]
                results += await client.deploy_many(some)
                advance(len(some))
        return results

    results = with_client(runtime_dir, use)
    failed = [error for error in results if isinstance(error, CaxtonError)]
    told = [_result(one, result) for one, result in zip(reading.agents, results, strict=True)]
    if output is Format.JSON:
        print_json(told)
    else:
        for each in told:
            if each["error"] is None:
                print_text(f"deployed {each['name']}, id {each['agent_id']}")
    for error in failed[:_MOST_TOLD]:
        report_error(error, output)
    if failed:
        raise typer.Exit(FAILED)


def _result(deployment: Deployment, result: AgentId | CaxtonError) -> dict[str, Any]:
    failed = isinstance(result, CaxtonError)
    return {
        "name": deployment.name,
        "agent_id": None if failed else str(result),
        "error": {"error": type(result).__name__, "message": str(result)} if failed else None,
    }


def _mistake(one: Mistake) -> dict[str, Any]:
    return {"file": one.file, "line": one.line, "key": one.key, "problem": one.problem}

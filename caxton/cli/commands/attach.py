"""`caxton attach`."""

import asyncio
import logging
import os
import signal
from pathlib import Path
from typing import Annotated

import typer

import caxton
from caxton.cli.options import RuntimeDirOption, resolve_runtime_dir
from caxton.cli.output import Format, Output, print_json, print_text, reports_errors
from caxton.cli.reload import run_again_when_changed
from caxton.client.attached.agent import DRAIN_S
from caxton.client.calls.agent_calls import LONGEST_DRAIN_S
from caxton.client.hosting.definition import definition_of
from caxton.client.hosting.imported import agents_of
from caxton.lines import LogLines

# Whatever stands in its place in this process, as a console that collects text does.
_STDERR = 2
EXAMPLES = (
    "Examples: caxton attach shop; caxton attach shop:translate shop:Seller --replace; "
    "caxton attach shop --group; caxton attach shop --reload; caxton attach shop -o json"
)


@reports_errors
def attach(
    agents: Annotated[
        list[str],
        typer.Argument(
            metavar="MODULE[:NAME]...",
            help="Agents, by the module that defines them; all that it defines, or one.",
            show_default=False,
        ),
    ],
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take over agents that another program has attached.")
    ] = False,
    group: Annotated[
        bool, typer.Option("--group", help="Share them with other programs that do so too: up to 64 for each agent.")
    ] = False,
    drain: Annotated[
        float, typer.Option(min=0.0, max=LONGEST_DRAIN_S, help="Seconds for the calls that run when this ends.")
    ] = DRAIN_S,
    reload: Annotated[
        bool, typer.Option("--reload", help="Start anew when a Python file below this directory has changed.")
    ] = False,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Be the program of agents written in Python, until Ctrl-C or SIGTERM.

    They are functions and classes under @caxton.agent(name).
    """
    if reload:
        raise typer.Exit(run_again_when_changed(Path.cwd()))
    logging.basicConfig(level=logging.WARNING, handlers=[LogLines(_STDERR)])
    asyncio.run(
        _host(agents_of(agents), resolve_runtime_dir(runtime_dir), output, replace=replace, group=group, drain_s=drain)
    )


async def _host(
    agents: list[object], runtime_dir: Path, output: Format, *, replace: bool, group: bool, drain_s: float
) -> None:
    """Host them until a signal comes, and let the calls that run end."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    hosting = {"replace": replace, "group": group}
    async with caxton.connect(runtime_dir) as client, client.host(*agents, **hosting, drain_s=drain_s):
        names = [definition_of(agent).name for agent in agents]
        if output is Format.JSON:
            print_json({"event": "attached", "agents": names, "pid": os.getpid()})
        else:
            print_text(f"attached {', '.join(names)}; Ctrl-C ends")
        await asked.wait()

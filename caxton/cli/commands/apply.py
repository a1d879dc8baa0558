"""`caxton apply`: agents as a file says."""

from pathlib import Path
from typing import Annotated, Any

import typer

from caxton.cli.deploying import RootOption
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import FAILED, Format, Output, print_hint, print_json, print_text, reports_errors
from caxton.cli.progress import agents_done
from caxton.cli.session import with_client
from caxton.client.calls.agent_calls import LONGEST_DRAIN_S
from caxton.client.calls.apply_calls import APPLY_DRAIN_TIMEOUT_S
from caxton.client.calls.plans import Action, Change
from caxton.client.client import Client
from caxton.manifests.reading import read_system
from caxton.printable import counted

EXAMPLES = (
    "Examples: caxton apply -f system.toml --dry-run; caxton apply -f system.toml; "
    "caxton apply -f system.toml --replace --prune -o json"
)
_DONE = {
    Action.DEPLOY: "deployed",
    Action.UPDATE: "updated",
    Action.REPLACE: "replaced",
    Action.REMOVE: "removed",
    Action.LEAVE: "left",
}


@reports_errors
def apply(
    file: Annotated[
        Path, typer.Option("-f", "--file", metavar="FILE", help="A system of agents, or one.", show_default=False)
    ],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Drain, remove and deploy anew what cannot be changed in place; states of these are forgotten.",
        ),
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Drain and remove agents of the system that are not in the file any more.")
    ] = False,
    drain_timeout: Annotated[
        float,
        typer.Option(
            min=0.0, max=LONGEST_DRAIN_S, help="Seconds for each drain; what is left then is among the dead letters."
        ),
    ] = APPLY_DRAIN_TIMEOUT_S,
    root: RootOption = None,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Make agents what a file says: deploy what is new, change what differs, and touch nothing else."""
    system = read_system(file, root=root)

    async def use(client: Client) -> list[Change]:
        if dry_run:
            return await client.plan(system, replace=replace, prune=prune)
        done: list[Change] = []
        with agents_done(len(system.agents)) as advance:
            async for change in client.apply(system, replace=replace, prune=prune, drain_timeout_s=drain_timeout):
                done.append(change)
                advance(1)
        return done

    changes = with_client(runtime_dir, use)
    if output is Format.JSON:
        told = [_values(change) for change in changes]
        print_json({"system": system.name, "dry_run": dry_run, "changes": told})
    else:
        _print(changes, dry_run=dry_run)
    if any(change.problem or (dry_run and change.is_open) for change in changes):
        raise typer.Exit(FAILED)


def _print(changes: list[Change], *, dry_run: bool) -> None:
    for change in changes:
        if change.action is not Action.KEEP:
            print_text(_line(change, dry_run=dry_run))
    kept = sum(change.action is Action.KEEP for change in changes)
    print_text(f"unchanged: {counted(kept, 'agents') if kept else 'none'}")
    names = [change.name for change in changes if change.action is Action.LEAVE]
    if names:
        print_hint(f"{counted(len(names), 'agents')} of this system, not in the file any more: --prune removes them")


def _line(change: Change, *, dry_run: bool) -> str:
    """Return what is done, was done or went wrong."""
    if dry_run or change.problem:
        needs = f"; needs --{change.needs}" if change.needs else ""
        return f"{change}{needs}"
    return str(change).replace(change.action.value, _DONE[change.action], 1)


def _values(change: Change) -> dict[str, Any]:
    return {name: getattr(change, name) for name in change.__struct_fields__}

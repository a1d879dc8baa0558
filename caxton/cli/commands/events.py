"""`caxton events`."""

from typing import Annotated

import msgspec
import typer

from caxton.cli.following import show_until_told
from caxton.cli.moments import since_1970_ms
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import Format, Output, print_json, print_text, reports_errors
from caxton.cli.session import found_agent, with_client
from caxton.client.client import Client
from caxton.forms.events import EventForm
from caxton.forms.moments import moment
from caxton.wire.events import SEVERITIES, EventView

EXAMPLES = (
    "Examples: caxton events; caxton events -f --kind worker_died --kind agent_failed; "
    "caxton events --agent tally --since 1h; caxton events -o json"
)
_WIDEST = max(map(len, SEVERITIES))


@reports_errors
def events(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens, until Ctrl-C.")] = False,
    kind: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help="Only events of this kind. May be repeated.", show_default=False),
    ] = None,
    agent: Annotated[
        str | None,
        typer.Option(metavar="NAME|ID", help="Only what is about this agent; it may be gone.", show_default=False),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="MOMENT",
            help="Only what happened since then: so long ago, such as 90s, 10m, 2h or 1d, or a moment of local time, "
            "such as 2026-01-31T12:00.",
            show_default=False,
        ),
    ] = None,
    after: Annotated[
        str, typer.Option(metavar="CURSOR", help="Only what came behind the event of this cursor.", show_default=False)
    ] = "",
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Show what happened in this run: agents, workers, health, limits, the gateway; and what happens, live.

    The last 10,000 events are kept. JSON is one a line, each with the cursor behind it.
    """
    since_ms = None if since is None else since_1970_ms("--since", since)

    async def use(client: Client) -> None:
        about = None if agent is None else await found_agent(client, agent)
        found = client.events(since=since_ms, after=after, kinds=kind or (), agent=about, follow=follow)
        await show_until_told(found, _show_as_json if output is Format.JSON else _show)

    with_client(runtime_dir, use)


async def _show(event: EventView) -> None:
    where = "" if event.shard is None else f"shard {event.shard}: "
    print_text(f"{moment(event.at)} {event.severity:{_WIDEST}} {event.kind} {where}{event.text}")


async def _show_as_json(event: EventView) -> None:
    print_json(msgspec.to_builtins(EventForm.of(event)))

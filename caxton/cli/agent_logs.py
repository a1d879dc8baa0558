"""`caxton agent logs`."""

from enum import StrEnum
from typing import Annotated

import typer

from caxton.agents.manifest import Encoding
from caxton.cli.following import show_until_told
from caxton.cli.moments import since_1970_ms
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import Format, Output, print_hint, print_json, print_text, reports_errors
from caxton.cli.pages import MOST
from caxton.cli.session import AgentArgument, with_agent
from caxton.client.client import Client
from caxton.forms.moments import moment
from caxton.ids import AgentId
from caxton.wire.watching import NOTE, LogLine

LOGS_EXAMPLES = (
    "Examples: caxton agent logs tally; caxton agent logs tally --tail 20 --follow; "
    "caxton agent logs tally --since 10m --level warning -o json"
)
_WIDEST_LEVEL = len("warning")


class LogLevelName(StrEnum):
    """The levels of lines that guests log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@reports_errors
def logs(
    agent: AgentArgument,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what it logs, until Ctrl-C.")] = False,
    tail: Annotated[
        int | None, typer.Option(min=0, max=MOST, help="Only the last so many.", show_default=False)
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="MOMENT",
            help="Only what it logged since then: so long ago, such as 90s, 10m, 2h or 1d, or a moment of local time, "
            "such as 2026-01-31T12:00.",
            show_default=False,
        ),
    ] = None,
    level: Annotated[LogLevelName, typer.Option(help="Only lines of this level or a higher one.")] = LogLevelName.DEBUG,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Show what a sandboxed agent logged: the last 1,000 lines at most, since its worker started. JSON is one a line.

    What is missing, and that the worker was restarted, is said on standard error; as JSON among the lines, as a "note".
    """
    since_ms = None if since is None else since_1970_ms("--since", since)

    async def use(client: Client, agent_id: AgentId) -> None:
        if (await client.inspect(agent_id)).encoding == Encoding.ATTACHED:
            print_hint(f"{agent} is the agent of a program: what it logs stands where its program logs")
            return
        found = client.logs(agent_id, tail=tail, since=since_ms, level=level.value, follow=follow)
        await show_until_told(found, _show_as_json if output is Format.JSON else _show)

    with_agent(runtime_dir, agent, use)


async def _show(line: LogLine) -> None:
    """Print a line for people; what is no line of the agent's goes to standard error."""
    if line.level_number == NOTE:
        print_hint(line.text)
    else:
        print_text(f"{moment(line.at)} {line.level:{_WIDEST_LEVEL}} {line.message_id} {line.text}")


async def _show_as_json(line: LogLine) -> None:
    """Print a line as one JSON object."""
    message_id = None if line.message_id is None else str(line.message_id)
    values = {"at": moment(line.at), "level": line.level, "message_id": message_id, "text": line.text}
    print_json(values | {"number": line.number, "missed": line.missed})

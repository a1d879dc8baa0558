"""`caxton audit`: show, verify."""

from typing import Annotated

import msgspec
import typer

from caxton.cli.moments import since_1970_ms
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import FAILED, Format, Output, print_json, print_table, print_text, reports_errors
from caxton.cli.session import with_client
from caxton.client.client import Client
from caxton.forms.audit import AuditForm
from caxton.forms.moments import moment
from caxton.wire.audit import AuditRow

app = typer.Typer(
    name="audit",
    help="What operators and programs had done, and for whom; and whether that was changed since.",
    epilog="Examples: caxton audit show --since 1d; caxton audit verify; caxton audit show --help",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command(epilog="Examples: caxton audit show --agent tally; caxton audit show --since 1h -o json")
@reports_errors
def show(
    agent: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only what was done to this agent.", show_default=False)
    ] = None,
    principal: Annotated[
        str | None, typer.Option(metavar="WHO", help='Only for this one; "" is the owner.', show_default=False)
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="MOMENT",
            help="Only what was done since then: so long ago, such as 90s, 10m, 2h or 1d, or a moment of local time, "
            "such as 2026-01-31T12:00.",
            show_default=False,
        ),
    ] = None,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Show what was done, oldest first: of each shard the last 100,000 rows. JSON is one a line."""
    since_ms = None if since is None else since_1970_ms("--since", since)

    async def use(client: Client) -> list[AuditRow]:
        return await client.audit(since=since_ms, principal=principal, subject=agent)

    found = with_client(runtime_dir, use)
    if output is Format.JSON:
        for row in found:
            print_json(msgspec.to_builtins(AuditForm.of(row)))
        return
    rows = [[moment(row.at), row.principal or "the owner", row.action, row.subject, row.outcome] for row in found]
    print_table("audit", ["at", "for", "action", "subject", "outcome"], rows)


@app.command(epilog="Examples: caxton audit verify; caxton audit verify -o json")
@reports_errors
def verify(runtime_dir: RuntimeDirOption = None, output: Output = Format.TEXT) -> None:
    """Look whether every row is what was written, and none is gone or was put in; exits with 1 when not."""

    async def use(client: Client) -> list[str]:
        return await client.verify_audit()

    found = with_client(runtime_dir, use)
    if output is Format.JSON:
        print_json({"whole": not found, "faults": found})
    else:
        for fault in found or ["the audit is what was written"]:
            print_text(fault)
    if found:
        raise typer.Exit(FAILED)

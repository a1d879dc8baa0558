"""`caxton audit`: show, verify, head."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from caxton.cli.moments import since_1970_ms
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import FAILED, Format, Output, TableItems, print_hint, print_json, print_text, reports_errors
from caxton.cli.pages import LimitOption, WholeOption, most
from caxton.cli.session import with_client
from caxton.client.client import Client
from caxton.errors import ConfigurationError
from caxton.forms.audit import AuditForm, HeadForm
from caxton.forms.moments import moment
from caxton.store.regular_file import opened
from caxton.supervisor.premises.audit_look import verify_audit
from caxton.wire.audit import AnchoredHead, AuditRow
from caxton.wire.audit_check import KeptHead

# A head is a line; whatever is longer is something else.
_MOST_HEAD_BYTES = 10_000
_REMEDY = "give what `caxton audit head` printed, or a file with it"
_NAMED = ("at", "for", "action", "subject", "outcome")

app = typer.Typer(
    name="audit",
    help="What was done, for whom, and what was denied; and whether that was changed since.",
    epilog="Examples: caxton audit show --since 1d; caxton audit verify; caxton audit show --help",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command(epilog="Examples: caxton audit show --agent tally; caxton audit show --since 1h -o json")
@reports_errors
def show(
    *,
    agent: Annotated[
        str | None,
        typer.Option("--agent", "--subject", metavar="NAME", help="Only what was done to this.", show_default=False),
    ] = None,
    principal: Annotated[
        str | None,
        typer.Option(
            metavar="WHO", help='Only for this one: "" is the owner, runtime its own doings.', show_default=False
        ),
    ] = None,
    action: Annotated[
        str | None, typer.Option(metavar="ACTION", help="Only this, such as deny or restart.", show_default=False)
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
    limit: LimitOption = None,
    whole: WholeOption = False,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Show what was done, oldest first: the last of it, as many as --limit says. JSON is one a line."""
    since_ms = None if since is None else since_1970_ms("--since", since)
    count = most(limit, output, whole=whole)

    async def use(client: Client) -> None:
        rows = client.audit(
            since=since_ms, principal=principal, subject=agent, action=action, newest_first=count is not None
        )
        if count is None:
            await _show_all(rows, output)
        else:
            await _show_last(rows, count, output)

    with_client(runtime_dir, use)


@app.command(
    epilog="Examples: caxton audit verify; caxton audit verify --head head.txt; caxton audit verify --data-dir ./data"
)
@reports_errors
def verify(
    head: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NUMBER:HASH",
            help="What `caxton audit head` printed once, or a file with that: all of before then is compared with it.",
            show_default=False,
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Of a runtime that nobody serves: what is in there, as it lies.", show_default=False),
    ] = None,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Look whether every row is what was written, and none is gone or was put in; exits with 1 when not."""
    kept = None if head is None else _kept(head)

    async def use(client: Client) -> list[str]:
        return await client.verify_audit("" if kept is None else str(kept))

    found = with_client(runtime_dir, use) if data_dir is None else verify_audit(data_dir.absolute(), kept)
    if output is Format.JSON:
        print_json({"whole": not found, "faults": found})
    else:
        for fault in found or ["the audit is what was written"]:
            print_text(fault)
    if found:
        raise typer.Exit(FAILED)


@app.command(epilog="Examples: caxton audit head > head.txt; caxton audit head -o json")
@reports_errors
def head(runtime_dir: RuntimeDirOption = None, output: Output = Format.TEXT) -> None:
    """Print NUMBER:HASH, which speaks for all rows of now: keep it on another machine, for `verify --head`."""

    async def use(client: Client) -> AnchoredHead:
        return await client.audit_head()

    found = with_client(runtime_dir, use)
    if output is Format.JSON:
        print_json(msgspec.to_builtins(HeadForm.of(found)))
    else:
        print_text(str(KeptHead(found.last, found.hash)))
    if found.away:
        shards = ", ".join(map(str, found.away))
        print_hint(f"shards that did not answer: {shards}; what was done last in them is not in it: ask again later")


async def _show_all(rows: AsyncIterator[AuditRow], output: Format) -> None:
    items = TableItems(_NAMED)
    async for row in rows:
        if output is Format.JSON:
            print_json(msgspec.to_builtins(AuditForm.of(row)))
        else:
            items.add(_cells(row))
    if output is not Format.JSON:
        items.end()


async def _show_last(rows: AsyncIterator[AuditRow], count: int, output: Format) -> None:
    """Show so many of the rows, which come newest first, in the order in which they were written."""
    last: list[AuditRow] = []
    more = False
    async for row in rows:
        if len(last) == count:
            more = True
            break
        last.append(row)

    async def turned() -> AsyncIterator[AuditRow]:
        for row in reversed(last):
            yield row

    await _show_all(turned(), output)
    if more and output is not Format.JSON:
        print_hint("there are more rows before these; see them with --all, or --limit and how many")


def _cells(row: AuditRow) -> dict[str, object]:
    who = row.principal or "the owner"
    return dict(zip(_NAMED, (moment(row.at), who, row.action, row.subject, row.outcome), strict=True))


def _kept(text: str) -> KeptHead:
    """Return the head that is named: itself, or a file that has it, as text or as JSON."""
    try:
        return KeptHead.read(text)
    except ValueError as error:
        problem = str(error)
    path = Path(text)
    try:
        with opened(path) as descriptor:
            told = os.read(descriptor, _MOST_HEAD_BYTES).decode()
    except (OSError, ValueError) as error:
        raise ConfigurationError("--head", f"{text!r:.200}: {problem}, and no file ({error})", _REMEDY) from None
    try:
        return msgspec.json.decode(told, type=HeadForm).kept if told.lstrip().startswith("{") else KeptHead.read(told)
    except (msgspec.DecodeError, ValueError):
        raise ConfigurationError("--head", f"{text!r:.200} has no head in it", _REMEDY) from None

"""`caxton token`: create, list, revoke."""

import time
from typing import Annotated, Any

import msgspec
import typer

from caxton.cli.moments import to_come_ms
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import Format, Output, print_hint, print_json, print_table, print_text, reports_errors
from caxton.cli.session import with_client
from caxton.client.client import Client
from caxton.forms.moments import moment
from caxton.tokens.role import Role
from caxton.wire.tokens import NewToken, TokenView

app = typer.Typer(
    name="token",
    help="Tokens with which others come in by the gateway: make them, list them, revoke them.",
    epilog="Examples: caxton token create ci --role sender; caxton token list; caxton token revoke --help",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

_LISTED = ("token_id", "name", "role", "agents", "state", "created_at", "expires_at")


@app.command(
    epilog="Examples: caxton token create grafana --role viewer; caxton token create shop --role sender "
    "--agents 'shop-*' --agents till --expires 30d; caxton token create ci --role admin -o json"
)
@reports_errors
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people know it by.", show_default=False)],
    role: Annotated[
        Role,
        typer.Option(
            help="viewer: look. sender: also send and request. operator: also pause, resume, drain, stop, requeue, "
            "purge, restart. admin: also deploy, remove, and make tokens.",
            show_default=False,
        ),
    ],
    agents: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="The agents that it is for, by their names; * stands for any text. Otherwise all. May be repeated.",
            show_default=False,
        ),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="When it ends: in a time such as 12h or 30d, or at a moment such as 2026-01-31T12:00. "
            "Otherwise never.",
            show_default=False,
        ),
    ] = None,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Make a token and print it, once: the runtime keeps no more than a digest of it."""
    until_ms = None if expires is None else to_come_ms("--expires", expires)

    async def use(client: Client) -> NewToken:
        return await client.create_token(name, role, agents=agents or (), expires_at=until_ms)

    made = with_client(runtime_dir, use)
    if output is Format.JSON:
        print_json({"token": made.token} | _values(made.about))
        return
    print_text(made.token)
    ends = "never expires" if made.about.expires_at is None else f"expires at {moment(made.about.expires_at)}"
    print_hint(
        f"token {made.about.token_id}: {made.about.role} for {', '.join(made.about.agents)}; it {ends}, and is not "
        "shown again"
    )


@app.command("list", epilog="Examples: caxton token list; caxton token list -o json")
@reports_errors
def list_tokens(runtime_dir: RuntimeDirOption = None, output: Output = Format.TEXT) -> None:
    """List all tokens, also those that are over, the oldest first. What is secret of them is kept nowhere."""

    async def use(client: Client) -> list[TokenView]:
        return await client.tokens()

    found = [_values(token) for token in with_client(runtime_dir, use)]
    if output is Format.JSON:
        print_json(found)
        return
    rows = [[_cell(value[name]) for name in _LISTED] for value in found]
    print_table("tokens", [name.replace("_", " ") for name in _LISTED], rows)


@app.command(epilog="Examples: caxton token revoke 5f1c09d4a2b37e68; caxton token revoke 5f1c09d4a2b37e68 -o json")
@reports_errors
def revoke(
    token_id: Annotated[
        str, typer.Argument(metavar="ID", help="Its id, as `caxton token list` shows it.", show_default=False)
    ],
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Let nobody in with a token any more, from now on."""

    async def use(client: Client) -> TokenView:
        return await client.revoke_token(token_id)

    revoked = with_client(runtime_dir, use)
    if output is Format.JSON:
        print_json(_values(revoked))
    else:
        print_text(f"token {revoked.token_id} ({revoked.name}) lets nobody in any more")


def _values(token: TokenView) -> dict[str, Any]:
    """Return a token's values, with what it is now; times as text."""
    now_ms = time.time_ns() // 1_000_000
    expired = token.expires_at is not None and now_ms >= token.expires_at
    state = "revoked" if token.revoked_at is not None else "expired" if expired else "valid"
    values = msgspec.structs.asdict(token) | {"state": state}
    return values | {name: moment(values[name]) for name in ("created_at", "expires_at", "revoked_at")}


def _cell(value: object) -> object:
    return ", ".join(value) if isinstance(value, tuple) else value

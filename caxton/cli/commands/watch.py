"""`caxton watch`."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import typer

from caxton.acl.message import Message
from caxton.cli.following import show_until_told
from caxton.cli.message_text import content_values, head_values
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import Format, Output, print_hint, print_json, print_text, reports_errors
from caxton.cli.party_names import PartyNames
from caxton.cli.session import found_agent, not_found, with_client
from caxton.client.client import Client
from caxton.errors import AgentNotFound, ParseError
from caxton.forms.moments import moment
from caxton.ids import ConversationId
from caxton.printable import counted
from caxton.wire.watching import WatchedMessage

EXAMPLES = (
    "Examples: caxton watch tally; caxton watch tally --contents; "
    "caxton watch 019b76da-a800-7abc-8000-000000003000 -o json"
)


@reports_errors
def watch(
    what: Annotated[
        str,
        typer.Argument(
            metavar="NAME|ID",
            help="An agent's name or its id, or a conversation's id.",
            show_default=False,
        ),
    ],
    *,
    contents: Annotated[
        bool, typer.Option("--contents", help="Show what messages say, too: the first 4 KiB of each.")
    ] = False,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Show the messages of an agent or of a conversation as they go by, until Ctrl-C.

    JSON is one message a line. Messages that went by unseen, because there were too many, are counted on standard
    error; as JSON among the lines, as a "note".
    """

    async def use(client: Client) -> None:
        try:
            conversation = ConversationId.parse(what)
        except ParseError:
            try:
                found = client.watch(await found_agent(client, what), with_content=contents)
                await _show_all(client, found, contents=contents, output=output)
            except AgentNotFound:
                raise await not_found(client, what) from None
        else:
            found = client.watch(conversation=conversation, with_content=contents)
            await _show_all(client, found, contents=contents, output=output)

    with_client(runtime_dir, use)


async def _show_all(client: Client, found: AsyncIterator[WatchedMessage], *, contents: bool, output: Format) -> None:
    names = PartyNames(client)

    async def show(one: WatchedMessage) -> None:
        if output is Format.JSON:
            print_json(_values(one, contents=contents))
        elif one.message is None:
            print_hint(one.note)
        else:
            print_text(await _line(one, one.message, names))

    await show_until_told(found, show)


async def _line(one: WatchedMessage, message: Message, names: PartyNames) -> str:
    """Return a message as a line for people."""
    sender = "the runtime" if one.is_automatic else await names.of(message.sender)
    parts: list[object] = [moment(one.at), message.performative.act, sender, "->", await names.of(message.receiver)]
    parts += [counted(one.content_bytes, "bytes"), message.message_id]
    parts += [f"refused: {one.error}"] if one.error else []
    parts += [message.content.decode(errors="backslashreplace")] if message.content else []
    return " ".join(map(str, parts))


def _values(one: WatchedMessage, *, contents: bool) -> dict[str, Any]:
    """Return what went by as `-o json` prints it."""
    values: dict[str, Any] = {"at": moment(one.at), "shard": one.shard}
    message = one.message
    if message is None:
        return values | {"note": one.note, "missed": one.missed}
    values |= head_values(message) | {
        "receiver": str(message.receiver),
        "protocol": message.protocol,
        "reliability": message.delivery_options.reliability,
        "automatic": one.is_automatic,
        "content_bytes": one.content_bytes,
        "error": one.error or None,
    }
    return values | content_values(message.content) if contents else values

"""`caxton conversation`: list, show, stats, resume."""

from typing import Annotated, Any

import msgspec
import typer

from caxton.acl.conversation_limits import MAX_TIMEOUT_S, MIN_TIMEOUT_S
from caxton.acl.performative import ACTS
from caxton.cli.conversation_id import conversation_id
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import Format, Output, print_json, print_table, print_text, reports_errors
from caxton.cli.pages import LimitOption, Listing, WholeOption, most
from caxton.cli.session import with_client
from caxton.client.client import Client
from caxton.conversations.state import TOLD_STATES
from caxton.conversations.view import ConversationView
from caxton.errors import AgentNotFound, ParseError
from caxton.forms.conversation_form import ConversationForm
from caxton.forms.moments import moment
from caxton.ids import AgentId
from caxton.printable import counted
from caxton.wire.told import ConversationStats

app = typer.Typer(
    name="conversation",
    help="What agents and clients say to each other, by conversation.",
    epilog="Examples: caxton conversation list --agent tally; caxton conversation stats; "
    "caxton conversation show 019b76da-a800-7abc-8000-000000003000",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

ConversationArgument = Annotated[str, typer.Argument(metavar="ID", help="The conversation's id.", show_default=False)]
_LISTED = ("id", "state", "protocol", "initiator", "participants", "messages", "last_activity")


@app.command(
    "list",
    epilog='Examples: caxton conversation list; caxton conversation list --agent tally --state "in progress"; '
    "caxton conversation list --all -o json",
)
@reports_errors
def list_conversations(
    *,
    agent: Annotated[
        str | None,
        typer.Option(metavar="NAME|ID", help="Only those that this agent takes part in.", show_default=False),
    ] = None,
    state: Annotated[
        str | None, typer.Option(help=f"Only those in this state: {', '.join(TOLD_STATES)}.", show_default=False)
    ] = None,
    limit: LimitOption = None,
    whole: WholeOption = False,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """List conversations, mostly in the order in which they began; those that ended of late are among them."""
    listing = Listing("conversations", _LISTED, most(limit, output, whole=whole), output)

    async def use(client: Client) -> None:
        found = client.conversations(agent=_meant(agent), state=state, limit=listing.asked)
        await listing.show(found, _row if output is Format.TEXT else view_values)
        listing.end()

    with_client(runtime_dir, use)


@app.command(
    epilog="Examples: caxton conversation show 019b76da-a800-7abc-8000-000000003000; "
    "caxton conversation show 019b76da-a800-7abc-8000-000000003000 -o json"
)
@reports_errors
def show(
    conversation: ConversationArgument, runtime_dir: RuntimeDirOption = None, output: Output = Format.TEXT
) -> None:
    """Show all about one conversation, and its last messages as they were said."""
    meant = conversation_id(conversation)

    async def use(client: Client) -> tuple[ConversationView, dict[int, str]]:
        view = await client.conversation(meant)
        return view, {} if output is Format.JSON else await _names(client, view)

    view, names = with_client(runtime_dir, use)
    values = view_values(view)
    if output is Format.JSON:
        print_json(values)
        return
    said = values.pop("history")
    print_table(str(view.id), ["", ""], (values | _shown(view, names)).items())
    print_table(
        f"the last {len(said)} of {counted(view.messages, 'messages')}",
        ["sent_at", "act", "from", "to", "bytes", "answers", "content"],
        _told(view, names),
    )


@app.command(epilog="Examples: caxton conversation stats; caxton conversation stats -o json")
@reports_errors
def stats(runtime_dir: RuntimeDirOption = None, output: Output = Format.TEXT) -> None:
    """Show how many conversations there are, how long they are, and how many take part."""

    async def use(client: Client) -> ConversationStats:
        return await client.conversation_stats()

    found = with_client(runtime_dir, use)
    values = msgspec.structs.asdict(found)
    if output is Format.JSON:
        print_json(values)
        return
    distribution = values.pop("participants_distribution")
    print_table("conversations", ["", ""], values.items())
    if distribution:
        print_table("those that go on", ["participants", "conversations"], distribution.items())


@app.command(
    epilog="Examples: caxton conversation resume 019b76da-a800-7abc-8000-000000003000; "
    "caxton conversation resume 019b76da-a800-7abc-8000-000000003000 --timeout 3600 -o json"
)
@reports_errors
def resume(
    conversation: ConversationArgument,
    timeout: Annotated[
        int | None,
        typer.Option(
            min=MIN_TIMEOUT_S,
            max=MAX_TIMEOUT_S,
            help="For so many seconds from now. Otherwise for as long as it could last before.",
            show_default=False,
        ),
    ] = None,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Let a conversation go on that expired or came to a limit; its limits begin anew."""
    meant = conversation_id(conversation)

    async def use(client: Client) -> ConversationView:
        return await client.resume_conversation(meant, timeout_s=timeout)

    view = with_client(runtime_dir, use)
    if output is Format.JSON:
        print_json(view_values(view))
    else:
        print_text(f"conversation {view.id} is {view.state} again, until {moment(view.expires_at)}")


def view_values(view: ConversationView) -> dict[str, Any]:
    """Return a conversation as `-o json` prints it."""
    values: dict[str, Any] = msgspec.to_builtins(ConversationForm.of(view))
    return values


def _shown(view: ConversationView, names: dict[int, str]) -> dict[str, str]:
    """Return in words what is a list or a table otherwise."""
    limits = view_values(view)["limits"]
    return {
        "participants": ", ".join(names.get(int(party), str(party)) for party in view.participants),
        "shards": ", ".join(map(str, view.shards)),
        "limits": ", ".join(f"{name} {value}" for name, value in limits.items()) or "as usual",
    }


def _row(view: ConversationView) -> dict[str, Any]:
    return view_values(view) | {"participants": len(view.participants)}


def _told(view: ConversationView, names: dict[int, str]) -> list[list[object]]:
    """Return the history as rows: who said what to whom, and which of the lines above it answers.

    What the runtime says by itself stands in no party's name, though it travels under that of who it is about.
    """
    lines = {said.message_id: number for number, said in enumerate(view.history, 1)}
    rows: list[list[object]] = []
    for said in view.history:
        answers = None if said.in_reply_to is None else lines.get(said.in_reply_to)
        parties = [names.get(party, str(AgentId(party))) for party in (said.sender, said.receiver)]
        if said.automatic:
            parties[0] = "the runtime"
        content = "" if said.content is None else said.content.decode(errors="backslashreplace")
        number = "" if answers is None else f"line {answers}"
        rows.append([moment(said.sent_at), ACTS[said.performative], *parties, said.size, number, content])
    return rows


async def _names(client: Client, view: ConversationView) -> dict[int, str]:
    """Return the names of agents that take part, as far as they are still there."""
    names: dict[int, str] = {}
    for party in view.participants:
        if party.is_session:
            names[int(party)] = f"client {party}"
            continue
        try:
            names[int(party)] = (await client.inspect(party)).name
        except AgentNotFound:
            names[int(party)] = str(party)
    return names


def _meant(agent: str | None) -> AgentId | str | None:
    """Return the agent that is named: 16 hex digits are an id."""
    if agent is None:
        return None
    try:
        return AgentId.parse(agent)
    except ParseError:
        return agent

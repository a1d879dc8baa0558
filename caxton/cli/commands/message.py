"""`caxton message`: send, request."""

import base64
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from caxton.acl.message import Message
from caxton.acl.performative import ACTS, Performative
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import Format, Output, print_json, print_text, reports_errors
from caxton.cli.session import AgentArgument, with_agent
from caxton.client.client import Client
from caxton.ids import AgentId

app = typer.Typer(name="message", help="Talk to agents.", no_args_is_help=True, rich_markup_mode=None)

ContentArgument = Annotated[
    str | None,
    typer.Argument(metavar="[CONTENT]", help="What to say; - is read from standard input.", show_default=False),
]
FileOption = Annotated[
    Path | None,
    typer.Option("--file", help="Say what is in this file.", exists=True, dir_okay=False, readable=True),
]
PerformativeOption = Annotated[
    str, typer.Option(metavar="ACT", help=f"The communicative act, in FIPA's spelling: {', '.join(ACTS)}.")
]


@app.command(
    epilog="Examples: caxton message send tally press; caxton message send tally --file word.txt; "
    "printf press | caxton message send tally -"
)
@reports_errors
def send(
    agent: AgentArgument,
    content: ContentArgument = None,
    file: FileOption = None,
    performative: PerformativeOption = "inform",
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Send one message. Returns when it is in the agent's mailbox."""
    said, act = _content(content, file), _act(performative)

    async def use(client: Client, agent_id: AgentId) -> AgentId:
        await client.send(agent_id, said, performative=act)
        return agent_id

    agent_id = with_agent(runtime_dir, agent, use)
    if output is Format.JSON:
        print_json({"placed": True, "receiver": str(agent_id), "performative": act.act, "bytes": len(said)})
    else:
        print_text(f"placed {len(said)} bytes with {agent}")


@app.command(
    epilog="Examples: caxton message request echo hello; caxton message request echo --file text.txt > answer; "
    "date | caxton message request echo - --timeout 1 -o json"
)
@reports_errors
def request(
    agent: AgentArgument,
    content: ContentArgument = None,
    file: FileOption = None,
    performative: PerformativeOption = "request",
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait for the answer.")] = 5.0,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Send one message and print the content of its answer, byte for byte."""
    said, act = _content(content, file), _act(performative)

    async def use(client: Client, agent_id: AgentId) -> Message:
        return await client.request(agent_id, said, performative=act, timeout_s=timeout)

    reply = with_agent(runtime_dir, agent, use)
    if output is Format.JSON:
        print_json(_values(reply))
        return
    sys.stdout.buffer.write(reply.content)
    if sys.stdout.isatty():
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()


def _content(content: str | None, file: Path | None) -> bytes:
    """Return the bytes to send; raises BadParameter unless there is exactly one source of them."""
    if (content is None) == (file is None):
        raise typer.BadParameter("give the content, or - for standard input, or --file, and one of them only")
    if file is not None:
        return file.read_bytes()
    return sys.stdin.buffer.read() if content == "-" else os.fsencode(content or "")


def _act(performative: str) -> Performative:
    try:
        return Performative.parse(performative)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--performative") from None


def _values(reply: Message) -> dict[str, Any]:
    """Return a message as `-o json` prints it: `content` when it is text, `content_base64` when it is not."""
    try:
        content = {"content": reply.content.decode()}
    except UnicodeDecodeError:
        content = {"content_base64": base64.b64encode(reply.content).decode()}
    ids = {name: getattr(reply, name) for name in ("message_id", "conversation_id", "in_reply_to")}
    return {
        "performative": reply.performative.act,
        "sender": None if reply.sender is None else str(reply.sender),
        **{name: None if value is None else str(value) for name, value in ids.items()},
        **content,
    }

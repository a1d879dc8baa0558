"""`caxton message`: send, request."""

import os
import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from caxton.acl.envelope import MAX_CONTENT
from caxton.acl.message import Message
from caxton.acl.options import DEFAULT_RETRIES, DEFAULT_TIMEOUT_MS, DeliveryOptions, Lane, Level
from caxton.acl.performative import ACTS, Performative
from caxton.cli.message_options import (
    KeyOption,
    Priority,
    PriorityOption,
    Reliability,
    ReliabilityOption,
    RetriesOption,
    TimeoutOption,
)
from caxton.cli.message_text import message_values
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import Format, Output, print_content, print_json, print_text, reports_errors
from caxton.cli.session import AgentArgument, with_agent
from caxton.client.client import Client
from caxton.client.routes.receipts import Receipt
from caxton.errors import ConfigurationError, MessageTooLarge
from caxton.ids import AgentId

app = typer.Typer(
    name="message",
    help="Talk to agents.",
    epilog="Examples: caxton message send tally press; caxton message request echo hello; caxton message send --help",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

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
    "printf press | caxton message send tally - --reliability at_most_once; "
    "caxton message send tally press --idempotency-key order-17 --priority high --max-retries 4"
)
@reports_errors
def send(
    agent: AgentArgument,
    content: ContentArgument = None,
    file: FileOption = None,
    performative: PerformativeOption = "inform",
    *,
    reliability: ReliabilityOption = Reliability.AT_LEAST_ONCE,
    priority: PriorityOption = Priority.NORMAL,
    timeout_ms: TimeoutOption = DEFAULT_TIMEOUT_MS,
    max_retries: RetriesOption = DEFAULT_RETRIES,
    idempotency_key: KeyOption = None,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Send one message. Returns when it is safe: committed, or, at_most_once, in the agent's mailbox."""
    said, act = _content(content, file), _act(performative)
    options = DeliveryOptions(
        reliability=reliability.value,
        priority=Level[priority.name],
        timeout_ms=timeout_ms,
        max_retries=max_retries,
        idempotency_key=idempotency_key,
    )

    async def use(client: Client, agent_id: AgentId) -> tuple[AgentId, Receipt]:
        return agent_id, await client.send(agent_id, said, performative=act, options=options)

    agent_id, receipt = with_agent(runtime_dir, agent, use)
    if output is Format.JSON:
        told = {"message_id": str(receipt.message_id), "reliability": receipt.lane.reliability}
        print_json(told | {"receiver": str(agent_id), "performative": act.act, "bytes": len(said)})
    else:
        done = "committed" if receipt.lane is Lane.DURABLE else "placed"
        print_text(f"{done} {len(said)} bytes with {agent}, message {receipt.message_id}")


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
    """Send one message and print the content of its answer: byte for byte, or, on a terminal, what of it prints."""
    said, act = _content(content, file), _act(performative)

    async def use(client: Client, agent_id: AgentId) -> Message:
        return await client.request(agent_id, said, performative=act, timeout_s=timeout)

    reply = with_agent(runtime_dir, agent, use)
    if output is Format.JSON:
        print_json(message_values(reply))
        return
    print_content(reply.content)


def _content(content: str | None, file: Path | None) -> bytes:
    """Return the bytes to send; raises BadParameter unless there is exactly one source of them."""
    if (content is None) == (file is None):
        raise typer.BadParameter("give the content, or - for standard input, or --file, and one of them only")
    if file is not None:
        with file.open("rb") as opened:
            return _read(opened, str(file))
    return _read(sys.stdin.buffer, "standard input") if content == "-" else os.fsencode(content or "")


def _read(source: BinaryIO, name: str) -> bytes:
    """Return what a source says; raises ConfigurationError when it cannot be read, MessageTooLarge."""
    try:
        said = source.read(MAX_CONTENT + 1)
    except OSError as error:
        raise ConfigurationError(name, error.strerror or str(error), "give what to say in another way") from None
    if len(said) > MAX_CONTENT:
        raise MessageTooLarge.of(len(said), MAX_CONTENT, f"{name}, as far as it was read")
    return said


def _act(performative: str) -> Performative:
    try:
        return Performative.parse(performative)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--performative") from None

"""`caxton message`: send, broadcast, request, show."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from caxton.acl.capability import Balancing, Capability
from caxton.acl.message import Message
from caxton.acl.options import DEFAULT_RETRIES, DEFAULT_TIMEOUT_MS, DeliveryOptions, Lane, Level
from caxton.acl.performative import ACTS, Performative
from caxton.cli.asked import ToOption, asked_of, names_of_asked
from caxton.cli.broadcast_text import print_results
from caxton.cli.capable import BalancingOption, ReceiverArgument, capability_of
from caxton.cli.conversation_id import conversation_id
from caxton.cli.handled import handled
from caxton.cli.message_content import ContentArgument, FileOption, content_of
from caxton.cli.message_options import (
    ConversationOption,
    ExpiresOption,
    HopsOption,
    KeyOption,
    Priority,
    PriorityOption,
    ReceiptOption,
    ReceiptTimeoutOption,
    Reliability,
    ReliabilityOption,
    RetriesOption,
    TimeoutOption,
)
from caxton.cli.message_text import kept_values, message_values
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import (
    FAILED,
    Format,
    Output,
    print_content,
    print_hint,
    print_json,
    print_table,
    print_text,
    reports_errors,
)
from caxton.cli.session import with_agent, with_client
from caxton.client.client import Client
from caxton.client.routes.receipts import Receipt
from caxton.errors import CaxtonError
from caxton.ids import AgentId, ConversationId, SecretUuidSource
from caxton.wire.kept import KeptMessage

T = TypeVar("T")
# In place of a conversation's id: one that begins now.
_NEW = "new"

app = typer.Typer(
    name="message",
    help="Talk to agents.",
    epilog="Examples: caxton message send tally press; caxton message request echo hello; "
    "caxton message broadcast hello --to @talk; caxton message send --help",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

PerformativeOption = Annotated[
    str, typer.Option(metavar="ACT", help=f"The communicative act, in FIPA's spelling: {', '.join(ACTS)}.")
]


@app.command(
    epilog="Examples: caxton message send tally press; caxton message send tally --file word.txt; "
    "printf press | caxton message send tally - --reliability at_most_once; "
    "caxton message send tally press --idempotency-key order-17 --priority high --max-retries 4; "
    "caxton message send tally press --receipt; caxton message send @translate hello --balancing round_robin"
)
@reports_errors
def send(
    agent: ReceiverArgument,
    content: ContentArgument = None,
    file: FileOption = None,
    performative: PerformativeOption = "inform",
    *,
    reliability: ReliabilityOption = Reliability.AT_LEAST_ONCE,
    priority: PriorityOption = Priority.NORMAL,
    timeout_ms: TimeoutOption = DEFAULT_TIMEOUT_MS,
    max_retries: RetriesOption = DEFAULT_RETRIES,
    idempotency_key: KeyOption = None,
    max_hops: HopsOption = None,
    expires_at: ExpiresOption = None,
    receipt: ReceiptOption = False,
    receipt_timeout: ReceiptTimeoutOption = 30.0,
    balancing: BalancingOption = Balancing.LEAST_CONNECTIONS,
    conversation: ConversationOption = None,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Send one message. Returns when it is safe: committed, or, at_most_once, in the agent's mailbox.

    With --receipt it returns when the message was handled; what its agent failed with is this command's error.
    """
    said, act = content_of(content, file), _act(performative)
    options = DeliveryOptions(
        reliability=reliability.value,
        priority=Level[priority.name],
        timeout_ms=timeout_ms,
        max_retries=max_retries,
        receipt=receipt,
        idempotency_key=idempotency_key,
        max_hops=max_hops,
        expires_at=None if expires_at is None else expires_at.astimezone(),
    )

    meant = _conversation(conversation)

    async def use(client: Client, to: AgentId | str | Capability) -> tuple[AgentId | None, Receipt]:
        sent = await client.send(to, said, performative=act, options=options, conversation_id=meant)
        asked = sent.agent if isinstance(to, Capability) else to
        if receipt and sent.is_new and asked is not None:
            await handled(client, sent, receipt_timeout, asked)
        return (None if asked is None else client.id_of(asked)), sent

    agent_id, sent = _with_receiver(runtime_dir, agent, capability_of(agent, balancing), use)
    if output is Format.JSON:
        told = {"message_id": str(sent.message_id), "reliability": sent.lane.reliability}
        asked = {"handled": True if sent.is_new else None} if receipt else {}
        tried = {"tried": [str(before) for before in sent.tried]} if sent.agent is not None else {}
        print_json(
            told
            | {"receiver": str(agent_id), "performative": act.act, "bytes": len(said)}
            | asked
            | tried
            | _named(meant)
        )
    else:
        done = "committed" if sent.lane is Lane.DURABLE else "placed"
        whom = agent if sent.agent is None else f"{sent.agent} for {agent}"
        known = "handled" if sent.is_new else "its key was known before, so that no receipt comes"
        heard = f"; {known}" if receipt else ""
        print_text(f"{done} {len(said)} bytes with {whom}, message {sent.message_id}{_also(meant)}{heard}")


@app.command(
    epilog="Examples: caxton message request echo hello; caxton message request echo --file text.txt > answer; "
    "date | caxton message request echo - --timeout 1 -o json; caxton message request @translate hello; "
    "caxton message request shop 17 --performative query-ref --protocol fipa-query"
)
@reports_errors
def request(
    agent: ReceiverArgument,
    content: ContentArgument = None,
    file: FileOption = None,
    performative: PerformativeOption = "request",
    *,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait for the answer.")] = 5.0,
    balancing: BalancingOption = Balancing.LEAST_CONNECTIONS,
    conversation: ConversationOption = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The protocol that it begins: in fipa-request, fipa-query an agree is no answer yet.",
        ),
    ] = None,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Send one message and print the content of its answer: byte for byte, or, on a terminal, what of it prints."""
    said, act = content_of(content, file), _act(performative)

    meant = _conversation(conversation)

    async def use(client: Client, to: AgentId | str | Capability) -> Message:
        return await client.request(
            to, said, performative=act, timeout_s=timeout, conversation_id=meant, protocol=protocol
        )

    reply = _with_receiver(runtime_dir, agent, capability_of(agent, balancing), use)
    if output is Format.JSON:
        print_json(message_values(reply))
        return
    print_content(reply.content)
    if conversation == _NEW:
        print_hint(f"it began conversation {meant}")


@app.command(
    epilog="Examples: caxton message broadcast 'we close at noon' --to @shop; "
    "caxton message broadcast --file news.txt --to anna --to bert --reliability at_most_once -o json"
)
@reports_errors
def broadcast(
    content: ContentArgument = None,
    file: FileOption = None,
    performative: PerformativeOption = "inform",
    *,
    to: ToOption = [],  # noqa: B006 (typer takes a copy)
    reliability: ReliabilityOption = Reliability.AT_LEAST_ONCE,
    conversation: ConversationOption = None,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Send several agents the same message, and show what came of each. Exit code 1 when one did not get it."""
    said, act, asked, meant = content_of(content, file), _act(performative), asked_of(to), _conversation(conversation)
    options = DeliveryOptions(reliability=reliability.value)

    async def use(client: Client) -> tuple[dict[AgentId, str], dict[AgentId, Receipt | CaxtonError]]:
        results = await client.broadcast(said, asked, performative=act, options=options, conversation_id=meant)
        return await names_of_asked(client, asked, [*results]), results

    names, results = with_client(runtime_dir, use)
    print_results(names, results, meant, output)
    if any(isinstance(result, CaxtonError) for result in results.values()):
        raise typer.Exit(FAILED)


@app.command(
    epilog="Examples: caxton message show 019b76da-a800-7abc-8000-000000003000; "
    "caxton message show 019b76da-a800-7abc-8000-000000003000 -o json"
)
@reports_errors
def show(
    message_id: Annotated[str, typer.Argument(metavar="ID", help="The message's id.", show_default=False)],
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Show where a message is that the runtime still keeps, and all about it."""

    async def use(client: Client) -> KeptMessage:
        return await client.message(message_id)

    values = kept_values(with_client(runtime_dir, use), with_content=True)
    if output is Format.JSON:
        print_json(values)
    else:
        print_table(message_id, ["", ""], values.items())


def _with_receiver(
    runtime_dir: Path | None,
    agent: str,
    capability: Capability | None,
    use: Callable[[Client, AgentId | str | Capability], Awaitable[T]],
) -> T:
    """Let `use` do its work with an agent, or with a capability if that is what stands on the command line.

    An agent that is named is handed on by its name, so that errors and dead letters tell it.
    """
    if capability is not None:
        return with_client(runtime_dir, lambda client: use(client, capability))

    async def named(client: Client, agent_id: AgentId) -> T:
        return await use(client, agent if agent_id == client.id_of(agent) else agent_id)

    return with_agent(runtime_dir, agent, named)


def _conversation(named: str | None) -> ConversationId | None:
    """Return the conversation of the command line; raises ParseError for what is no id."""
    if named is None:
        return None
    return (
        ConversationId(SecretUuidSource(time.time_ns() // 1_000_000).next())
        if named == _NEW
        else conversation_id(named, may_be_new=True)
    )


def _named(conversation: ConversationId | None) -> dict[str, str]:
    return {} if conversation is None else {"conversation_id": str(conversation)}


def _also(conversation: ConversationId | None) -> str:
    return "" if conversation is None else f", conversation {conversation}"


def _act(performative: str) -> Performative:
    try:
        return Performative.parse(performative)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--performative") from None

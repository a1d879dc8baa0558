"""`caxton protocol`: contract-net, auction, subscribe."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from caxton.acl.capability import Capability
from caxton.acl.message import Message
from caxton.acl.performative import Performative
from caxton.cli.asked import ToOption, asked_of, names_of_asked
from caxton.cli.auction_text import price_of, print_auction
from caxton.cli.capable import ReceiverArgument, capability_of
from caxton.cli.message_content import ContentArgument, FileOption, content_of
from caxton.cli.message_text import content_values, message_values
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import FAILED, Format, Output, print_json, print_table, print_text, reports_errors
from caxton.cli.session import with_agent, with_client
from caxton.client.client import Client
from caxton.client.interactions.auction import ROUND_S, AuctionKind, AuctionResult
from caxton.client.interactions.contract_net import DEADLINE_S, RESULT_TIMEOUT_S, ContractResult, Outcome
from caxton.client.interactions.subscription import QUIET_S
from caxton.errors import CaxtonError, to_fields
from caxton.ids import AgentId

app = typer.Typer(
    name="protocol",
    help="Negotiate with agents by FIPA's interaction protocols.",
    epilog="Examples: caxton protocol contract-net '{}' --to anna --to bert; caxton protocol contract-net --help",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


class Choice(StrEnum):
    """Which proposal wins."""

    LOWEST = "lowest"
    HIGHEST = "highest"
    FIRST = "first"


_DONE = (Outcome.AWARDED, Outcome.AWARDED_AFTER_TIE)
_ROWS = ("agent", "said", "content")
_LONGEST_SHOWN = 60


@app.callback()
def protocol() -> None:
    """Negotiate with agents by FIPA's interaction protocols."""


@app.command(
    name="contract-net",
    epilog="Examples: caxton protocol contract-net '{}' --to anna --to bert; "
    "caxton protocol contract-net '{}' --to @freight; "
    "caxton protocol contract-net --file task.json --to anna --to bert --choose highest --deadline 5 -o json",
)
@reports_errors
def contract_net(
    task: ContentArgument = None,
    to: ToOption = [],  # noqa: B006 (typer takes a copy)
    file: FileOption = None,
    *,
    choose: Annotated[
        Choice, typer.Option(help="Who wins: the lowest or highest number that was proposed, or the first of --to.")
    ] = Choice.LOWEST,
    deadline: Annotated[float, typer.Option(min=0.001, help="Seconds in which agents may propose.")] = DEADLINE_S,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds the winner has to do it.")] = RESULT_TIMEOUT_S,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Have agents bid for a task, award it to the best, and show what came of it. Exit code 1 when it was not done."""
    content = content_of(task, file)

    async def use(client: Client) -> tuple[dict[AgentId, str], ContractResult]:
        asked = asked_of(to)
        result = await client.contract_net(content, asked, choose=choose.value, deadline_s=deadline, timeout_s=timeout)
        return await names_of_asked(client, asked, [*result.refusals, *_senders(result.proposals)]), result

    names, result = with_client(runtime_dir, use)
    if output is Format.JSON:
        print_json(_values(names, result))
    else:
        _print(names, result)
    if result.outcome not in _DONE:
        raise typer.Exit(FAILED)


@app.command(
    epilog="Examples: caxton protocol auction 'a cow' --to anna --to bert --start 100 --step 10 --reserve 150; "
    "caxton protocol auction tulips --to @flowers --kind dutch --start 9.50 --step 0.25 --reserve 4 -o json"
)
@reports_errors
def auction(
    item: ContentArgument = None,
    to: ToOption = [],  # noqa: B006 (typer takes a copy)
    file: FileOption = None,
    *,
    start: Annotated[str, typer.Option(metavar="PRICE", help="The first price that is called.", show_default=False)],
    step: Annotated[str, typer.Option(metavar="PRICE", help="By how much prices rise or fall.", show_default=False)],
    reserve: Annotated[
        str | None, typer.Option(metavar="PRICE", help="Below it nothing is sold.", show_default=False)
    ] = None,
    kind: Annotated[AuctionKind, typer.Option(help="english: prices rise. dutch: they fall.")] = AuctionKind.ENGLISH,
    deadline: Annotated[float, typer.Option(min=0.001, help="Seconds in which agents may bid a price.")] = ROUND_S,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Auction something off among agents, and show every price. Exit code 1 when it was not sold."""
    content, asked = content_of(item, file), asked_of(to)
    first, by = price_of(start, "--start"), price_of(step, "--step")
    least = None if reserve is None else price_of(reserve, "--reserve")

    async def use(client: Client) -> tuple[dict[AgentId, str], AuctionResult]:
        result = await client.auction(
            content, asked, start=first, step=by, reserve=least, kind=kind, deadline_s=deadline
        )
        bidders = {bidder for each in result.rounds for bidder in each.bidders}
        return await names_of_asked(client, asked, [*bidders, *result.out]), result

    names, result = with_client(runtime_dir, use)
    print_auction(names, result, output)
    if result.winner is None:
        raise typer.Exit(FAILED)


@app.command(
    epilog="Examples: caxton protocol subscribe ticker; caxton protocol subscribe @weather Berlin --count 3 -o json; "
    "caxton protocol subscribe ticker --quiet 60"
)
@reports_errors
def subscribe(
    agent: ReceiverArgument,
    content: ContentArgument = None,
    file: FileOption = None,
    *,
    count: Annotated[
        int | None, typer.Option(min=1, help="End after so many messages. Without: at Ctrl-C.", show_default=False)
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds the agent has for its first word.")] = 5.0,
    quiet: Annotated[float, typer.Option(min=0.001, help="Seconds for which it may tell nothing.")] = QUIET_S,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Print what an agent tells, a line each, and cancel at the end. Exit code 1 when the agent refused or failed."""
    said = b"" if content is None and file is None else content_of(content, file)
    capability = capability_of(agent)

    async def use(client: Client, to: AgentId | Capability) -> Message | None:
        left = count
        async with client.subscribe(to, said, timeout_s=timeout, quiet_s=quiet) as news:
            async for message in news:
                _print_told(message, output)
                left = None if left is None else left - 1
                if left == 0:
                    return None
        return news.last_word

    last = (
        with_agent(runtime_dir, agent, use)
        if capability is None
        else with_client(runtime_dir, lambda client: use(client, capability))
    )
    if last is not None:
        _print_told(last, output)
        raise typer.Exit(FAILED)


def _print_told(message: Message, output: Format) -> None:
    """Print one message of a subscription on one line."""
    if output is Format.JSON:
        print_json(message_values(message))
    elif message.performative is Performative.INFORM:
        print_text(message.content.decode(errors="backslashreplace"))
    else:
        print_text(f"{message.performative.act} {_shown(message.content)}")


def _senders(messages: Sequence[Message]) -> list[AgentId]:
    return [message.sender for message in messages if message.sender is not None]


def _values(names: dict[AgentId, str], result: ContractResult) -> dict[str, Any]:
    return {
        "conversation_id": str(result.conversation_id),
        "outcome": result.outcome.value,
        "winner": names.get(result.winner) if result.winner else None,
        "result": None if result.result is None else _said(result.result),
        "error": None if result.error is None else _error(result.error),
        "proposals": {_name(names, each): content_values(each.content) for each in result.proposals},
        "refusals": {
            names[agent]: _error(said) if isinstance(said, CaxtonError) else _said(said)
            for agent, said in result.refusals.items()
        },
        "tied": [_name(names, each) for each in result.tied],
    }


def _name(names: dict[AgentId, str], proposal: Message) -> str:
    sender = proposal.sender
    return "" if sender is None else names.get(sender, str(sender))


def _said(message: Message) -> dict[str, str]:
    return {"performative": message.performative.act, **content_values(message.content)}


def _error(error: CaxtonError) -> dict[str, Any]:
    return {"error": type(error).__name__, "fields": to_fields(error), "message": str(error)}


def _print(names: dict[AgentId, str], result: ContractResult) -> None:
    rows = [(_name(names, each), each.performative.act, _shown(each.content)) for each in result.proposals]
    for agent, said in result.refusals.items():
        answer = ("", str(said)) if isinstance(said, CaxtonError) else (said.performative.act, _shown(said.content))
        rows.append((names[agent], *answer))
    print_table(f"contract net {result.conversation_id}", _ROWS, rows)
    winner = "nobody" if result.winner is None else names[result.winner]
    print_text(f"{result.outcome.value.replace('_', ' ')}: {winner}")
    if result.result is not None:
        print_text(f"{result.result.performative.act} {_shown(result.result.content)}")
    if result.error is not None:
        print_text(str(result.error))


def _shown(content: bytes) -> str:
    text = content[: _LONGEST_SHOWN + 1].decode(errors="backslashreplace")
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"

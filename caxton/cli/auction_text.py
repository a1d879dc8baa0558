"""An auction on the command line: its prices, and what came of it, for people and for programs."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

import typer

from caxton.acl.message import Message
from caxton.cli.output import Format, print_json, print_table, print_text
from caxton.client.interactions.auction import AuctionResult
from caxton.errors import CaxtonError, to_fields
from caxton.ids import AgentId


def price_of(text: str, option: str) -> Decimal:
    """Return a price of the command line; raises BadParameter for what is no number."""
    try:
        return Decimal(text)
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is no number", param_hint=option) from None


def print_auction(names: Mapping[AgentId, str], result: AuctionResult, output: Format) -> None:
    """Print every price with who bid it, and who has it."""
    winner = None if result.winner is None else names[result.winner]
    price = None if result.price is None else str(result.price)
    if output is Format.JSON:
        print_json(
            {
                "conversation_id": str(result.conversation_id),
                "outcome": result.outcome.value,
                "winner": winner,
                "price": price,
                "rounds": [
                    {"price": str(each.price), "bidders": [names[bidder] for bidder in each.bidders]}
                    for each in result.rounds
                ],
                "out": {names[agent]: _said(said) for agent, said in result.out.items()},
                "tied": [names[agent] for agent in result.tied],
            }
        )
        return
    rows = [(each.price, ", ".join(names[bidder] for bidder in each.bidders)) for each in result.rounds]
    print_table(f"auction {result.conversation_id}", ("price", "bid by"), rows)
    for agent, said in result.out.items():
        print_text(f"out: {names[agent]}: {said if isinstance(said, CaxtonError) else said.performative.act}")
    print_text(f"{result.outcome.value.replace('_', ' ')}: {winner or 'nobody'}{'' if price is None else f', {price}'}")


def _said(said: Message | CaxtonError) -> dict[str, object]:
    if isinstance(said, CaxtonError):
        return {"error": type(said).__name__, "fields": to_fields(said), "message": str(said)}
    return {"performative": said.performative.act}

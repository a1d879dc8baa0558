"""The auctioneer of an English or a Dutch auction (FIPA XC00031, XC00032): the prices, who leads, and how it ends."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

import msgspec

from caxton.acl.message import Message
from caxton.acl.performative import Performative
from caxton.errors import CaxtonError, Timeout, ValidationError
from caxton.ids import AgentId, ConversationId
from caxton.printable import shown
from caxton.protocols import MAX_ROUNDS

Price: TypeAlias = int | Decimal
# How long bidders have for each price, in seconds: who says nothing until then passes.
ROUND_S = 2.0
# As many as a conversation may have besides its initiator; and prices that are called, one for each round.
MOST_BIDDERS, MOST_PRICES = 1_000, MAX_ROUNDS - 1


class AuctionKind(StrEnum):
    """english: prices rise, and the last bid has it. dutch: they fall, and the first one has it."""

    ENGLISH = "english"
    DUTCH = "dutch"

    @property
    def protocol(self) -> str:
        """What messages call it."""
        return f"fipa-auction-{self}"


class AuctionOutcome(StrEnum):
    """How an auction ended.

    sold: somebody has it. sold_after_tie: the same, and several bid that price: the first of them has it. not_sold: the
    highest bid of an English auction was below the reserve. no_bidders: nobody bid.
    """

    SOLD = "sold"
    SOLD_AFTER_TIE = "sold_after_tie"
    NOT_SOLD = "not_sold"
    NO_BIDDERS = "no_bidders"


class AuctionRound(msgspec.Struct, frozen=True):
    """One price, and who bid it, in the order in which they were asked."""

    price: Price
    bidders: Sequence[AgentId]


class AuctionResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an auction.

    winner, price: who has it, and for how much. rounds: every price that was called. out: those who took no further
    part, with what they said or what they failed on. tied: who bid the price that won, where they were several.
    """

    conversation_id: ConversationId
    outcome: AuctionOutcome
    winner: AgentId | None = None
    price: Price | None = None
    rounds: Sequence[AuctionRound] = ()
    out: Mapping[AgentId, Message | CaxtonError] = {}
    tied: Sequence[AgentId] = ()


class Terms(msgspec.Struct, frozen=True):
    """What an auction goes by. reserve: below it nothing is sold."""

    kind: AuctionKind
    start: Price
    step: Price
    reserve: Price | None = None

    @property
    def prices(self) -> list[Price]:
        """All that may be called, in order: at most 99, and in a Dutch auction none below the reserve, or 0."""
        if self.kind is AuctionKind.ENGLISH:
            return [self.start + number * self.step for number in range(MOST_PRICES)]
        falling = [self.start - number * self.step for number in range(MOST_PRICES)]
        return [price for price in falling if price >= (self.reserve or 0)]


def checked_terms(kind: object, start: object, step: object, reserve: object) -> Terms:
    """Return the terms of an auction; raises ValidationError."""
    try:
        known = AuctionKind(kind)  # type: ignore[arg-type] # whatever is none is refused
    except ValueError:
        raise ValidationError("kind", f"{shown(kind)} is not one of {', '.join(AuctionKind)}") from None
    least = None if reserve is None else _price("reserve", reserve)
    terms = Terms(known, _price("start", start), _price("step", step), least)
    if not terms.step:
        raise ValidationError("step", "0 leads from no price to another")
    if known is AuctionKind.DUTCH and terms.start < (least or 0):
        raise ValidationError("start", f"{terms.start} is below the reserve, {least}, and prices fall")
    return terms


def sorted_bids(
    called: Sequence[AgentId], answers: Sequence[Message | CaxtonError]
) -> tuple[list[Message], dict[AgentId, Message | CaxtonError]]:
    """Return the bids, in the order of who was asked, and who is out. Who says nothing has passed, and is neither."""
    bids: list[Message] = []
    out: dict[AgentId, Message | CaxtonError] = {}
    for agent_id, answer in zip(called, answers, strict=True):
        if isinstance(answer, Message) and answer.performative is Performative.PROPOSE:
            bids.append(answer)
        elif not isinstance(answer, Timeout):
            out[agent_id] = answer
    return bids, out


def is_over(terms: Terms, bids: Sequence[Message], called: Sequence[AgentId]) -> bool:
    """Whether no further price is called: a Dutch auction ends with a bid, an English one where one gets none."""
    return not called or (bool(bids) if terms.kind is AuctionKind.DUTCH else not bids)


def concluded(
    terms: Terms,
    conversation_id: ConversationId,
    rounds: Sequence[AuctionRound],
    out: Mapping[AgentId, Message | CaxtonError],
) -> AuctionResult:
    """Return what came of it: of those who bid the last price that anybody bid, the first has it."""
    last = next((each for each in reversed(rounds) if each.bidders), None)
    told = AuctionResult(
        conversation_id=conversation_id, outcome=AuctionOutcome.NO_BIDDERS, rounds=tuple(rounds), out=dict(out)
    )
    if last is None:
        return told
    if terms.reserve is not None and last.price < terms.reserve:
        return msgspec.structs.replace(told, outcome=AuctionOutcome.NOT_SOLD)
    tied = last.bidders if len(last.bidders) > 1 else ()
    outcome = AuctionOutcome.SOLD_AFTER_TIE if tied else AuctionOutcome.SOLD
    return msgspec.structs.replace(told, outcome=outcome, winner=last.bidders[0], price=last.price, tied=tied)


def _price(field: str, value: object) -> Price:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValidationError(field, f"{shown(value)} is neither an int nor a Decimal")
    if isinstance(value, Decimal) and not value.is_finite():
        raise ValidationError(field, f"{shown(value)} is no price")
    if not 0 <= value <= _HIGHEST:
        raise ValidationError(field, f"{shown(value)} is not a price from 0 to 10**15")
    return value


_HIGHEST = 10**15

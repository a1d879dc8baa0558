"""The initiator of a contract net (FIPA SC00029): whom it awards, what it says, and what came of it."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Literal, TypeAlias

import msgspec

from caxton.acl.message import Message
from caxton.acl.options import DEFAULT_LANE_OF_REQUEST, DeliveryOptions
from caxton.acl.performative import Performative
from caxton.errors import CaxtonError, SerializationError, ValidationError
from caxton.ids import AgentId, ConversationId
from caxton.printable import shown

PROTOCOL = "fipa-contract-net"
ONTOLOGY = "contract-net"
LANGUAGE = "json"
# How long bidders have, and how long the winner has, in seconds: together a conversation's five minutes.
DEADLINE_S, RESULT_TIMEOUT_S = 30.0, 270.0
# As many as a conversation may have besides its initiator.
MOST_BIDDERS = 1_000
NOT_SELECTED = b"Proposal not selected"


class Outcome(StrEnum):
    """How a contract net ended.

    awarded: the winner has done it. awarded_after_tie: the same, and several proposals were equally good: the first of
    them won. no_proposals: nobody made one in time. none_chosen: there were proposals, and none was good enough.
    failed: the winner did not do it.
    """

    AWARDED = "awarded"
    AWARDED_AFTER_TIE = "awarded_after_tie"
    NO_PROPOSALS = "no_proposals"
    NONE_CHOSEN = "none_chosen"
    FAILED = "failed"


class ContractResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a contract net.

    winner: whose proposal was accepted; proposal, result: what it proposed, and what it said when it was done. error:
    why it was not done. proposals: all that came in time, in the order of the agents that were asked. refusals: what
    all others said instead, or why nothing came of them. tied: the proposals that were equally good.
    """

    conversation_id: ConversationId
    outcome: Outcome
    winner: AgentId | None = None
    proposal: Message | None = None
    result: Message | None = None
    error: CaxtonError | None = None
    proposals: Sequence[Message] = ()
    refusals: Mapping[AgentId, Message | CaxtonError] = {}
    tied: Sequence[Message] = ()


# Which proposal is accepted: one, several that are equally good (the first of them is), or none.
Choice: TypeAlias = Message | Sequence[Message] | None
Choose: TypeAlias = Callable[[Sequence[Message]], Choice]
NamedChoice: TypeAlias = Literal["lowest", "highest", "first"]


def sorted_answers(
    asked: Sequence[AgentId], answers: Sequence[Message | CaxtonError]
) -> tuple[list[Message], dict[AgentId, Message | CaxtonError]]:
    """Return the proposals among the answers, and all else by who was asked."""
    proposals: list[Message] = []
    refusals: dict[AgentId, Message | CaxtonError] = {}
    for agent_id, answer in zip(asked, answers, strict=True):
        if isinstance(answer, Message) and answer.performative is Performative.PROPOSE:
            proposals.append(answer)
        else:
            refusals[agent_id] = answer
    return proposals, refusals


def best(choose: Choose | NamedChoice, proposals: Sequence[Message]) -> list[Message]:
    """Return the proposals that are as good as any, the one to be accepted first; none when none is good enough.

    Raises ValidationError when `choose` returns something that is none of them.
    """
    chosen = (_named(choose) if isinstance(choose, str) else choose)(proposals)
    if chosen is None:
        return []
    equals = [chosen] if isinstance(chosen, Message) else list(chosen)
    if any(not any(each is proposal for proposal in proposals) for each in equals):
        raise ValidationError("choose", f"it returned {shown(chosen)}, and none of the proposals that it was given")
    return equals


def accepted(proposal: Message, options: DeliveryOptions) -> Message:
    """Return the acceptance of a proposal: its content says what was proposed."""
    return _answer(proposal, proposal.content, Performative.ACCEPT_PROPOSAL, options, proposal.encoding)


def rejected(proposal: Message, options: DeliveryOptions) -> Message:
    """Return the rejection of a proposal, on the lane on which its acceptance would go."""
    if options.reliability is None:
        options = msgspec.structs.replace(options, reliability=DEFAULT_LANE_OF_REQUEST.reliability)
    return _answer(proposal, NOT_SELECTED, Performative.REJECT_PROPOSAL, options)


def _answer(
    proposal: Message,
    content: bytes,
    performative: Performative,
    options: DeliveryOptions,
    encoding: str | None = None,
) -> Message:
    """Answer a proposal by its reply_with, or, if it has none, by its own id."""
    return Message(
        proposal.sender or 0,
        content,
        performative=performative,
        language=proposal.language or LANGUAGE,
        encoding=encoding,
        ontology=proposal.ontology or ONTOLOGY,
        protocol=proposal.protocol or PROTOCOL,
        conversation_id=proposal.conversation_id,
        in_reply_to=proposal.reply_with or proposal.message_id,
        trace_context=proposal.trace_context,
        delivery_options=options,
    )


def check_choice(choose: object) -> None:
    """Raise ValidationError unless this chooses among proposals."""
    if not callable(choose) and choose not in _CHOICES:
        raise ValidationError("choose", f"{shown(choose)} is neither a function nor one of {', '.join(_CHOICES)}")


def _named(name: str) -> Choose:
    return _CHOICES[name]


def _first(proposals: Sequence[Message]) -> Choice:
    return proposals[0]


def _lowest(proposals: Sequence[Message]) -> Choice:
    return _by_price(proposals, min)


def _highest(proposals: Sequence[Message]) -> Choice:
    return _by_price(proposals, max)


def _by_price(proposals: Sequence[Message], pick: Callable[[list[Decimal]], Decimal]) -> Choice:
    """Return all with the best price. A content that is no number is no price: nobody wins by it."""
    priced = [(price, proposal) for proposal in proposals if (price := _price(proposal)) is not None]
    if not priced:
        return None
    wanted = pick([price for price, _ in priced])
    return [proposal for price, proposal in priced if price == wanted]


def _price(proposal: Message) -> Decimal | None:
    if len(proposal.content) > _LONGEST_PRICE:
        return None
    try:
        if proposal.encoding == _MSGPACK:
            said = proposal.decode(object)
            price = Decimal(said if isinstance(said, str) else repr(said))
        else:
            price = Decimal(proposal.content.decode("ascii").strip('"'))  # JSON has a Decimal as text
    except (InvalidOperation, UnicodeDecodeError, SerializationError):
        return None
    return price if price.is_finite() else None


# In bytes: what a bidder writes as its price is read, and nobody should have to read much.
_LONGEST_PRICE = 100
_MSGPACK = "msgpack"
_CHOICES: dict[str, Choose] = {"lowest": _lowest, "highest": _highest, "first": _first}

"""FIPA's interaction protocols in one request each: the contract net. Requests and queries are messages' own."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, post
from msgspec.structs import asdict

from caxton.acl.capability import Capability
from caxton.acl.json_form import read_content, read_options
from caxton.client.client import Client
from caxton.client.interactions.contract_net import MOST_BIDDERS, ContractResult
from caxton.errors import CaxtonError
from caxton.forms.message_form import told_values
from caxton.gateway.body import JSON, Base64, read
from caxton.gateway.caller import Caller
from caxton.gateway.door import REQUEST
from caxton.gateway.limits import BIDDING_TIMEOUT_S, MAX_TASK_COPIES_BYTES, MESSAGE_TIMEOUT_S
from caxton.gateway.problem import Problem
from caxton.ids import AgentId
from caxton.tokens.role import Role

Bidders = Annotated[list[Annotated[str, msgspec.Meta(max_length=1_000)]], msgspec.Meta(max_length=MOST_BIDDERS)]


class Capable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everybody who is healthy and can do all of this."""

    capability: Annotated[list[str], msgspec.Meta(min_length=1, max_length=32)]


class Tender(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A task that agents bid for. task: text, or {"base64": "…"}. to: names or ids of agents, or a capability.

    choose: which proposal wins: the lowest or the highest number, or the first in the order of `to`. deadline_s: how
    long agents may propose; timeout_s: how long the winner has.
    """

    task: str | Base64 = ""
    to: Bidders | Capable
    choose: Literal["lowest", "highest", "first"] = "lowest"
    deadline_s: Annotated[float, msgspec.Meta(gt=0, le=BIDDING_TIMEOUT_S)] = 10.0
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=MESSAGE_TIMEOUT_S)] = MESSAGE_TIMEOUT_S
    language: Annotated[str, msgspec.Meta(max_length=100)] | None = "json"
    delivery_options: dict[str, Any] | None = None


class Refusal(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who made no proposal: what it said instead, or why nothing came of it."""

    agent: str
    message: dict[str, Any] | None = None
    problem: Problem | None = None


class ContractForm(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. outcome: awarded, awarded_after_tie, no_proposals, none_chosen or failed.

    winner: whose proposal was accepted; proposal, result: what it proposed, and what it said when it was done. error:
    why it was not done. tied: who proposed what is as good.
    """

    conversation_id: str
    outcome: str
    winner: str | None
    proposal: dict[str, Any] | None
    result: dict[str, Any] | None
    error: Problem | None
    proposals: list[dict[str, Any]]
    refusals: list[Refusal]
    tied: list[str]

    @classmethod
    def of(cls, result: ContractResult) -> "ContractForm":
        """Return the form of a result."""
        return cls(
            conversation_id=str(result.conversation_id),
            outcome=result.outcome.value,
            winner=None if result.winner is None else str(result.winner),
            proposal=None if result.proposal is None else told_values(result.proposal),
            result=None if result.result is None else told_values(result.result),
            error=None if result.error is None else Problem.of(result.error),
            proposals=[told_values(proposal) for proposal in result.proposals],
            refusals=[
                Refusal(str(agent), problem=Problem.of(said))
                if isinstance(said, CaxtonError)
                else Refusal(str(agent), told_values(said))
                for agent, said in result.refusals.items()
            ],
            tied=[str(proposal.sender) for proposal in result.tied],
        )


# What no JSON is in an error's fields, such as bytes, is told as text.
_ANSWER = msgspec.json.Encoder(enc_hook=str)


@post(
    "/v1/protocols/contract-net",
    summary="Have agents bid for a task",
    tags=["protocols"],
    status_code=200,
    opt={"body": Tender, "answer": ContractForm},
)
async def contract_net(caller: Caller, request: Request[Any, Any, Any]) -> Response[bytes]:
    """Have agents bid for a task, award it to the best, and answer with what came of it, whatever that is."""
    caller.grant.allows_some(Role.SENDER)
    tender = await read(request, Tender, large="task")
    task = asdict(tender.task) if isinstance(tender.task, Base64) else tender.task
    content, options = read_content(task), read_options(tender.delivery_options or {})
    passage = request.scope[REQUEST]
    async with caller.speaking() as client:
        bidders = await _bidders(caller, client, tender.to)
        count = max(1, await _count(client, bidders))
        if len(content) * count > MAX_TASK_COPIES_BYTES:
            raise passage.too_large(len(content), MAX_TASK_COPIES_BYTES // count, "task")
        passage.take_messages(count, len(content))
        result = await client.contract_net(
            content,
            bidders,
            choose=tender.choose,
            deadline_s=tender.deadline_s,
            timeout_s=tender.timeout_s,
            language=tender.language,
            options=options,
        )
    return Response(_ANSWER.encode(ContractForm.of(result)), media_type=JSON)


async def _bidders(caller: Caller, client: Client, to: list[str] | Capable) -> list[AgentId | str] | Capability:
    if isinstance(to, Capable):
        caller.may(Role.SENDER)
        return Capability(*to.capability)
    return [await caller.agent(client, text, Role.SENDER) for text in to]


async def _count(client: Client, bidders: list[AgentId | str] | Capability) -> int:
    """Return how many are to bid, as far as that may be: who has a capability is asked for once more when they are."""
    if not isinstance(bidders, Capability):
        return len(bidders)
    count = 0
    async for view in client.find(*bidders.names):
        count += view.is_healthy
        if count == MOST_BIDDERS:
            break
    return count


ROUTES: list[Any] = [contract_net]

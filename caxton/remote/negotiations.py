"""Negotiations from another machine: a contract net in one request."""

import base64
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import msgspec

from caxton.acl.capability import Capability, Everyone
from caxton.acl.content import as_bytes
from caxton.acl.json_form import options_values
from caxton.acl.options import DEFAULT_OPTIONS, DeliveryOptions
from caxton.client.calls.arguments import listed, seconds, some_seconds
from caxton.client.connection import Agent
from caxton.client.interactions import contract_net as net
from caxton.client.interactions.contract_net import Choose, ContractResult, NamedChoice, Outcome
from caxton.errors import ValidationError
from caxton.forms.message_form import read_told
from caxton.ids import AgentId, ConversationId
from caxton.remote.connection import NAMED
from caxton.remote.messages import RemoteMessages
from caxton.remote.problems import Problem, of_problem

# For how long a gateway lets agents bid, and the winner do it.
BIDDING_S, DOING_S = 25.0, 30.0
_WAY_S = 15.0


class _Refusal(msgspec.Struct, frozen=True):
    agent: str
    message: dict[str, Any] | None = None
    problem: Problem | None = None


class _Contract(msgspec.Struct, frozen=True):
    conversation_id: str
    outcome: str
    proposals: list[dict[str, Any]]
    refusals: list[_Refusal]
    tied: list[str]
    winner: str | None = None
    result: dict[str, Any] | None = None
    error: Problem | None = None


class RemoteNegotiations(RemoteMessages):
    """`contract_net`."""

    async def contract_net(  # noqa: PLR0913 (by name, most with a default)
        self,
        task: object,
        to: Sequence[Agent] | Capability | Everyone,
        *,
        choose: Choose | NamedChoice = "lowest",
        deadline_s: float = net.DEADLINE_S,
        timeout_s: float = net.RESULT_TIMEOUT_S,
        encoding: str | None = None,
        language: str | None = net.LANGUAGE,
        options: DeliveryOptions = DEFAULT_OPTIONS,
    ) -> ContractResult:
        """Have agents bid for a task, award it to one of them, and wait until that one has done it (SC00029).

        As the one of `caxton.Client`, in one request: agents may bid for 25 s at most, and the winner has 30, which are
        usual here. A function that chooses is asked here: each cfp is a request then, and two dozen wait at a time.
        """
        net.check_choice(choose)
        bid_s = BIDDING_S if deadline_s == net.DEADLINE_S else some_seconds(deadline_s)
        do_s = DOING_S if timeout_s == net.RESULT_TIMEOUT_S else seconds(timeout_s)
        if bid_s > BIDDING_S or do_s > DOING_S:
            problem = f"a gateway lets agents bid for {BIDDING_S:g} s, and the winner has {DOING_S:g} s"
            raise ValidationError("deadline_s, timeout_s", problem)
        if not isinstance(choose, str) or isinstance(to, Everyone):
            return await super().contract_net(
                task,
                to,
                choose=choose,
                deadline_s=bid_s,
                timeout_s=do_s,
                encoding=encoding,
                language=language,
                options=options,
            )
        if encoding is not None and language == net.LANGUAGE:
            language = encoding
        content, language = as_bytes(task, encoding, language)
        tender = {
            "task": {"base64": base64.b64encode(content).decode()},
            "to": self._bidders(to),
            "choose": choose,
            "deadline_s": bid_s,
            "timeout_s": do_s or 0.001,
            "language": language,
            "delivery_options": options_values(options),
        }
        told = await self._gateway().post(
            "/v1/protocols/contract-net", _Contract, tender, timeout_s=bid_s + do_s + _WAY_S
        )
        return _result(told)

    def _span_of_net(
        self,
        conversation_id: ConversationId,  # noqa: ARG002 (as those of the one of a runtime)
        agents: Sequence[AgentId],  # noqa: ARG002 (the same)
    ) -> AbstractAsyncContextManager[str | None]:
        """Return a block that is no span: what is sampled here is decided by the gateway."""
        return nullcontext()

    def _bidders(self, to: Sequence[Agent] | Capability) -> dict[str, Any] | list[str]:
        """Return who is asked, as text; names are not looked up."""
        if isinstance(to, Capability):
            return {"capability": to.names}
        meant = [self._meant(agent) for agent in listed(to, AgentId, "to")]
        return [name if name is not None and found == NAMED else str(found) for found, name in meant]


def _result(told: _Contract) -> ContractResult:
    proposals = [read_told(values) for values in told.proposals]
    by_sender = {str(proposal.sender): proposal for proposal in proposals}
    return ContractResult(
        conversation_id=ConversationId.parse(told.conversation_id),
        outcome=Outcome(told.outcome),
        winner=None if told.winner is None else AgentId.parse(told.winner),
        proposal=None if told.winner is None else by_sender.get(told.winner),
        result=None if told.result is None else read_told(told.result),
        error=None if told.error is None else of_problem(told.error, 0),
        proposals=proposals,
        refusals={AgentId.parse(one.agent): _said(one) for one in told.refusals},
        tied=[by_sender[agent] for agent in told.tied if agent in by_sender],
    )


def _said(refusal: _Refusal) -> Any:
    if refusal.message is not None:
        return read_told(refusal.message)
    return of_problem(refusal.problem or Problem("nothing"), 0)

"""FIPA's interaction protocols from the initiator's side, in one call each."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from msgspec.structs import replace

from caxton.acl.capability import Capability, Everyone
from caxton.acl.content import as_bytes
from caxton.acl.message import Message
from caxton.acl.options import DEFAULT_OPTIONS, DeliveryOptions
from caxton.acl.performative import Performative
from caxton.client.calls.arguments import seconds, some_seconds
from caxton.client.calls.broadcast_calls import BroadcastCalls
from caxton.client.calls.message_calls import REQUEST_TIMEOUT_S
from caxton.client.calls.own_spans import contract_net_span
from caxton.client.connection import Agent
from caxton.client.interactions import contract_net as net
from caxton.client.interactions.bids import Bids
from caxton.client.interactions.contract_net import Choose, ContractResult, NamedChoice, Outcome
from caxton.client.interactions.questions import QUERY_PROTOCOL
from caxton.errors import CaxtonError, ValidationError
from caxton.ids import AgentId, ConversationId


class InteractionCalls(BroadcastCalls):
    """`query` and `contract_net`."""

    async def query(
        self,
        to: Agent | Capability,
        content: object,
        *,
        performative: Performative | str = Performative.QUERY_REF,
        encoding: str | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
        options: DeliveryOptions = DEFAULT_OPTIONS,
        conversation_id: ConversationId | None = None,
    ) -> Message:
        """Ask what is so, or with "query-if" whether it is, and return the answer: inform, refuse or failure (SC00027).

        `request` in the protocol "fipa-query": an agree says that the answer follows. Raises what that does.
        """
        return await self.request(
            to,
            content,
            timeout_s=timeout_s,
            performative=performative,
            encoding=encoding,
            options=options,
            conversation_id=conversation_id,
            protocol=QUERY_PROTOCOL,
        )

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

        task: the content of the cfp that each gets. encoding: "json" or "msgpack" for one that is a value and no bytes,
        and its language then. Whoever proposes within `deadline_s` is in; `choose` gets their proposals and returns the
        best, or several that are equally good, of which the first wins, or None. "lowest" and "highest" compare the
        contents as numbers, "first" takes the first in the order of `to`. The winner gets an
        accept-proposal that asks for the result, which it has `timeout_s` for; all others get a reject-proposal.

        to: agents, or a `Capability`: everybody who is healthy and has it is asked then, in the order of their names.

        What agents fail on is a part of the result, and so is ResourceExhausted, in the place of an answer for which
        there is no room: those of all negotiations of a client under way come to 64 MiB at most. Raises ValidationError
        for no agents, more than 1,000, and a choice that is none, SerializationError; NoCapableAgents when nobody has
        the capability, ResourceExhausted when more than 1,000 have; what `choose` raises, when everybody has been
        rejected; NetworkError when the runtime is gone.
        """
        net.check_choice(choose)
        within_s, timeout_s = some_seconds(deadline_s), seconds(timeout_s)
        if options.idempotency_key is not None:
            raise ValidationError("options", "an idempotency key names one message, and a negotiation is many")
        if encoding is not None and language == net.LANGUAGE:
            language = encoding
        content, language = as_bytes(task, encoding, language)
        asked = await self._each_of(to, net.MOST_BIDDERS)
        now_ms = time.time_ns() // 1_000_000
        conversation_id = self._new_conversation()
        reply_by = now_ms + round(within_s * 1_000)
        agents = [agent_id for agent_id, _ in asked]
        async with self._span_of_net(conversation_id, agents) as context:
            cfps = [
                Message(
                    agent_id,
                    content,
                    performative=Performative.CFP,
                    language=language,
                    encoding=encoding,
                    ontology=net.ONTOLOGY,
                    protocol=net.PROTOCOL,
                    conversation_id=conversation_id,
                    reply_by=reply_by,
                    trace_context=context,
                    receiver_name=name,
                    delivery_options=replace(options, expires_at=options.expires_at or reply_by),
                )
                for agent_id, name in asked
            ]
            with Bids(self._bid_room) as bids:
                answers = await self._request_many(cfps, within_s, within_s, bids)
                proposals, refusals = net.sorted_answers(agents, answers)
                told = ContractResult(
                    conversation_id=conversation_id,
                    outcome=Outcome.NO_PROPOSALS,
                    proposals=proposals,
                    refusals=refusals,
                )
                if proposals:
                    return await self._award(told, bids.turned_away, choose, timeout_s, options)
                await self._reject(bids.turned_away, options)
                return told

    def _span_of_net(
        self, conversation_id: ConversationId, agents: Sequence[AgentId]
    ) -> AbstractAsyncContextManager[str | None]:
        """Return a block that is a span, if this negotiation is sampled; it yields the context of its messages."""
        return contract_net_span(self._reach(), self._tracing, conversation_id, agents)

    async def _award(
        self,
        told: ContractResult,
        turned_away: Sequence[Message],
        choose: Choose | NamedChoice,
        timeout_s: float,
        options: DeliveryOptions,
    ) -> ContractResult:
        """Accept one proposal and reject the others, those too that were turned away; returns what came of it."""
        others = [*told.proposals, *turned_away]
        try:
            equals = net.best(choose, told.proposals)
        except BaseException:
            await self._reject(others, options)
            raise
        if not equals:
            await self._reject(others, options)
            return replace(told, outcome=Outcome.NONE_CHOSEN)
        winner, *tied = equals
        others = [proposal for proposal in others if proposal is not winner]
        accept = self.request_many([net.accepted(winner, options)], deadline_s=timeout_s)
        (answer,), _ = await asyncio.gather(accept, self._reject(others, options))
        told = replace(told, winner=winner.sender, proposal=winner, tied=equals if tied else ())
        if isinstance(answer, CaxtonError):
            return replace(told, outcome=Outcome.FAILED, error=answer)
        if answer.performative is not Performative.INFORM:
            return replace(told, outcome=Outcome.FAILED, result=answer)
        return replace(told, outcome=Outcome.AWARDED_AFTER_TIE if tied else Outcome.AWARDED, result=answer)

    async def _reject(self, proposals: Sequence[Message], options: DeliveryOptions) -> None:
        """Tell bidders that they did not win. One that cannot be told is gone, or learns it from its deadline."""
        if proposals:
            await self.send_batch([net.rejected(proposal, options) for proposal in proposals])

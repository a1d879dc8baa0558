"""One message to many, in one call."""

from collections.abc import Sequence

from caxton.acl.capability import MOST_OF_EVERYONE, Capability, Everyone
from caxton.acl.message import Message
from caxton.acl.options import DEFAULT_OPTIONS, DeliveryOptions
from caxton.acl.performative import Performative
from caxton.client.calls.arguments import as_typed, listed
from caxton.client.calls.message_calls import BATCH_TIMEOUT_S, MessageCalls
from caxton.client.connection import Agent
from caxton.client.routes.receipts import Receipt
from caxton.errors import CaxtonError, ValidationError
from caxton.ids import AgentId, ConversationId


class BroadcastCalls(MessageCalls):
    """`broadcast`."""

    async def broadcast(
        self,
        content: object,
        to: Sequence[Agent] | Capability | Everyone,
        *,
        performative: Performative | str = Performative.INFORM,
        encoding: str | None = None,
        options: DeliveryOptions = DEFAULT_OPTIONS,
        conversation_id: ConversationId | None = None,
        timeout_s: float = BATCH_TIMEOUT_S,
    ) -> dict[AgentId, Receipt | CaxtonError]:
        """Tell several agents the same, each in a message of its own; returns a receipt or an error for each.

        to: 1 to 10,000 agents, or everybody who is healthy and has a capability: `Capability("x")` stands for
        `Everyone("x", most=10_000)` here. The results are in the order of `to`, or of the names. Durable unless the
        options say otherwise; a receipt and an error say what they say of `send`. Raises ValidationError for nobody,
        too many or one twice, NoCapableAgents and ResourceExhausted: then nothing was sent.
        """
        meant = await self._each_of(to, MOST_OF_EVERYONE)
        results = await self.send_batch(
            [
                Message(
                    agent_id,
                    content,
                    performative=performative,
                    encoding=encoding,
                    conversation_id=conversation_id,
                    receiver_name=name,
                    delivery_options=options,
                )
                for agent_id, name in meant
            ],
            timeout_s=timeout_s,
        )
        return {
            agent_id: as_typed(result, name, agent_id) if isinstance(result, CaxtonError) else result
            for (agent_id, name), result in zip(meant, results, strict=True)
        }

    async def _each_of(
        self, to: Sequence[Agent] | Capability | Everyone, most: int
    ) -> list[tuple[AgentId, str | None]]:
        """Return who is meant, with the names that they were given by, or have where a capability stands for them.

        Raises ValidationError, NoCapableAgents, ResourceExhausted.
        """
        if isinstance(to, Capability):
            to = Everyone(*to.names, most=most)
        agents = await self._everyone(to) if isinstance(to, Everyone) else listed(to, AgentId, "to")
        meant = [self._meant(agent) for agent in agents]
        if not 1 <= len(meant) <= most:
            raise ValidationError("to", f"{len(meant)} agents, where 1 to {most:,} may be asked")
        seen: set[AgentId] = set()
        for agent_id, _ in meant:
            if agent_id in seen:
                raise ValidationError("to", f"agent {agent_id} is in it twice")
            seen.add(agent_id)
        return meant

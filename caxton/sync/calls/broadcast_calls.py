"""`caxton.client.calls.broadcast_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from collections.abc import Sequence

from caxton.acl.capability import Capability, Everyone
from caxton.acl.options import DEFAULT_OPTIONS, DeliveryOptions
from caxton.acl.performative import Performative
from caxton.client.calls.message_calls import BATCH_TIMEOUT_S
from caxton.client.connection import Agent
from caxton.client.routes.receipts import Receipt
from caxton.errors import CaxtonError
from caxton.ids import AgentId, ConversationId
from caxton.sync.calls.message_calls import MessageCalls


class BroadcastCalls(MessageCalls):
    """`broadcast`."""

    def broadcast(
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
        return self._run(
            self._client.broadcast(
                content,
                to,
                performative=performative,
                encoding=encoding,
                options=options,
                conversation_id=conversation_id,
                timeout_s=timeout_s,
            )
        )

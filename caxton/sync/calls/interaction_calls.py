"""`caxton.client.calls.interaction_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from collections.abc import Sequence

from caxton.acl.capability import Capability, Everyone
from caxton.acl.message import Message
from caxton.acl.options import DEFAULT_OPTIONS, DeliveryOptions
from caxton.acl.performative import Performative
from caxton.client.calls.message_calls import REQUEST_TIMEOUT_S
from caxton.client.connection import Agent
from caxton.client.interactions import contract_net as net
from caxton.client.interactions.contract_net import Choose, ContractResult, NamedChoice
from caxton.ids import ConversationId
from caxton.sync.calls.broadcast_calls import BroadcastCalls


class InteractionCalls(BroadcastCalls):
    """`query` and `contract_net`."""

    def query(
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
        return self._run(
            self._client.query(
                to,
                content,
                performative=performative,
                encoding=encoding,
                timeout_s=timeout_s,
                options=options,
                conversation_id=conversation_id,
            )
        )

    def contract_net(  # noqa: PLR0913 (by name, most with a default)
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
        return self._run(
            self._client.contract_net(
                task,
                to,
                choose=choose,
                deadline_s=deadline_s,
                timeout_s=timeout_s,
                encoding=encoding,
                language=language,
                options=options,
            )
        )

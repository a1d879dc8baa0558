"""Spans of what a client itself does, left with a shard beside those of the turns that belong to them."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import getrandbits

from caxton.acl.trace_context import behind, span_of
from caxton.agents.deployment import Deployment
from caxton.client.routes.tracing import Tracing
from caxton.client.runtime_line import RuntimeLine
from caxton.errors import CaxtonError
from caxton.ids import AgentId, ConversationId
from caxton.wire.calls import Done
from caxton.wire.spans import CONTRACT_NET, DEPLOY, DONE, FAILED, MAX_LEFT, LeaveSpans, LeftSpan

LEAVE_TIMEOUT_S = 1.0
# As agents are deployed: the new one is there, and no other takes its place step by step.
DIRECT = "direct"
_MAX_WORD = 255


@asynccontextmanager
async def contract_net_span(
    line: RuntimeLine, tracing: Tracing, conversation: ConversationId, asked: Sequence[AgentId]
) -> AsyncIterator[str | None]:
    """Yield the context of a contract net's messages, None when it is not sampled; leave its span when it is over."""
    context = tracing.context(bytes(conversation))
    if context is None:
        yield None
        return
    span, began_ns, outcome = span_of(bytes(conversation)), time.time_ns(), FAILED
    try:
        yield behind(context, span)
        outcome = DONE
    finally:
        attributes = {
            "conversation_id": str(conversation),
            "initiator": str(AgentId(line.number)),
            "participant_count": str(len(asked)),
        }
        left = _left(CONTRACT_NET, context, span, began_ns, outcome, attributes)
        await _leave(line, [left], line.table.shard_of(asked[0]))


async def leave_deployed(
    line: RuntimeLine,
    context: str,
    began_ns: int,
    deployments: Sequence[Deployment],
    results: Sequence[AgentId | CaxtonError],
) -> None:
    """Leave a span of each agent that was deployed, or was not; no more of them when a shard takes none."""
    left: list[LeftSpan] = []
    for deployment, result in zip(deployments, results, strict=True):
        told = "" if isinstance(result, CaxtonError) else str(result)
        attributes = {"deployment_id": told, "agent_name": _name(deployment.name), "strategy": DIRECT}
        outcome = FAILED if isinstance(result, CaxtonError) else DONE
        left.append(_left(DEPLOY, context, getrandbits(64) or 1, began_ns, outcome, attributes))
    for start in range(0, len(left), MAX_LEFT):
        if not await _leave(line, left[start : start + MAX_LEFT], 0):
            return


def _name(given: object) -> str:
    """Return the name that somebody wanted an agent to have, as it can travel: it may have been refused."""
    return given[:_MAX_WORD].encode(errors="replace").decode() if isinstance(given, str) else ""


def _left(kind: int, context: str, span: int, began_ns: int, outcome: str, attributes: dict[str, str]) -> LeftSpan:
    return LeftSpan(kind, context, span, began_ns, began_ns, began_ns, time.time_ns(), outcome, attributes=attributes)


async def _leave(line: RuntimeLine, left: list[LeftSpan], shard: int) -> bool:
    """Leave spans with a shard; returns False where that cannot be: then they are not kept."""
    try:
        await line.call(shard, LeaveSpans(left), Done, LEAVE_TIMEOUT_S)
    except CaxtonError:
        return False
    return True

"""Who talks to whom, while somebody asks."""

from typing import Annotated, Any

from litestar import get
from litestar.params import QueryParameter

from caxton.client.calls.call_graph_calls import MOST_OVER_S
from caxton.forms.call_graph_form import CallGraphForm
from caxton.gateway.caller import Caller
from caxton.tokens.role import Role
from caxton.wire.call_graph import MAX_PAIRS

_USUAL = 100
_OVER = "Where less has been counted it is waited for, in seconds; with 0 what there is comes at once."


@get("/v1/call-graph", summary="Who talks to whom", tags=["agents"])
async def call_graph(
    caller: Caller,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_PAIRS, description="At most so many pairs.")] = _USUAL,
    over_s: Annotated[float, QueryParameter(ge=0, le=MOST_OVER_S, description=_OVER)] = 1.0,
) -> CallGraphForm:
    """Return the pairs of agents that talk most, with rates of the last seconds; it is counted while somebody asks."""
    caller.may(Role.VIEWER)
    async with caller.client() as client:
        return CallGraphForm.of(await client.call_graph(limit, over_s=over_s))


ROUTES: list[Any] = [call_graph]

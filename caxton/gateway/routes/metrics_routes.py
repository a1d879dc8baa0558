"""What Prometheus asks, at a port of its own."""

from typing import Any

from litestar import Request, Response, get

from caxton.gateway.door import REQUEST
from caxton.gateway.house import House
from caxton.telemetry.exposition import format_for
from caxton.tokens.role import Role

PATH = "/metrics"


@get(PATH, summary="All metrics, for Prometheus", tags=["runtime"])
async def metrics(request: Request[Any, Any, Any], house: House) -> Response[bytes]:
    """Return docs/metrics.md's metrics as text, or as OpenMetrics for whoever asks for it."""
    grant = request.scope[REQUEST].grant
    if grant is not None:  # the door lets in without one where nobody needs any
        grant.allows(Role.VIEWER)
    form = format_for(request.headers.get("accept", ""))
    return Response(await house.scrapes.text(form), headers={"content-type": form.value})


ROUTES: list[Any] = [metrics]

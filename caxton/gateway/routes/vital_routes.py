"""What anybody may ask, with or without a token: whether it is well, and whether it serves."""

from typing import Any

import msgspec
from litestar import Response, get

from caxton.errors import CaxtonError
from caxton.gateway.house import House

_SERVING = {"healthy", "degraded"}


class Vital(msgspec.Struct, frozen=True):
    """status: healthy, degraded, unhealthy, or absent where no supervisor answers."""

    status: str


class Readiness(msgspec.Struct, frozen=True):
    """ready: whether messages are taken: some shard serves."""

    ready: bool


@get("/health", summary="Whether the runtime is well: 503 when it is not", security=[])
async def health(house: House) -> Response[Vital]:
    """Tell how the runtime is, without its reasons: those are for whoever has a token, at /v1/health."""
    status = await _status(house)
    return Response(Vital(status), status_code=200 if status in _SERVING else 503)


@get("/ready", summary="Whether the runtime serves: 503 when it does not", security=[])
async def ready(house: House) -> Response[Readiness]:
    """Tell whether requests may be sent here."""
    serves = await _status(house) in _SERVING
    return Response(Readiness(serves), status_code=200 if serves else 503)


async def _status(house: House) -> str:
    try:
        return (await house.vitals.health()).status
    except CaxtonError:
        return "absent"


ROUTES: list[Any] = [health, ready]

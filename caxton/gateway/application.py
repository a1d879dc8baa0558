"""The application: every route, and what becomes of every error."""

import logging
from typing import Any

import msgspec
from litestar import Litestar, Request, Response
from litestar.di import Provide
from litestar.exceptions import HTTPException

from caxton.errors import CaxtonError
from caxton.gateway.asgi import Application
from caxton.gateway.door import retry_header
from caxton.gateway.house import House
from caxton.gateway.problem import MEDIA_TYPE, Problem
from caxton.gateway.routes import vital_routes

log = logging.getLogger("caxton.gateway")


def application(house: House) -> Application:
    """Return what answers requests that came through the door."""
    app: Application = Litestar(
        route_handlers=[*vital_routes.ROUTES],
        dependencies={"house": Provide(lambda: house, sync_to_thread=False)},
        exception_handlers={
            CaxtonError: _of_ours,
            HTTPException: _of_litestar,
            Exception: _unforeseen,
        },
        openapi_config=None,
        logging_config=None,
    )
    return app


def _of_ours(_request: Request[Any, Any, Any], error: CaxtonError) -> Response[bytes]:
    return _response(Problem.of(error), {name.decode(): value.decode() for name, value in retry_header(error)})


def _of_litestar(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    cause = error.__cause__
    if isinstance(cause, CaxtonError):
        return _of_ours(request, cause)
    detail = error.detail
    if error.status_code == 404:  # noqa: PLR2004 (it is the status)
        detail = f"there is nothing at {request.url.path}; /openapi.json has all there is"
    elif isinstance(cause, msgspec.MsgspecError):
        detail = str(cause)
    headers = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
    return _response(Problem.told(error.status_code, detail), headers)


def _unforeseen(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log.error("%s %s ended with an error that nobody foresaw", request.method, request.url.path, exc_info=error)
    return _response(Problem.told(500, "an error that nobody foresaw; it is in what the gateway logged"), {})


def _response(problem: Problem, headers: dict[str, str]) -> Response[bytes]:
    return Response(problem.encode(), status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)

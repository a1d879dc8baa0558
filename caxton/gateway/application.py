"""The application: every route, and what becomes of every error."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import msgspec
from litestar import HttpMethod, Litestar, Request, Response, get
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig

from caxton import __version__
from caxton.acl.trace_context import received
from caxton.errors import AccessError, CaxtonError, ValidationError
from caxton.gateway.asgi import Application
from caxton.gateway.caller import Caller
from caxton.gateway.door import REQUEST, note_denied, retry_header
from caxton.gateway.house import House
from caxton.gateway.openapi import TITLE, completed
from caxton.gateway.problem import MEDIA_TYPE, Problem, as_json
from caxton.gateway.routes import (
    agent_routes,
    audit_routes,
    board_routes,
    busy_routes,
    call_graph_routes,
    config_routes,
    conversation_routes,
    deployment_routes,
    event_routes,
    inbox_routes,
    letter_routes,
    log_routes,
    message_routes,
    metrics_routes,
    protocol_routes,
    runtime_routes,
    session_routes,
    vital_routes,
)

log = logging.getLogger("caxton.gateway")

ROUTES = [
    *vital_routes.ROUTES,
    *board_routes.ROUTES,
    *session_routes.ROUTES,
    *agent_routes.ROUTES,
    *busy_routes.ROUTES,
    *call_graph_routes.ROUTES,
    *deployment_routes.ROUTES,
    *log_routes.ROUTES,
    *message_routes.ROUTES,
    *inbox_routes.ROUTES,
    *protocol_routes.ROUTES,
    *letter_routes.ROUTES,
    *conversation_routes.ROUTES,
    *runtime_routes.ROUTES,
    *config_routes.ROUTES,
    *event_routes.ROUTES,
    *audit_routes.ROUTES,
]
METRICS_ROUTES = [*vital_routes.ROUTES, *metrics_routes.ROUTES]


def application(house: House, routes: Sequence[Any] = ROUTES) -> Application:
    """Return what answers requests that came through the door of one port."""

    def caller(request: Request[Any, Any, Any]) -> Caller:
        contexts = request.headers.getall("traceparent", [])
        context = received(contexts[0]) if len(contexts) == 1 else None  # of several nobody knows which is meant
        return Caller(house, request.scope[REQUEST].grant, context)

    @get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response[bytes]:
        return Response(await asyncio.to_thread(document), media_type="application/json")

    # The names of query parameters, by path and method.
    known: dict[tuple[str, str], set[str]] = {}

    async def check_query(request: Request[Any, Any, Any]) -> Response[None] | None:
        # Not in a thread, which would cost as much as all the rest.
        if request.method == HttpMethod.OPTIONS:  # Litestar's own answer has only those of one handler
            methods = sorted({method for path, method in known if path == request.scope["path_template"]})
            return Response(None, status_code=204, headers={"Allow": ", ".join(methods)})
        names = known.get((request.scope["path_template"], request.method), set())
        if request.scope["query_string"] and (unknown := {*request.query_params} - names):
            there_are = f"; there are {', '.join(sorted(names))}" if names else "; there are none here"
            raise ValidationError("query", f"{min(unknown)[:100]!r} is no parameter{there_are}")
        return None

    app: Any = Litestar(
        route_handlers=[*routes, openapi],
        dependencies={
            "house": Provide(lambda: house, sync_to_thread=False),
            "caller": Provide(caller, sync_to_thread=False),
        },
        before_request=check_query,
        exception_handlers={CaxtonError: _of_ours(house), HTTPException: _of_litestar, Exception: _unforeseen},
        openapi_config=OpenAPIConfig(title=TITLE, version=__version__, path="/openapi-unused", render_plugins=[]),
        logging_config=None,
        state=State({"working": asyncio.Lock()}),
        request_max_body_size=None,  # the door has a bound for each path, and Litestar's own is below both
    )
    for route in app.routes:
        for method, (_, model) in getattr(route, "route_handler_map", {}).items():
            known[route.path_format, method] = {parameter.field_alias for parameter in model.expected_query_params}

    @cache
    def document() -> bytes:
        """Make it when somebody asks: it takes as long as half of a start."""
        return as_json(completed(app.openapi_schema.to_schema(), _said(app)))

    return app  # type: ignore[no-any-return] # nothing is known of it where nothing of HTTP is installed


def _said(app: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what each route says of itself, by its path as the document has it, and its method."""
    return {
        (route.path_format, method): handler.opt
        for route in app.routes
        for method, (handler, _) in getattr(route, "route_handler_map", {}).items()
    }


def _of_ours(house: House) -> Callable[[Request[Any, Any, Any], CaxtonError], Response[bytes]]:
    def answer(request: Request[Any, Any, Any], error: CaxtonError) -> Response[bytes]:
        if isinstance(error, AccessError):
            note_denied(house.notes, request.scope, request.scope[REQUEST].grant, error)
        return _response(Problem.of(error), {name.decode(): value.decode() for name, value in retry_header(error)})

    return answer


def _of_litestar(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    detail, status = error.detail, error.status_code
    if status == 404:  # noqa: PLR2004 (it is the status)
        detail = f"there is nothing at {request.url.path}; /openapi.json has all there is"
    elif status == 405:  # noqa: PLR2004 (it is the status)
        detail = f"{request.method} is not for {request.url.path}"
    headers = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
    problem = Problem.told(status, detail)
    if wrong := getattr(error, "extra", None):
        problem = msgspec.structs.replace(problem, fields={"parameters": wrong})
    return _response(problem, headers)


def _unforeseen(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log.error("%s %s ended with an error that nobody foresaw", request.method, request.url.path, exc_info=error)
    return _response(Problem.told(500, "an error that nobody foresaw; it is in what the gateway logged"), {})


def _response(problem: Problem, headers: dict[str, str]) -> Response[bytes]:
    return Response(problem.encode(), status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)

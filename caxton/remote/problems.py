"""Problems of RFC 9457 as the errors that they were at the gateway. Pure."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec

from caxton.errors import (
    BY_NAME,
    CaxtonError,
    ConfigurationError,
    InvalidMessageFormat,
    NetworkError,
    ResourceExhausted,
    Timeout,
    UnknownError,
    ValidationError,
    from_fields,
)

_LONGEST_TOLD = 500
_ANOTHER = "give the address where HTTP is served, without a path; or the gateway is of another version"

# Problems of a request itself, which never reached what answers it.
_OF_STATUS: dict[int, Callable[[str], CaxtonError]] = {
    HTTPStatus.BAD_REQUEST: lambda detail: InvalidMessageFormat("request", detail),
    HTTPStatus.NOT_FOUND: lambda detail: ConfigurationError("url", detail, _ANOTHER),
    HTTPStatus.METHOD_NOT_ALLOWED: lambda detail: ConfigurationError("url", detail, _ANOTHER),
    HTTPStatus.PRECONDITION_FAILED: lambda detail: ConfigurationError("settings", detail, "look at them again"),
    HTTPStatus.REQUEST_TIMEOUT: lambda detail: Timeout(detail, 0),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: lambda detail: ValidationError("body", detail),
    HTTPStatus.SERVICE_UNAVAILABLE: lambda detail: ResourceExhausted(detail, 0),
    HTTPStatus.GATEWAY_TIMEOUT: lambda detail: Timeout(detail, 0),
}


class Problem(msgspec.Struct, frozen=True):
    """What of a problem is read. code: the name of an error, or of what was wrong with the request itself."""

    code: str
    detail: str = ""
    fields: dict[str, Any] = {}


def error_of(url: str, status: int, body: bytes) -> CaxtonError:
    """Return the error that an answer with this status is; what no gateway of ours said is told as it is."""
    try:
        problem = msgspec.json.decode(body, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = body[:_LONGEST_TOLD].decode(errors="replace").strip()
        return NetworkError(url, f"it answered {status}, which no gateway says like this: {said}")
    return of_problem(problem, status)


def of_problem(problem: Problem, status: int) -> CaxtonError:
    """Return the error that a problem is, with its fields where it is one of ours."""
    if problem.code in BY_NAME:
        return from_fields(problem.code, problem.fields)
    detail = problem.detail[:_LONGEST_TOLD]
    make = _OF_STATUS.get(status)
    return UnknownError(problem.code, detail) if make is None else make(detail)

"""Errors as whoever asks by HTTP gets them: RFC 9457's problem details, with the fields of the error tree."""

import json
from http import HTTPStatus
from typing import Any

import msgspec
import orjson

from caxton.errors import (
    CaxtonError,
    CircuitBreakerOpen,
    FailedTooOften,
    QueueFull,
    ResourceExhausted,
    ShardUnavailable,
    to_fields,
)
from caxton.gateway.statuses import status_of
from caxton.printable import printable

MEDIA_TYPE = "application/problem+json"
# Kinds of problems that are none of a CaxtonError, by status.
_CODES = {
    HTTPStatus.BAD_REQUEST: "BadRequest",
    HTTPStatus.UNAUTHORIZED: "Unauthorized",
    HTTPStatus.FORBIDDEN: "Forbidden",
    HTTPStatus.NOT_FOUND: "NoSuchRoute",
    HTTPStatus.METHOD_NOT_ALLOWED: "MethodNotAllowed",
    HTTPStatus.NOT_ACCEPTABLE: "NotAcceptable",
    HTTPStatus.REQUEST_TIMEOUT: "RequestTooSlow",
    HTTPStatus.PRECONDITION_FAILED: "PreconditionFailed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "BodyTooLarge",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "UnsupportedMediaType",
    HTTPStatus.MISDIRECTED_REQUEST: "UnknownHost",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "HeadersTooLarge",
    HTTPStatus.INTERNAL_SERVER_ERROR: "InternalError",
    HTTPStatus.SERVICE_UNAVAILABLE: "Busy",
    HTTPStatus.GATEWAY_TIMEOUT: "DeadlineExceeded",
}
_RETRY_AFTER_S = 1


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong. type: a URN of the kind. title: the kind in words. detail: this one in words, and what to do.

    code: the name of the error, as programs in Python catch it, or of what was wrong with the request. fields: what
    that error tells besides.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    fields: dict[str, Any]

    @classmethod
    def of(cls, error: CaxtonError) -> "Problem":
        """Return the problem that an error is."""
        code = type(error).__name__
        return cls(
            type=f"urn:caxton:error:{code}",
            title=_words(code),
            status=status_of(error),
            detail=printable(str(error)),
            code=code,
            fields=to_fields(error),
        )

    @classmethod
    def told(cls, status: int, detail: str, code: str | None = None) -> "Problem":
        """Return a problem of the request itself."""
        name = code or _CODES.get(HTTPStatus(status), f"Status{status}")
        return cls(
            type=f"urn:caxton:http:{name}",
            title=_words(name),
            status=status,
            detail=printable(detail),
            code=name,
            fields={},
        )

    def encode(self) -> bytes:
        """Return it as JSON."""
        return as_json(msgspec.structs.asdict(self))


def as_json(value: Any) -> bytes:
    """Return a value as JSON; what JSON does not know, such as bytes, is written as text."""
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # text that is no UTF-8, or a number beyond 64 bits
        return json.dumps(value, default=str).encode()


def retry_after_s(error: CaxtonError) -> int | None:
    """Return in how many seconds an error may be no more; None where nobody knows."""
    if isinstance(error, CircuitBreakerOpen):
        return max(1, round(error.retry_in_s))
    if isinstance(error, FailedTooOften):
        return max(1, round(error.retry_after_s))
    return _RETRY_AFTER_S if isinstance(error, QueueFull | ResourceExhausted | ShardUnavailable) else None


def _words(name: str) -> str:
    """Return AgentNotFound as "Agent not found"."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    return words[:1].upper() + words[1:]

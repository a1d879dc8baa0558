"""What a request says: JSON of one type, or a problem that says where it is wrong."""

from typing import Any, TypeVar

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException

from caxton.acl.content import decoded
from caxton.errors import InvalidMessageFormat, ValidationError

T = TypeVar("T")
JSON = "application/json"


def check_json(request: Request[Any, Any, Any], also: str = "") -> str:
    """Return the media type of a request's body: JSON, or one that is taken here too. Raises HTTPException."""
    given: str = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in {JSON, also} or not given:
        taken = f"{JSON} or {also}" if also else JSON
        detail = f"the body is to be {taken}" + (f", and not {given:.100}" if given else "; say so in Content-Type")
        raise HTTPException(detail=detail, status_code=415)
    return given


async def read(request: Request[Any, Any, Any], kind: type[T], empty: T | None = None) -> T:
    """Return what a body says; raises InvalidMessageFormat. empty: what one that has no body means, if anything."""
    raw = await request.body()
    if not raw and empty is not None:
        return empty
    check_json(request)
    return as_kind(raw, kind)


def as_kind(raw: bytes, kind: type[T]) -> T:
    """Return what JSON says, as a type. Raises InvalidMessageFormat, and what the type raises."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if isinstance(error.__cause__, ValidationError):
            raise error.__cause__ from None
        raise InvalidMessageFormat("body", str(error)) from None


async def read_value(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """Return the object that a body is; raises InvalidMessageFormat for anything else."""
    raw = await request.body()
    check_json(request)
    try:
        value = decoded(raw)
    except ValidationError as error:
        raise InvalidMessageFormat("body", f"it is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidMessageFormat("body", "it is no object of JSON")
    return value

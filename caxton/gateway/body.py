"""What a request says: JSON of one type, or a problem that says where it is wrong.

The loop stands still while JSON is decoded, so what it may hold has a bound: the whole of it, or all but the one value
that may be large, whose type is text. Large bodies are worked on one at a time, each token's in its turn, with a turn
of the loop between them.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, TypeVar

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException

from caxton.errors import InvalidMessageFormat, ValidationError
from caxton.gateway.door import REQUEST
from caxton.gateway.limits import MAX_FORM_BYTES, SMALL_BODY_BYTES
from caxton.printable import printable

T = TypeVar("T")
JSON = "application/json"
_LONGEST_TOLD = 300


class Base64(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bytes as base64."""

    base64: str


def check_json(request: Request[Any, Any, Any], also: str = "") -> str:
    """Return the media type of a request's body: JSON, or one that is taken here too. Raises HTTPException."""
    given: str = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in {JSON, also} or not given:
        taken = f"{JSON} or {also}" if also else JSON
        detail = f"the body is to be {taken}" + (f", and not {given:.100}" if given else "; say so in Content-Type")
        raise HTTPException(detail=detail, status_code=415)
    return given


async def read(request: Request[Any, Any, Any], kind: type[T], empty: T | None = None, large: str = "") -> T:
    """Return what a body says; raises InvalidMessageFormat, MessageTooLarge.

    empty: what one that has no body means, if anything. large: the field whose length only the door bounds.
    """
    raw = await request.body()
    if not raw and empty is not None:
        return empty
    check_json(request)
    async with turn(request, is_large=len(raw) > SMALL_BODY_BYTES):
        check_form(request, raw, large)
        return as_kind(raw, kind)


@asynccontextmanager
async def turn(request: Request[Any, Any, Any], *, is_large: bool) -> AsyncIterator[None]:
    """Wait until no other large body is worked on, and let others have the loop behind; at once for a small one.

    Of one token no more than one waits for that, so each token has its turn, however many bodies it sends.
    """
    if not is_large:
        yield
        return
    async with request.scope[REQUEST].line, request.app.state.working:
        try:
            yield
        finally:
            await asyncio.sleep(0)


def check_form(request: Request[Any, Any, Any], raw: bytes, large: str = "") -> None:
    """Raise MessageTooLarge where JSON is larger than anything but messages is, its large field aside."""
    size = len(raw)
    if large and size > MAX_FORM_BYTES:
        size -= memoryview(as_kind(raw, _only(large)).value).nbytes
    if size > MAX_FORM_BYTES:
        raise request.scope[REQUEST].too_large(size, MAX_FORM_BYTES)


@cache
def _only(field: str) -> Any:
    """Return a type that takes this field of an object as it is, and passes over all others."""
    return msgspec.defstruct("Only", [("value", msgspec.Raw, msgspec.Raw(b""))], rename={"value": field})


def as_kind(raw: bytes | msgspec.Raw, kind: type[T], field: str = "body") -> T:
    """Return what JSON says, as a type. Raises InvalidMessageFormat, and what the type raises."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if isinstance(error.__cause__, ValidationError):
            raise error.__cause__ from None
        raise InvalidMessageFormat(field, printable(str(error), _LONGEST_TOLD)) from None

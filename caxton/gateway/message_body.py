"""Messages as a request has them: one, or many; each the values of a JSON form, which no long text of others made.

Each field is first taken as the JSON that it is, which nothing is made of. Then all but the content have a bound, and
the content can only be text: so what is decoded is as much as a message may be, whatever the body holds.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import Request

from caxton.acl.json_form import FIELDS, no_field
from caxton.errors import InvalidMessageFormat, ValidationError
from caxton.gateway.body import Base64, as_kind, check_json, turn
from caxton.gateway.limits import MAX_FIELD_BYTES, MAX_MESSAGES, SMALL_BODY_BYTES

Values = dict[str, Any]
# What one message weighs beside its bytes.
_WEIGHT = 1 << 10


class _Seen:
    """How many messages were seen in the body that is being decoded: there is one at a time, in one thread."""

    messages = 0


def _count(_: object) -> None:
    _Seen.messages += 1
    if _Seen.messages > MAX_MESSAGES:
        raise ValidationError("messages", f"there are more than {MAX_MESSAGES}, and that is the limit")


# Names of fields as they may be written, with hyphens or without, by what they are called here.
_NAMES = {name: name for name in FIELDS}
_NAMES |= {f"hyphened_{name}": name.replace("_", "-") for name in FIELDS if "_" in name}
# What is said of any other.
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]{1,100})`(?: - at `\$\.(messages\[\d+\])`)?")
_Message: Any = msgspec.defstruct(
    "Message",
    [(name, msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for name in _NAMES],
    rename=_NAMES,
    forbid_unknown_fields=True,
    namespace={"__post_init__": _count},
)


class _Batch(msgspec.Struct, forbid_unknown_fields=True):
    messages: list[_Message]


async def read_one(request: Request[Any, Any, Any]) -> Values:
    """Return the values of the message that a body is; raises InvalidMessageFormat."""
    raw = await request.body()
    check_json(request)
    async with turn(request, raw):
        return _values(_decoded(raw, _Message))


async def read_many(request: Request[Any, Any, Any]) -> AsyncIterator[Values]:
    """Yield the values of each message of a batch, and let others have the loop between.

    Raises InvalidMessageFormat; ValidationError where there are too many, before any.
    """
    raw = await request.body()
    check_json(request)
    async with turn(request, raw):
        batch = _decoded(raw, _Batch)
    weight = SMALL_BODY_BYTES
    for place, message in enumerate(batch.messages):
        weight += _WEIGHT + _size(message)
        if weight > SMALL_BODY_BYTES:
            weight = 0
            await asyncio.sleep(0)
        yield _values(message, f"messages[{place}].")


def _size(message: Any) -> int:
    return sum(memoryview(raw).nbytes for field in _NAMES if (raw := getattr(message, field)) is not msgspec.UNSET)


def _decoded(raw: bytes, kind: type) -> Any:
    _Seen.messages = 0
    try:
        return as_kind(raw, kind)
    except InvalidMessageFormat as error:
        if (kind is _Batch and "messages[" not in error.problem) or (unknown := _UNKNOWN.match(error.problem)) is None:
            raise
        found = no_field(unknown[1])
        found.field = f"{unknown[2]}.message" if unknown[2] else "message"
        raise found from None


def _values(message: Any, place: str = "") -> Values:
    """Return the values of the fields that are there."""
    values: Values = {}
    for field, name in _NAMES.items():
        raw = getattr(message, field)
        if raw is msgspec.UNSET:
            continue
        if name == "content":
            content = as_kind(raw, str | Base64 | None, place + name)  # type: ignore[arg-type] # a union is no type
            values[name] = {"base64": content.base64} if isinstance(content, Base64) else content
        elif (size := memoryview(raw).nbytes) > MAX_FIELD_BYTES:
            raise InvalidMessageFormat(place + name, f"it has {size} bytes, and the limit is {MAX_FIELD_BYTES}")
        else:
            values[name] = as_kind(raw, object, place + name)
    return values

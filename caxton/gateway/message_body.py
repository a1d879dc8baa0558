"""Messages as a request has them: one, or many; each the values of a JSON form, which no long text of others made.

Each field is first taken as the JSON that it is, which nothing is made of. Then all but the content have a bound, and
the content can only be text: so what is decoded is as much as a message may be, whatever the body holds.
"""

import re
from typing import Any, NamedTuple

import msgspec
from litestar import Request

from caxton.acl.json_form import FIELDS, no_field
from caxton.errors import InvalidMessageFormat, ValidationError
from caxton.gateway.body import Base64, as_kind, check_json, turn
from caxton.gateway.door import REQUEST
from caxton.gateway.limits import MAX_FIELD_BYTES, MAX_MESSAGES, SMALL_BODY_BYTES

Values = dict[str, Any]
# What one message weighs beside its bytes.
_WEIGHT = 1 << 10


class _Seen:
    """How many messages were seen in the body that is being decoded: there is one at a time, in one thread."""

    messages = 0


class _Any(msgspec.Struct):
    """An object, of which nothing is made; it is counted."""

    def __post_init__(self) -> None:
        _Seen.messages += 1
        if _Seen.messages > MAX_MESSAGES:
            raise ValidationError("messages", f"there are more than {MAX_MESSAGES}, and that is the limit")


class _Counted(msgspec.Struct, forbid_unknown_fields=True):
    messages: list[_Any]


class _Messages(msgspec.Struct):
    messages: list[msgspec.Raw]


# Names of fields as they may be written, with hyphens or without, by what they are called here.
_NAMES = {name: name for name in FIELDS}
_NAMES |= {f"hyphened_{name}": name.replace("_", "-") for name in FIELDS if "_" in name}
# What is said of any other.
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]{1,100})`")
_Message: Any = msgspec.defstruct(
    "Message",
    [(name, msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for name in _NAMES],
    rename=_NAMES,
    forbid_unknown_fields=True,
)


async def read_one(request: Request[Any, Any, Any]) -> Values:
    """Return the values of the message that a body is; raises InvalidMessageFormat."""
    raw = await request.body()
    check_json(request)
    async with turn(request, is_large=len(raw) > SMALL_BODY_BYTES):
        return values_of(raw)


class Batch(NamedTuple):
    """The messages of a request as the objects of JSON that they are: so many in each part as are read in one go."""

    parts: list[list[msgspec.Raw]]

    @property
    def is_large(self) -> bool:
        """Whether it is worked on in turns."""
        return len(self.parts) > 1


async def read_many(request: Request[Any, Any, Any]) -> Batch:
    """Return the messages of a batch.

    Raises InvalidMessageFormat; ValidationError where there are too many, and ResourceExhausted where there are with
    those of other batches of this token. One that has as many as may be is told before its body is read.
    """
    passage = request.scope[REQUEST]
    passage.take_messages(1)
    raw = await request.body()
    check_json(request)
    async with turn(request, is_large=len(raw) > SMALL_BODY_BYTES):
        _Seen.messages = 0
        as_kind(raw, _Counted)
        messages = as_kind(raw, _Messages).messages
    passage.take_messages(max(0, len(messages) - 1))
    parts: list[list[msgspec.Raw]] = [[]]
    weight = 0
    for message in messages:
        if weight > SMALL_BODY_BYTES:
            parts.append([])
            weight = 0
        parts[-1].append(message)
        weight += _WEIGHT + memoryview(message).nbytes
    return Batch(parts)


def values_of(raw: bytes | msgspec.Raw) -> Values:
    """Return the values of the message that an object of JSON is; raises InvalidMessageFormat."""
    try:
        message = as_kind(raw, _Message, "message")
    except InvalidMessageFormat as error:
        unknown = _UNKNOWN.match(error.problem)
        raise error if unknown is None else no_field(unknown[1]) from None
    return _values(message)


def _values(message: Any) -> Values:
    """Return the values of the fields that are there."""
    values: Values = {}
    for field, name in _NAMES.items():
        raw = getattr(message, field)
        if raw is msgspec.UNSET:
            continue
        if name == "content":
            content = as_kind(raw, str | Base64 | None, name)  # type: ignore[arg-type] # a union is no type
            values[name] = {"base64": content.base64} if isinstance(content, Base64) else content
        elif (size := memoryview(raw).nbytes) > MAX_FIELD_BYTES:
            raise InvalidMessageFormat(name, f"it has {size} bytes, and the limit is {MAX_FIELD_BYTES}")
        else:
            values[name] = as_kind(raw, object, name)
    return values

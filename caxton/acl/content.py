"""What a message says, as whoever sends it gives it."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import msgspec

from caxton.acl.envelope import MAX_CONTENT
from caxton.errors import MessageTooLarge, SerializationError, ValidationError
from caxton.ids import AgentId, ConversationId, MessageId
from caxton.printable import shown

T = TypeVar("T")


class _Codec(NamedTuple):
    """How values become bytes and again values."""

    encode: Callable[..., bytes]
    decode: Callable[..., Any]


JSON = "json"
# By what a message says as its encoding. The values of both are the same; msgpack is shorter and holds bytes.
CODECS = {
    JSON: _Codec(msgspec.json.encode, msgspec.json.decode),
    "msgpack": _Codec(msgspec.msgpack.encode, msgspec.msgpack.decode),
}
_IDS = (AgentId, MessageId, ConversationId)


def said(content: object, encoding: str | None, language: str | None) -> tuple[bytes, str | None]:
    """Return what anything but bytes is as content, and its language: a buffer's bytes, or a value, encoded.

    Raises ValidationError where no encoding says how, SerializationError for what has no such form, MessageTooLarge.
    """
    codec = None if isinstance(content, bytearray | memoryview) else CODECS.get(encoding or "")
    if codec is None:
        return copied(content), language
    try:
        return codec.encode(content, enc_hook=_id_as_text), encoding if language is None else language
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        problem = f"{type(content).__name__} that cannot be encoded as {encoding}: {error}"
        raise SerializationError("content", problem) from None


def as_bytes(content: object, encoding: str | None, language: str | None = None) -> tuple[bytes, str | None]:
    """Return what any content is as bytes, and its language; raises what `said` does."""
    return (content, language) if isinstance(content, bytes) else said(content, encoding, language)


def check_encoding(encoding: object) -> None:
    """Raise ValidationError for an encoding that values do not have, None aside."""
    if encoding is not None and (not isinstance(encoding, str) or encoding not in CODECS):
        raise ValidationError("encoding", f"{shown(encoding)} is not one of {', '.join(CODECS)}")


def decoded(content: bytes) -> Any:
    """Return the value that a JSON text is; raises SerializationError."""
    return _decoded(content, JSON, object)


def typed(content: bytes, encoding: str | None, language: str | None, kind: type[T]) -> T:
    """Return a content as a value of this type; raises SerializationError, ValidationError."""
    named = encoding or language or JSON
    if named not in CODECS and encoding is not None and language in CODECS:
        named = language  # as in language "json", encoding "utf-8"
    if named not in CODECS:
        raise SerializationError("content", f"its encoding is {shown(named)}, and not one of {', '.join(CODECS)}")
    found: T = _decoded(content, named, kind)
    return found


def _decoded(content: bytes, encoding: str, kind: type) -> Any:
    try:
        return CODECS[encoding].decode(content, type=Any if kind is object else kind, dec_hook=_id_of_text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        what = "" if kind is object else f" as {getattr(kind, '__name__', kind)}"
        raise SerializationError("content", f"it cannot be decoded{what} from {encoding}: {error}") from None
    except (TypeError, NameError) as error:
        raise ValidationError("kind", f"nothing can be decoded to {shown(kind)}: {error}") from None


def _id_as_text(value: object) -> str:
    if isinstance(value, _IDS):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no such form")


def _id_of_text(kind: Any, value: object) -> object:
    if kind in _IDS and isinstance(value, str):
        return kind.parse(value)
    raise ValueError(f"{type(value).__name__} where {getattr(kind, '__name__', kind)} is wanted")


def copied(content: object) -> bytes:
    """Return the bytes that anything with a buffer holds; raises ValidationError, MessageTooLarge before it copies."""
    try:
        held = memoryview(content)  # type: ignore[arg-type] # whatever has no buffer is refused
    except (TypeError, ValueError):  # a view that was released has none any more
        hint = "encode it first, as in text.encode(), or" if isinstance(content, str) else "encode it first, or"
        problem = f"{type(content).__name__} where bytes are wanted; {hint} say how: encoding='json' or 'msgpack'"
        raise ValidationError("content", problem) from None
    if held.nbytes > MAX_CONTENT:
        raise MessageTooLarge.of(held.nbytes, MAX_CONTENT)
    return held.tobytes()

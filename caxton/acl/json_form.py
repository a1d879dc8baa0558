"""A message as JSON, for whatever is not Python: logs, files, gateways.

{"performative": "query-ref", "receiver": "00000000000004d2", "content": "price", "reply_with": "01a1…"}

Fields have FIPA's names in snake_case, and are left out where they say nothing. Ids are text, moments milliseconds
since 1970, the performative FIPA's name in lower case. `content` is text where it is UTF-8, and otherwise, or where its
many control characters would make that longer, {"base64": "…"}. The receiver is an id, or, until an agent is chosen,
{"capability": ["translate"], "balancing": "weighted"}. `delivery_options` has what is not as usual.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from caxton.acl.capability import Balancing, Capability, is_nobody
from caxton.acl.content import decoded
from caxton.acl.message import Message
from caxton.acl.options import DEFAULT_OPTIONS, DeliveryOptions
from caxton.errors import InvalidMessageFormat, ParseError, ValidationError
from caxton.ids import AgentId, ConversationId, MessageId
from caxton.printable import shown

_TEXTS = ("receiver_name", "language", "encoding", "ontology", "protocol", "trace_context")
_MOMENTS = ("reply_by",)
_IDS: dict[str, Callable[[str], Any]] = {
    "conversation_id": ConversationId.parse,
    "reply_with": MessageId.parse,
    "in_reply_to": MessageId.parse,
    "reply_to": AgentId.parse,
}
# What the runtime stamps when a message is sent, whatever was there before.
_STAMPED: dict[str, Callable[[str], Any]] = {"message_id": MessageId.parse, "sender": AgentId.parse}
_OTHERS = ("performative", "receiver", "content", "created_at", "delivery_options")
# Characters for which JSON has six; and by how many bytes they may make any text longer.
_ESCAPED_LONG, _FEW_BYTES = bytes({*range(0x20)} - {*b"\b\t\n\f\r"}), 64
FIELDS = (*_OTHERS[:2], *_STAMPED, *_IDS, *_TEXTS, *_MOMENTS, *_OTHERS[2:])


def message_values(message: Message) -> dict[str, object]:
    """Return a message as the values that its JSON form has, for any encoder of JSON."""
    values: dict[str, object] = {"performative": message.performative.act, "receiver": _receiver_values(message)}
    if message.sender is not None:
        values |= {"message_id": str(message.message_id), "sender": str(message.sender)}
    if message.created_at:
        values["created_at"] = message.created_at
    for name in _IDS:
        if (value := getattr(message, name)) is not None:
            values[name] = str(value)
    for name in (*_TEXTS, *_MOMENTS):
        if (value := getattr(message, name)) is not None:
            values[name] = value
    values["content"] = _content_values(message.content)
    if options := options_values(message.delivery_options):
        values["delivery_options"] = options
    return values


def read_message(form: bytes | str | Mapping[str, object]) -> Message:
    """Return the message of a JSON text, or of the values of one, yet to be sent.

    Names of fields may have hyphens, `reply-to`, and performatives any case, QUERY_REF. Sender, id and time are shown
    as they stand there; whoever sends the message stamps its own. That the runtime made a message by itself cannot be
    written. Raises InvalidMessageFormat for what is no such form, by the name of the field, and what `Message` raises.
    """
    values = _named(form if isinstance(form, Mapping) else _parsed(form))
    if missing := {"performative", "receiver"} - values.keys():
        raise InvalidMessageFormat(min(missing), "it is missing")
    given: dict[str, Any] = {name: _id(name, values[name], _IDS[name]) for name in _IDS if name in values}
    given |= {name: values[name] for name in (*_TEXTS, *_MOMENTS) if name in values}
    message = Message(
        _receiver(values["receiver"]),
        read_content(values.get("content", "")),
        performative=_text("performative", values["performative"]),
        delivery_options=read_options(values.get("delivery_options", {})),
        **given,
    )
    stamps: dict[str, Any] = {name: _id(name, values[name], _STAMPED[name]) for name in _STAMPED if name in values}
    created_at = values.get("created_at", 0)
    if type(created_at) is not int or not 0 <= created_at < 1 << 63:
        raise InvalidMessageFormat("created_at", f"{shown(created_at)} is not a time in milliseconds since 1970")
    envelope = replace(
        message.envelope,
        message_id=bytes(stamps.get("message_id", MessageId(bytes(16)))),
        sender=int(stamps.get("sender", 0)),
        created_at=created_at,
    )
    return Message.of(envelope)


def _receiver_values(message: Message) -> str | dict[str, object]:
    capability = message.capability
    if capability is None or not is_nobody(message.receiver):
        return str(message.receiver)
    values: dict[str, object] = {"capability": list(capability.names)}
    if capability.balancing is not Balancing.LEAST_CONNECTIONS:
        values["balancing"] = capability.balancing.value
    return values


def _content_values(content: bytes) -> str | dict[str, str]:
    """Return content as text, or as base64 where it is none, or where JSON would take six characters for much of it."""
    escaped = len(content) - len(content.translate(None, _ESCAPED_LONG))
    if 5 * escaped <= max(_FEW_BYTES, len(content) // 3):
        with suppress(UnicodeDecodeError):
            return content.decode()
    return {"base64": base64.b64encode(content).decode()}


def options_values(options: DeliveryOptions) -> dict[str, Any]:
    """Return what of these options is not as usual, as values of JSON."""
    usual = asdict(DEFAULT_OPTIONS)
    values = {name: value for name, value in asdict(options).items() if value != usual[name]}
    told: dict[str, Any] = msgspec.to_builtins(values)
    return told


def _parsed(form: bytes | str) -> Mapping[str, object]:
    try:
        values = decoded(form.encode() if isinstance(form, str) else form)
    except (ValidationError, UnicodeEncodeError, AttributeError, TypeError) as error:
        raise InvalidMessageFormat("message", f"it is no JSON: {error}") from None
    if not isinstance(values, Mapping):
        raise InvalidMessageFormat("message", f"{shown(values)} is not an object of JSON")
    return values


def _named(values: Mapping[str, object]) -> dict[str, Any]:
    """Return what is said by the names that fields have; null says nothing."""
    found: dict[str, Any] = {}
    for given, value in values.items():
        name = str(given).replace("-", "_")
        if name not in FIELDS:
            raise no_field(given)
        if name in found:
            raise InvalidMessageFormat(name, "it is there twice, with a hyphen and without")
        found[name] = value
    return {name: value for name, value in found.items() if value is not None}


def no_field(given: object) -> InvalidMessageFormat:
    """Return the error about a name that no field has; it says which may be meant."""
    near = get_close_matches(str(given).replace("-", "_"), FIELDS, 1)
    hint = f"; is {near[0]!r} meant?" if near else ""
    return InvalidMessageFormat("message", f"{shown(given)} is no field of one{hint}")


def _text(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidMessageFormat(field, f"{shown(value)} is not text")
    return value


def _id(field: str, value: object, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(_text(field, value))
    except ParseError as error:
        raise InvalidMessageFormat(field, error.problem) from None


def _receiver(value: object) -> AgentId | Capability:
    if not isinstance(value, Mapping):
        found: AgentId = _id("receiver", value, AgentId.parse)
        return found
    names = value.get("capability")
    if value.keys() - {"capability", "balancing"} or not isinstance(names, list | tuple):
        problem = f'{shown(value)} is neither an id nor {{"capability": [names], "balancing": how}}'
        raise InvalidMessageFormat("receiver", problem)
    return Capability(*names, balancing=value.get("balancing") or Balancing.LEAST_CONNECTIONS)


def read_content(value: object) -> bytes:
    """Return the content that is text or {"base64": "…"}; raises InvalidMessageFormat."""
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise InvalidMessageFormat("content", "it has characters that UTF-8 cannot carry") from None
    if isinstance(value, Mapping) and value.keys() == {"base64"} and isinstance(value["base64"], str):
        try:
            return base64.b64decode(value["base64"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidMessageFormat("content", f"its base64 cannot be read: {error}") from None
    raise InvalidMessageFormat("content", f'{shown(value)} is neither text nor {{"base64": text}}')


def read_options(values: object) -> DeliveryOptions:
    """Return delivery options from an object of JSON; raises InvalidMessageFormat."""
    if not isinstance(values, Mapping):
        raise InvalidMessageFormat("delivery_options", f"{shown(values)} is not an object of JSON")
    named = {str(name).replace("-", "_"): value for name, value in values.items()}
    if unknown := named.keys() - set(DeliveryOptions.__struct_fields__):
        raise InvalidMessageFormat("delivery_options", f"{shown(min(unknown))} is none of them")
    try:
        return msgspec.convert(named, DeliveryOptions)
    except msgspec.ValidationError as error:
        raise InvalidMessageFormat("delivery_options", str(error)) from None

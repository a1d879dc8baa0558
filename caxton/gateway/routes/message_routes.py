"""Messages: send, request, and many at once; each in the JSON form that `caxton.acl.json_form` has."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, post
from litestar.params import HeaderParameter

from caxton.acl.json_form import read_message
from caxton.acl.message import Message
from caxton.acl.performative import Performative
from caxton.acl.plain_form import PlainForms
from caxton.client.client import Client
from caxton.client.interactions.questions import check_opening
from caxton.client.routes.receipts import Receipt
from caxton.errors import AccessDenied, AgentNotFound, CaxtonError, ValidationError
from caxton.forms.message_form import told_values
from caxton.forms.receipt_form import ReceiptForm
from caxton.gateway.body import JSON, turn
from caxton.gateway.caller import Caller
from caxton.gateway.door import note_denied
from caxton.gateway.limits import OUTCOMES_AT_ONCE
from caxton.gateway.message_body import Values, read_many, read_one, values_of
from caxton.gateway.parameters import Timeout
from caxton.gateway.problem import Problem, as_json
from caxton.ids import uuid_text
from caxton.tokens.role import Role

Key = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key", description="The message's idempotency key: it is taken once in ten minutes."
    ),
]


class MessageToSend(msgspec.Struct, frozen=True, kw_only=True):
    """A message yet to be sent. receiver: an id or a capability, or else receiver_name. content: text, or base64."""

    receiver: str | dict[str, Any] | None = None
    receiver_name: str | None = None
    performative: str = "inform"
    content: str | dict[str, str] = ""
    language: str | None = None
    encoding: str | None = None
    ontology: str | None = None
    protocol: str | None = None
    conversation_id: str | None = None
    in_reply_to: str | None = None
    reply_to: str | None = None
    reply_by: int | None = None
    trace_context: str | None = None
    delivery_options: dict[str, Any] | None = None


class MessagesToSend(msgspec.Struct, frozen=True):
    """Messages yet to be sent, at most 10,000."""

    messages: list[MessageToSend]


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one message of a batch: it has a receipt, or a problem."""

    receipt: ReceiptForm | None = None
    problem: Problem | None = None


class BatchAnswer(msgspec.Struct, frozen=True):
    """results: of each message, in order. accepted: how many have a receipt."""

    results: list[Outcome]
    accepted: int


# What no JSON is in an error's fields, such as bytes, is told as text.
_ANSWER = msgspec.json.Encoder(enc_hook=str)


@post("/v1/messages", summary="Send a message", tags=["messages"], status_code=200, opt={"body": MessageToSend})
async def send_message(
    caller: Caller, request: Request[Any, Any, Any], key: Key = None, timeout_s: Timeout = 30.0
) -> ReceiptForm:
    """Send one message, durable unless its options say otherwise; answers when it is acknowledged."""
    caller.grant.allows_some(Role.SENDER)
    values = await read_one(request)
    async with caller.speaking() as client:
        message = await _message(caller, client, values, "inform", key)
        (sent,) = await client.send_batch([message], timeout_s=timeout_s)
    if isinstance(sent, CaxtonError):
        raise sent
    return _receipt(sent)


@post(
    "/v1/messages/request",
    summary="Send a request and return its answer",
    tags=["messages"],
    status_code=200,
    opt={"body": MessageToSend, "answer": MessageToSend},
)
async def request_message(
    caller: Caller, request: Request[Any, Any, Any], key: Key = None, timeout_s: Timeout = 5.0
) -> Response[bytes]:
    """Send a request, volatile unless its options say otherwise, and answer with the message that answers it."""
    caller.grant.allows_some(Role.SENDER)
    values = await read_one(request)
    async with caller.speaking() as client:
        protocol = values.get("protocol")
        if protocol is not None and not values.get("conversation_id"):
            values["conversation_id"] = str(client.new_conversation())
        message = await _message(caller, client, values, "request", key)
        if protocol is not None:
            check_opening(str(protocol), message.performative)
        (reply,) = await client.request_many([message], timeout_s=timeout_s)
    if isinstance(reply, CaxtonError):
        raise reply
    return Response(as_json(told_values(reply)), media_type=JSON)


@post(
    "/v1/messages/batch",
    summary="Send many messages",
    tags=["messages"],
    status_code=200,
    opt={"body": MessagesToSend, "answer": BatchAnswer},
)
async def send_messages(
    caller: Caller, request: Request[Any, Any, Any], key: Key = None, timeout_s: Timeout = 30.0
) -> Response[bytes]:
    """Send messages; answers when each is acknowledged or refused. One that cannot be read or sent is refused alone."""
    caller.grant.allows_some(Role.SENDER)
    if key is not None:
        raise ValidationError("Idempotency-Key", "each message of a batch has its own, in its delivery_options")
    read: list[Message | CaxtonError] = []
    batch = await read_many(request)
    async with caller.speaking() as client:
        forms = PlainForms(client.id_of, Performative.INFORM)
        for part in batch.parts:
            async with turn(request, is_large=batch.is_large):
                some = [_one_of_many(client, forms, raw) for raw in part]
            if not caller.grant.is_for_all:  # shards may be asked who is meant, and nobody else waits for that
                some = [await _allowed(caller, client, request, one) for one in some]
            read += some
        going = [one for one in read if isinstance(one, Message)]
        sent = iter(await client.send_batch(going, timeout_s=timeout_s))
    results = [next(sent) if isinstance(one, Message) else one for one in read]
    told = []
    for start in range(0, len(results), OUTCOMES_AT_ONCE):
        async with turn(request, is_large=batch.is_large):
            told.append(_ANSWER.encode([_outcome(one) for one in results[start : start + OUTCOMES_AT_ONCE]])[1:-1])
    accepted = sum(isinstance(one, Receipt) for one in results)
    return Response(b'{"results":[%b],"accepted":%d}' % (b",".join(told), accepted), media_type=JSON)


def _one_of_many(client: Client, forms: PlainForms, raw: msgspec.Raw) -> Message | CaxtonError:
    """Return a message of a batch, or why it is not sent."""
    try:
        return forms.read(raw) or _read(client, values_of(raw), "inform", None)
    except (ValidationError, AgentNotFound) as error:
        return error


async def _allowed(
    caller: Caller, client: Client, request: Request[Any, Any, Any], message: Message | CaxtonError
) -> Message | CaxtonError:
    """Return a message of a batch, or why it is not sent: because of who asks."""
    if isinstance(message, CaxtonError):
        return message
    try:
        await _check_parties(caller, client, message)
    except AccessDenied as error:
        note_denied(caller.house.notes, request.scope, caller.grant, error)
        return error
    except (ValidationError, AgentNotFound) as error:
        return error
    return message


def _outcome(result: Receipt | CaxtonError) -> Outcome:
    return Outcome(_receipt(result)) if isinstance(result, Receipt) else Outcome(None, Problem.of(result))


async def _message(caller: Caller, client: Client, values: Values, performative: str, key: str | None) -> Message:
    """Return the message of a JSON form that this caller may send; raises what is wrong with it."""
    message = _read(client, values, performative, key)
    await _check_parties(caller, client, message)
    return message


async def _check_parties(caller: Caller, client: Client, message: Message) -> None:
    """Let pass what goes, with its answers, only to agents that a token for some is for."""
    if caller.grant.is_for_all:
        return
    name = message.receiver_name
    if message.capability is not None:
        caller.may(Role.SENDER)
    elif name is None or client.id_of(name) != message.receiver:
        await caller.may_reach(client, message.receiver, Role.SENDER)
    else:
        caller.grant.allows(Role.SENDER, name)
    if message.reply_to is not None:
        await caller.may_reach(client, message.reply_to, Role.SENDER)


def _receipt(receipt: Receipt) -> ReceiptForm:
    form = ReceiptForm(
        message_id=uuid_text(receipt.raw_id), reliability=receipt.lane.reliability, is_new=receipt.is_new
    )
    if receipt.agent is None:
        return form
    return msgspec.structs.replace(form, agent=str(receipt.agent), tried=tuple(map(str, receipt.tried)))


def _read(client: Client, values: Values, performative: str, key: str | None) -> Message:
    values.setdefault("performative", performative)
    name = values.get("receiver_name")
    if values.get("receiver") is None and isinstance(name, str):
        values["receiver"] = str(client.id_of(name))
    if key is not None:
        options = values.get("delivery_options") or {}
        if isinstance(options, Mapping):
            if options.get("idempotency_key", key) != key:
                raise ValidationError("Idempotency-Key", "the message's delivery_options have another one")
            values["delivery_options"] = {**options, "idempotency_key": key}
    return read_message(values)


ROUTES: list[Any] = [send_message, request_message, send_messages]

"""The message that users hold: every FIPA field, checked when made, never changing.

FIPA ACL Message Structure Specification, SC00061G, gives the fields; `caxton.acl.envelope` is what travels.
"""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Self, TypeAlias, TypeVar

import msgspec

from caxton.acl.envelope import AUTOMATIC, DURABLE, LANE_OPEN, MAX_CONTENT, Envelope, Rare
from caxton.acl.failure import read_report
from caxton.acl.options import DEFAULT_OPTIONS, LEVELS, MIN_RETRIES, MIN_TIMEOUT_MS, DeliveryOptions, Lane
from caxton.acl.performative import ACTS, Performative
from caxton.errors import CaxtonError, InvalidMessageFormat, MessageTooLarge, ValidationError
from caxton.ids import BROADCAST, AgentId, ConversationId, MessageId
from caxton.printable import shown

Content: TypeAlias = bytes | bytearray | memoryview
AnyMessage = TypeVar("AnyMessage", bound="Message")

MAX_TEXT = 255
_RARE = ("language", "encoding", "ontology", "protocol", "reply_to", "reply_by", "trace_context")


class Message:
    """One ACL message. Immutable; equal when every field is.

    receiver: an AgentId (all ones: broadcast). content: bytes, or what holds bytes (bytearray, memoryview, array) and
    is copied; at most 10 MB. performative: a `Performative`, or FIPA's name of one, such as "query-ref". language,
    encoding, ontology, protocol, trace_context: text of at most 255 characters. reply_by: milliseconds since 1970.
    Sender, message id and time are stamped by the runtime when the message is sent. Raises ValidationError for a value
    out of bounds, MessageTooLarge for the content. A message whose lane is not decided takes that of the call that
    sends it; one with an idempotency key is durable.
    """

    __slots__ = ("_envelope",)
    _envelope: Envelope

    def __init__(  # noqa: PLR0913 (FIPA's fields are what they are)
        self,
        receiver: AgentId | int,
        content: Content = b"",
        *,
        performative: Performative | str = Performative.INFORM,
        language: str | None = None,
        encoding: str | None = None,
        ontology: str | None = None,
        protocol: str | None = None,
        conversation_id: ConversationId | None = None,
        reply_with: MessageId | None = None,
        in_reply_to: MessageId | None = None,
        reply_to: AgentId | int | None = None,
        reply_by: int | None = None,
        trace_context: str | None = None,
        delivery_options: DeliveryOptions = DEFAULT_OPTIONS,
    ) -> None:
        if not isinstance(content, bytes):
            content = _copied(content)
        if len(content) > MAX_CONTENT:
            raise MessageTooLarge.of(len(content), MAX_CONTENT)
        if not isinstance(delivery_options, DeliveryOptions):
            raise ValidationError("delivery_options", f"{shown(delivery_options)} is not a DeliveryOptions")
        options = delivery_options
        rare = Rare(
            _text("language", language),
            _text("encoding", encoding),
            _text("ontology", ontology),
            _text("protocol", protocol),
            None if reply_to is None else _agent("reply_to", reply_to),
            _moment("reply_by", reply_by),
            _text("trace_context", trace_context),
            options.max_retries,
            options.idempotency_key,
        )
        envelope = Envelope(
            bytes(16),
            _performative(performative),
            0,
            _agent("receiver", receiver),
            content,
            _id("reply_with", reply_with, MessageId),
            _id("in_reply_to", in_reply_to, MessageId),
            _id("conversation_id", conversation_id, ConversationId),
            level=int(options.priority),
            timeout_ms=options.timeout_ms,
            flags=_lane_flag(options),
            rare=None if rare == _NOTHING_RARE else rare,
        )
        object.__setattr__(self, "_envelope", envelope)

    @classmethod
    def of(cls, envelope: Envelope) -> Self:
        """Show an envelope that the wire has checked. The caller gives it away: nobody may change it afterwards."""
        message = _new(cls)
        _give(message, envelope)
        return message

    @property
    def envelope(self) -> Envelope:
        """The fields as they travel; whoever sends them stamps a copy."""
        return self._envelope

    @property
    def performative(self) -> Performative:
        """What the message does."""
        return Performative(self._envelope.performative)

    @property
    def sender(self) -> AgentId | None:
        """Who sent it, stamped by the runtime; None before it is sent."""
        return AgentId(self._envelope.sender) if self._envelope.sender else None

    @property
    def receiver(self) -> AgentId:
        """Who it is for."""
        return AgentId(self._envelope.receiver)

    @property
    def content(self) -> bytes:
        """The payload."""
        return self._envelope.content

    @property
    def message_id(self) -> MessageId:
        """Its id, stamped by the runtime; all zeros before it is sent."""
        return MessageId(self._envelope.message_id)

    @property
    def created_at(self) -> int:
        """When it was sent, in milliseconds since 1970; 0 before."""
        return self._envelope.created_at

    @property
    def conversation_id(self) -> ConversationId | None:
        """The conversation it belongs to."""
        raw = self._envelope.conversation_id
        return None if raw is None else ConversationId(raw)

    @property
    def reply_with(self) -> MessageId | None:
        """What an answer is asked to carry as in_reply_to."""
        raw = self._envelope.reply_with
        return None if raw is None else MessageId(raw)

    @property
    def in_reply_to(self) -> MessageId | None:
        """The reply_with of the message that this one answers."""
        raw = self._envelope.in_reply_to
        return None if raw is None else MessageId(raw)

    @property
    def language(self) -> str | None:
        """The language of the content."""
        return self._rare.language

    @property
    def encoding(self) -> str | None:
        """The encoding of the content."""
        return self._rare.encoding

    @property
    def ontology(self) -> str | None:
        """What gives the content's symbols their meaning."""
        return self._rare.ontology

    @property
    def protocol(self) -> str | None:
        """The interaction protocol it is part of."""
        return self._rare.protocol

    @property
    def reply_to(self) -> AgentId | None:
        """Who answers go to, when not to the sender."""
        raw = self._rare.reply_to
        return None if raw is None else AgentId(raw)

    @property
    def reply_by(self) -> int | None:
        """The latest moment at which the sender wants an answer, in milliseconds since 1970."""
        return self._rare.reply_by

    @property
    def trace_context(self) -> str | None:
        """The W3C trace context it travels in."""
        return self._rare.trace_context

    @property
    def delivery_options(self) -> DeliveryOptions:
        """How it is to be delivered; what the wire does not carry has its default."""
        envelope, key = self._envelope, self._rare.idempotency_key
        lane = Lane.DURABLE if envelope.flags & DURABLE else Lane.VOLATILE
        return DeliveryOptions(
            reliability=None if envelope.flags & LANE_OPEN else lane.reliability,
            priority=max(level for level in LEVELS if level <= envelope.level),
            timeout_ms=max(MIN_TIMEOUT_MS, envelope.timeout_ms),
            max_retries=max(MIN_RETRIES, self._rare.max_retries),
            idempotency_key=key if key and lane is Lane.DURABLE else None,
        )

    def failure(self) -> CaxtonError | None:
        """Return the error that this message tells of when it is a failure which the runtime made; otherwise None.

        A failure that an agent sent says what it means in its own content.
        """
        if not self._envelope.flags & AUTOMATIC or self.performative is not Performative.FAILURE:
            return None
        try:
            return read_report(self._envelope.content)
        except InvalidMessageFormat as error:
            return error

    @property
    def _rare(self) -> Rare:
        return self._envelope.rare or _NOTHING_RARE

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a message does not change; make another")

    def __reduce__(self) -> tuple[Callable[[type[Self], bytes], Self], tuple[type[Self], bytes]]:
        return _travelled, (type(self), msgspec.msgpack.encode(self._envelope))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and self._envelope == other._envelope

    def __hash__(self) -> int:
        return hash((self._envelope.message_id, self._envelope.receiver, self._envelope.content))

    def __repr__(self) -> str:
        content = self.content if len(self.content) <= MAX_SHOWN else self.content[:MAX_SHOWN] + b"..."
        return f"Message({self.performative.act} to {self.receiver}, {len(self.content)} bytes: {content!r})"


# The two steps of `object.__setattr__` without looking up the name: half the time, for every answer that comes.
_new, _give = object.__new__, Message._envelope.__set__  # type: ignore[attr-defined,misc] # noqa: SLF001 (a slot of its own)
MAX_SHOWN = 40
_decode = msgspec.msgpack.Decoder(Envelope).decode
_NOTHING_RARE = Rare(max_retries=DEFAULT_OPTIONS.max_retries)


def _travelled(kind: type[AnyMessage], packed: bytes) -> AnyMessage:
    """Return the message that was copied, or came from another process; raises InvalidMessageFormat for no message."""
    try:
        envelope = _decode(packed)
    except msgspec.DecodeError as error:
        raise InvalidMessageFormat("message", str(error)) from None
    if not envelope.receiver or len(envelope.content) > MAX_CONTENT:
        raise InvalidMessageFormat("message", "its receiver or its content is out of bounds")
    return kind.of(envelope)


def _lane_flag(options: DeliveryOptions) -> int:
    """Return how the envelope keeps the lane: decided, or left to the call."""
    if options.reliability is None:
        return LANE_OPEN if options.idempotency_key is None else DURABLE
    return DURABLE if Lane.of(options.reliability) is Lane.DURABLE else 0


def _copied(content: object) -> bytes:
    """Return the bytes that anything with a buffer holds; raises ValidationError, MessageTooLarge before it copies."""
    try:
        held = memoryview(content)  # type: ignore[arg-type] # whatever has no buffer is refused
    except (TypeError, ValueError):  # a view that was released has none any more
        hint = "; encode it first, as in text.encode()" if isinstance(content, str) else ""
        raise ValidationError("content", f"{type(content).__name__} where bytes are wanted{hint}") from None
    if held.nbytes > MAX_CONTENT:
        raise MessageTooLarge.of(held.nbytes, MAX_CONTENT)
    return held.tobytes()


def _text(field: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ValidationError(field, f"{shown(value)} is not text of at most {MAX_TEXT} characters")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValidationError(field, f"{shown(value)} has characters that UTF-8 cannot carry") from error
    return value


def _agent(field: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= BROADCAST:
        hint = "; `client.id_of` gives the id of a name" if isinstance(value, str) else ""
        raise ValidationError(field, f"{shown(value)} is not an agent id{hint}")
    return int(value)


def _moment(field: str, value: int | None) -> int | None:
    if value is None or (type(value) is int and 0 <= value < 1 << 63):
        return value
    raise ValidationError(field, f"{shown(value)} is not a time in milliseconds since 1970")


def _performative(value: object) -> int:
    if type(value) is Performative:
        return int(value)
    try:
        if isinstance(value, int | str) and not isinstance(value, bool):
            return int(Performative(value))  # type: ignore[arg-type] # a name is found by `_missing_`
    except ValueError:
        pass
    near = get_close_matches(value.lower(), ACTS, 1) if isinstance(value, str) else []
    hint = f"; is {near[0]!r} meant?" if near else ""
    raise ValidationError("performative", f"{shown(value)} is not one of FIPA's 22 acts{hint}")


def _id(field: str, value: MessageId | ConversationId | None, kind: Callable[..., object]) -> bytes | None:
    if value is None:
        return None
    if not isinstance(value, kind):  # type: ignore[arg-type] # the kinds are classes
        raise ValidationError(field, f"{shown(value)} is not a {kind.__name__}")
    return bytes(value)

"""The message that users hold: every FIPA field, checked when made, never changing.

FIPA ACL Message Structure Specification, SC00061G, gives the fields; `caxton.acl.envelope` is what travels.
"""

from collections.abc import Callable
from typing import Any, Self, TypeAlias, TypeVar

import msgspec

from caxton.acl.capability import NOBODY, Balancing, Capability, is_nobody, names_of
from caxton.acl.content import decoded, said, typed
from caxton.acl.conversation_limits import ConversationLimits
from caxton.acl.envelope import AUTOMATIC, DURABLE, LANE_OPEN, MAX_CONTENT, RECEIPT_PROTOCOL, Envelope, Rare
from caxton.acl.failure import read_report
from caxton.acl.fields import agent, moment, performative_number, raw_id, text
from caxton.acl.options import DEFAULT_OPTIONS, LEVELS, MIN_RETRIES, MIN_TIMEOUT_MS, DeliveryOptions, Lane
from caxton.acl.performative import Performative
from caxton.errors import CaxtonError, InvalidMessageFormat, MessageTooLarge, ValidationError
from caxton.ids import AgentId, ConversationId, MessageId
from caxton.printable import shown

Content: TypeAlias = bytes | bytearray | memoryview
AnyMessage = TypeVar("AnyMessage", bound="Message")
T = TypeVar("T")

_TELL_OF_ERRORS = (Performative.FAILURE, Performative.NOT_UNDERSTOOD, Performative.CANCEL)
_RARE = ("language", "encoding", "ontology", "protocol", "reply_to", "reply_by", "trace_context")


class Message:
    """One ACL message. Immutable; equal when every field is.

    receiver: an AgentId (all ones: broadcast), or a `Capability`, for which an agent is chosen when it is sent.
    content: bytes, or what holds bytes (bytearray, memoryview, array) and is copied; at most 10 MB. With the encoding
    "json" or "msgpack" it may be any other value, which is encoded, and the language is that, too, unless one is given:
    what JSON has, dataclasses, `msgspec.Struct`, ids (as text), dates. performative: a
    `Performative`, or FIPA's name of one, such as "query-ref". language,
    encoding, ontology, protocol, trace_context: text of at most 255 characters. receiver_name: what you call the
    receiver, for errors and dead letters; the id alone says who it is. reply_by: milliseconds since 1970.
    Sender, message id and time are stamped by the runtime when the message is sent. Raises ValidationError for a value
    out of bounds, SerializationError for a value that cannot be encoded, MessageTooLarge for the content. A message
    whose lane is not decided takes that of the call that sends it; one with an idempotency key is durable.
    """

    __slots__ = ("_envelope",)
    _envelope: Envelope

    def __init__(  # noqa: PLR0913 (FIPA's fields are what they are)
        self,
        receiver: AgentId | int | Capability,
        content: object = b"",
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
        receiver_name: str | None = None,
        delivery_options: DeliveryOptions = DEFAULT_OPTIONS,
    ) -> None:
        if not isinstance(content, bytes):
            content, language = said(content, encoding, language)
        if len(content) > MAX_CONTENT:
            raise MessageTooLarge.of(len(content), MAX_CONTENT)
        if not isinstance(delivery_options, DeliveryOptions):
            raise ValidationError("delivery_options", f"{shown(delivery_options)} is not a DeliveryOptions")
        options = delivery_options
        rare = Rare(
            text("language", language),
            text("encoding", encoding),
            text("ontology", ontology),
            text("protocol", protocol),
            None if reply_to is None else agent("reply_to", reply_to),
            moment("reply_by", reply_by),
            text("trace_context", trace_context),
            options.max_retries,
            options.idempotency_key,
            receiver_name=text("receiver_name", receiver_name),
            receipt=options.receipt,
            max_hops=options.max_hops or 0,
            max_work=options.max_work or 0,
            expires_at=moment("expires_at", options.expires_at),
            capability=receiver.key if isinstance(receiver, Capability) else None,
            balancing=receiver.balancing if isinstance(receiver, Capability) else None,
            conversation=None if options.conversation is None else options.conversation.opening,
        )
        envelope = Envelope(
            bytes(16),
            performative_number(performative),
            0,
            NOBODY if isinstance(receiver, Capability) else agent("receiver", receiver),
            content,
            raw_id("reply_with", reply_with, MessageId),
            raw_id("in_reply_to", in_reply_to, MessageId),
            raw_id("conversation_id", conversation_id, ConversationId),
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
        """Who it is for. Of a message to a capability that has not been sent, an id that is nobody's."""
        return AgentId(self._envelope.receiver)

    @property
    def capability(self) -> Capability | None:
        """The capability that it was sent to; None when its receiver was named."""
        key, how = self._rare.capability, self._rare.balancing or Balancing.LEAST_CONNECTIONS
        return None if key is None else Capability(*names_of(key), balancing=how)

    @property
    def tried(self) -> tuple[AgentId, ...]:
        """The agents with its capability that were tried before this receiver."""
        return tuple(map(AgentId, self._rare.tried))

    @property
    def content(self) -> bytes:
        """The payload."""
        return self._envelope.content

    def json(self) -> Any:
        """Return the value that the content is as JSON, whatever its encoding says. Raises SerializationError."""
        return decoded(self._envelope.content)

    def decode(self, kind: type[T]) -> T:
        """Return the content as a value of this type: a `msgspec.Struct`, a dataclass, `dict[str, int]`, or `object`.

        It is read as its encoding says, "json" or "msgpack", or else its language; as JSON where neither says anything.
        Raises SerializationError for content that is no such value or has another encoding, ValidationError for a type
        that nothing can be decoded to.
        """
        return typed(self._envelope.content, self._rare.encoding, self._rare.language, kind)

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
        """The W3C trace context it travels in: of what was sampled, which span of which trace it follows from."""
        return self._rare.trace_context

    @property
    def receiver_name(self) -> str | None:
        """What its sender calls the receiver; None when it was sent to an id."""
        return self._rare.receiver_name

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
            receipt=self._rare.receipt,
            idempotency_key=key if key and lane is Lane.DURABLE else None,
            max_hops=self._rare.max_hops or None,
            max_work=self._rare.max_work or None,
            expires_at=self._rare.expires_at or None,
            conversation=None if self._rare.conversation is None else ConversationLimits.of(self._rare.conversation),
        )

    def failure(self) -> CaxtonError | None:
        """Return the error that this message tells of when the runtime made it, and otherwise None.

        That is a `failure`, a `not-understood` for what does not fit a conversation, such as a ProtocolViolation, or
        the `cancel` of a client that is gone (SessionNotFound). What an agent sent as one of these says what it means
        in its own content.
        """
        if not self._envelope.flags & AUTOMATIC or self.performative not in _TELL_OF_ERRORS:
            return None
        try:
            return read_report(self._envelope.content)
        except InvalidMessageFormat as error:
            return error

    def reply(
        self,
        content: object = b"",
        *,
        performative: Performative | str = Performative.INFORM,
        encoding: str | None = None,
        reply_with: MessageId | None = None,
        reply_by: int | None = None,
        delivery_options: DeliveryOptions | None = None,
    ) -> "Message":
        """Return an answer to this message, yet to be sent: to its `reply_to`, or else to its sender.

        It has this one's conversation, protocol, ontology, language, encoding, priority and trace, and names its
        reply_with as in_reply_to. encoding: another one than this message's, and its own language with it. Raises
        ValidationError for a message that nobody has sent, or that the runtime made by itself, unless it cancels:
        nothing answers that.
        What else it raises, see the class.
        """
        envelope = self._envelope
        receiver = self._rare.reply_to or envelope.sender
        if not receiver:
            raise ValidationError("message", "it was never sent, so there is nobody to answer")
        if envelope.flags & AUTOMATIC and self.performative is not Performative.CANCEL:
            raise ValidationError("message", "the runtime made it by itself, so there is nobody to answer")
        return Message(
            receiver,
            content,
            performative=performative,
            language=self.language if encoding is None else None,
            encoding=self.encoding if encoding is None else encoding,
            ontology=self.ontology,
            protocol=self.protocol,
            conversation_id=self.conversation_id,
            reply_with=reply_with,
            in_reply_to=self.reply_with,
            reply_by=reply_by,
            trace_context=self.trace_context,
            delivery_options=delivery_options or DeliveryOptions(priority=self.delivery_options.priority),
        )

    def fail(self, reason: str) -> "Message":
        """Return the answer that what this message asks for came to nothing: a `failure`, its content the reason.

        Raises what `reply` does.
        """
        return self.reply(reason.encode("utf-8", "replace"), performative=Performative.FAILURE)

    @property
    def is_confirmation(self) -> bool:
        """True when the runtime says that a message was handled, to its sender who asked for a `receipt`.

        It is a `confirm` of the protocol "caxton:receipt", from whoever handled the message, without content;
        `in_reply_to` is the message's reply_with, or its id if it had none.
        """
        return bool(self._envelope.flags & AUTOMATIC) and self.protocol == RECEIPT_PROTOCOL

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
        to = self.capability if is_nobody(self._envelope.receiver) else self.receiver
        return f"Message({self.performative.act} to {to}, {len(self.content)} bytes: {content!r})"


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

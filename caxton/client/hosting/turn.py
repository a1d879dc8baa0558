"""One turn of a Python agent: the message that it handles, and what it sends because of it."""

from collections.abc import Callable
from typing import Any

from caxton.acl.content import as_bytes
from caxton.acl.message import Message
from caxton.acl.options import DEFAULT_OPTIONS, DeliveryOptions
from caxton.acl.performative import Performative
from caxton.client.attached.turns import MOST_BYTES, MOST_MESSAGES, Delivered, is_value, not_sendable
from caxton.client.connection import Agent
from caxton.errors import ResourceExhausted, ValidationError
from caxton.ids import AgentId, ConversationId, MessageId


class Turn:
    """What a Python agent may do in one turn, besides what its handler returns.

    message: what it handles. delivery_count: 2 and more mean that it may have been handled before. What is sent here
    leaves when the handler returns, together with the end of the message: all of it once, or nothing when the handler
    raises. state: what the agent keeps, of the type that its decorator names, to be changed or replaced: as it is when
    the handler returns it is committed with the turn; None for an agent that keeps nothing.
    """

    __slots__ = ("_bytes", "_id_of", "_sent", "delivery_count", "message", "state")

    def __init__(self, delivered: Delivered, id_of: Callable[[Agent], AgentId], state: Any = None) -> None:
        self.state = state
        self.message = delivered.message
        self.delivery_count = delivered.delivery_count
        self._id_of = id_of
        self._sent: list[Message] = []
        self._bytes = 0

    def send(  # noqa: PLR0913 (FIPA's fields are what they are)
        self,
        to: Agent,
        content: object = b"",
        *,
        performative: Performative | str = Performative.INFORM,
        encoding: str | None = None,
        protocol: str | None = None,
        conversation_id: ConversationId | None = None,
        reply_with: MessageId | None = None,
        in_reply_to: MessageId | None = None,
        reply_by: int | None = None,
        options: DeliveryOptions = DEFAULT_OPTIONS,
    ) -> None:
        """Send a message when the turn ends, of this turn's lane if that is the durable one.

        Raises what `Message` and `send_message` raise.
        """
        message = Message(
            self._id_of(to),
            content,
            performative=performative,
            encoding=encoding,
            protocol=protocol,
            conversation_id=conversation_id,
            reply_with=reply_with,
            in_reply_to=in_reply_to,
            reply_by=reply_by,
            receiver_name=to if isinstance(to, str) else None,
            delivery_options=options,
        )
        self.send_message(message)

    def send_message(self, message: Message) -> None:
        """Send a message that was made before, as `turn.message.reply(…)` makes one, when the turn ends.

        Raises ValidationError for what is none, ResourceExhausted beyond 256 messages, or 12 MiB of them, in one turn.
        """
        if not isinstance(message, Message):
            raise ValidationError("message", f"{type(message).__name__}; give a Message")
        if len(self._sent) >= MOST_MESSAGES:
            raise ResourceExhausted("messages to be sent in one turn", MOST_MESSAGES)
        if self._bytes + len(message.content) > MOST_BYTES:
            raise ResourceExhausted("bytes to be sent in one turn", MOST_BYTES)
        self._bytes += len(message.content)
        self._sent.append(message)

    def with_sent(self, said: object, encoding: str | None = None) -> object:
        """Return all that the turn sends: first what was sent here, then what its handler returned.

        encoding: of a value. Raises ValidationError for what is neither None, a content, a Message, nor several of
        them, SerializationError for a value that cannot be encoded.
        """
        if isinstance(said, Message):
            return [*self._sent, said]
        if not self._sent:
            return said  # whoever ends the turn checks it
        if said is None:
            return self._sent
        is_encoded = encoding is not None and is_value(said)
        if isinstance(said, list | tuple) and not is_encoded:
            return [*self._sent, *said]
        if is_encoded or isinstance(said, bytes | bytearray | memoryview):
            if self.message.reply_with is not None:
                return [*self._sent, self.message.reply(said, encoding=encoding if is_encoded else None)]
            as_bytes(said, encoding)  # what cannot be sent has failed, whoever asks
            return self._sent
        raise not_sendable(said)

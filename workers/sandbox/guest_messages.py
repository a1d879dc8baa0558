"""What agents with the encoding `msgpack` read and write: maps with FIPA's names (docs/abi.md)."""

import re
from collections.abc import Callable
from typing import Annotated

import msgspec

from caxton.acl.envelope import DURABLE, Envelope, Id, Rare, Text, UuidBytes
from caxton.acl.performative import ACTS
from caxton.agents.limits import KIB
from caxton.agents.manifest import MAX_NAME
from caxton.errors import InvalidMessageFormat, ResourceLimitExceeded
from caxton.ids import BROADCAST, AgentId, AgentNames

# What one agent may keep as its state, in bytes.
MAX_STATE = 64 * KIB
_MOST_NAMES = 65_536


class _Input(msgspec.Struct, omit_defaults=True, gc=False):
    performative: str
    sender: int
    receiver: int
    content: bytes
    message_id: bytes
    reply_with: bytes | None = None
    in_reply_to: bytes | None = None
    conversation_id: bytes | None = None
    language: str | None = None
    encoding: str | None = None
    ontology: str | None = None
    protocol: str | None = None
    reply_to: int | None = None
    reply_by: int | None = None
    delivery_count: int = 1


_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]


class _Message(msgspec.Struct, gc=False):
    receiver: Id | _Name | None = None
    performative: str = "inform"
    content: bytes = b""
    reply_with: UuidBytes | None = None
    in_reply_to: UuidBytes | None = None
    conversation_id: UuidBytes | None = None
    language: Text | None = None
    encoding: Text | None = None
    ontology: Text | None = None
    protocol: Text | None = None
    reply_to: Id | None = None
    reply_by: Id | None = None


class _Output(msgspec.Struct, forbid_unknown_fields=True):
    # Counted by the decoder before it decodes one of them.
    messages: Annotated[list[_Message], msgspec.Meta(max_length=256)] = []
    state: bytes | None = None


# Plain numbers: an enum member is one more object to carry and to encode.
BY_ACT = {act: number for number, act in enumerate(ACTS)}
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Output).decode
# How the decoder says that `messages` has more than 256 of them (a test holds it to that).
_BEYOND_MOST = re.compile(r"Expected `array` of length <= \d+ - at `\$\.messages`")


def to_guest(message: Envelope, deliveries: int = 1) -> bytes:
    """Return the message as the guest reads it.

    deliveries: 2 and more mean that it may have been tried before, and only then is the guest told.
    """
    rare = message.rare
    plain = _Input(
        ACTS[message.performative],
        message.sender,
        message.receiver,
        message.content,
        message.message_id,
        message.reply_with,
        message.in_reply_to,
        message.conversation_id,
    )
    if rare is not None:
        plain.language, plain.encoding, plain.ontology = rare.language, rare.encoding, rare.ontology
        plain.protocol, plain.reply_to, plain.reply_by = rare.protocol, rare.reply_to, rare.reply_by
    if deliveries > 1:
        plain.delivery_count = deliveries
    return _encode(plain)


class GuestOutput:
    """Reads what guests write. Names are hashed here and kept, at most 65,536 of them."""

    def __init__(self, names: AgentNames) -> None:
        self._names = names
        self._known: dict[str, int] = {}

    def read(
        self,
        output: bytes,
        handled: Envelope,
        sender: int,
        most: int,
        next_id: Callable[[], bytes],
        now_ms: int,
    ) -> tuple[list[Envelope], bytes | None]:
        """Return a turn's messages, in order, stamped with sender, ids and time; and the agent's new state.

        The state is None when it stays as it was; empty when the agent has none from now on.
        handled: the message of the turn; one without a receiver answers it, and they are durable if it is. most: how
        many are allowed. Raises InvalidMessageFormat, and ResourceLimitExceeded for too many or too large a state.
        """
        try:
            decoded = _decode(output)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if _BEYOND_MOST.match(str(error)):
                raise _too_many(sender, most, "counted before they were decoded") from None
            raise InvalidMessageFormat("output", str(error) or type(error).__name__) from None
        messages, state = decoded.messages, decoded.state
        if len(messages) > most:
            raise _too_many(sender, most, f"it returned {len(messages)}")
        if state is not None and len(state) > MAX_STATE:
            raise ResourceLimitExceeded(str(AgentId(sender)), "state", MAX_STATE, f"it returned {len(state)} bytes")
        known, level, flags = self._known, handled.level, handled.flags & DURABLE
        envelopes = []
        for m in messages:
            receiver, in_reply_to, conversation_id = m.receiver, m.in_reply_to, m.conversation_id
            if receiver is None:
                receiver = answer_to(handled)
                in_reply_to = in_reply_to or handled.reply_with
                conversation_id = conversation_id or handled.conversation_id
            elif isinstance(receiver, str):
                receiver = known.get(receiver) or self._learn(receiver)
            if not 0 < receiver < BROADCAST:
                raise InvalidMessageFormat("output", f"{receiver} is not an agent to send to")
            performative = BY_ACT.get(m.performative)
            if performative is None:
                raise InvalidMessageFormat("output", f"unknown performative {m.performative!r:.80}")
            envelopes.append(
                Envelope(
                    next_id(),
                    performative,
                    sender,
                    receiver,
                    m.content,
                    m.reply_with,
                    in_reply_to,
                    conversation_id,
                    now_ms,
                    level,
                    flags=flags,
                    rare=_rare(m),
                )
            )
        return envelopes, state

    def _learn(self, name: str) -> int:
        if len(self._known) >= _MOST_NAMES:
            self._known.clear()
        agent_id = self._known[name] = self._names.id_of(name)
        return agent_id


def answer_to(message: Envelope) -> int:
    """Return who an answer to `message` goes to: its reply_to if it has one, else its sender."""
    rare = message.rare
    return message.sender if rare is None or rare.reply_to is None else rare.reply_to


def _too_many(agent: int, most: int, detail: str) -> ResourceLimitExceeded:
    return ResourceLimitExceeded(str(AgentId(agent)), "max_output_messages", most, detail)


def _rare(m: _Message) -> Rare | None:
    if m.language is m.encoding is m.ontology is m.protocol is None and m.reply_to is m.reply_by is None:
        return None
    if m.reply_to == 0:
        raise InvalidMessageFormat("output", "reply_to is 0, which is nobody")
    return Rare(m.language, m.encoding, m.ontology, m.protocol, m.reply_to, m.reply_by)

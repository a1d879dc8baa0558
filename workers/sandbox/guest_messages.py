"""What agents with the encoding `msgpack` read and write: maps with FIPA's names (docs/abi.md)."""

import re
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec

from caxton.acl.capability import MAX_CAPABILITY, MOST_AT_ONCE, NOBODY, Balancing, is_nobody, key_of
from caxton.acl.envelope import DURABLE, MAX_CONTENT, MOST_OF_TURN, Envelope, Id, Rare, Text, UuidBytes
from caxton.acl.performative import ACTS
from caxton.agents.limits import MAX_STATE
from caxton.agents.manifest import MAX_CAPABILITIES
from caxton.agents.names import MAX_NAME
from caxton.errors import InvalidMessageFormat, ResourceLimitExceeded, ValidationError
from caxton.ids import BROADCAST, AgentId, AgentNames
from caxton.protocols import is_checked, is_runtimes

_MOST_NAMES = 65_536
_WITH_LISTS = "counted once for each receiver of a list"


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


_Capability = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_CAPABILITY)]
_Capabilities = Annotated[list[_Capability], msgspec.Meta(min_length=1, max_length=MOST_AT_ONCE)]
_Most = Annotated[int, msgspec.Meta(ge=1, le=MOST_OF_TURN)]
_Receivers = Annotated[list[Id | _Name], msgspec.Meta(min_length=1, max_length=MOST_OF_TURN)]


class _Message(msgspec.Struct, gc=False):
    receiver: Id | _Name | _Receivers | None = None
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
    capability: _Capability | _Capabilities | None = None
    balancing: Balancing = Balancing.LEAST_CONNECTIONS
    everyone: bool | _Most = False


class Advertised(msgspec.Struct, forbid_unknown_fields=True):
    """What an agent says that it can do from now on, and what it cannot do any more."""

    add: Annotated[list[_Capability], msgspec.Meta(max_length=MAX_CAPABILITIES)] = []
    remove: Annotated[list[_Capability], msgspec.Meta(max_length=MAX_CAPABILITIES)] = []


class _Output(msgspec.Struct, forbid_unknown_fields=True):
    # Counted by the decoder before it decodes one of them.
    messages: Annotated[list[_Message], msgspec.Meta(max_length=256)] = []
    state: bytes | None = None
    advertise: Advertised | None = None


Pick = Callable[[str, Balancing, int, bytes | None], int]
Everyone = Callable[[str, int, int], list[int]]
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


def _nobody(_key: str, _balancing: Balancing, _sender: int, _conversation: bytes | None) -> int:
    """Return an id that is nobody's: who stands alone knows of no other agents."""
    return NOBODY


def _nobody_else(_key: str, _sender: int, _most: int) -> list[int]:
    """Return nobody, likewise."""
    return [NOBODY]


class GuestOutput:
    """Reads what guests write. Names are hashed here and kept, at most 65,536 of them.

    pick: returns an agent for (a capability's key, balancing, sender, conversation or None). everyone: returns all for
    (a key, sender, most) but the sender; nobody alone while they are not known, none, or more than that. advertised:
    what the agent whose output was read last says that it can do; None if it says nothing.
    """

    def __init__(self, names: AgentNames, pick: Pick = _nobody, everyone: Everyone = _nobody_else) -> None:
        self._names = names
        self._pick = pick
        self._everyone = everyone
        self._known: dict[str, int] = {}
        self.advertised: Advertised | None = None

    def read(
        self,
        output: bytes,
        handled: Envelope,
        sender: int,
        most: int,
        next_id: Callable[[], bytes],
        now_ms: int,
        most_bytes: int = MAX_CONTENT,
    ) -> tuple[list[Envelope], bytes | None]:
        """Return a turn's messages, in order, stamped with sender, ids and time; and the agent's new state.

        The state is None when it stays as it was; empty when the agent has none from now on.
        handled: the message of the turn; one without a receiver answers it, and they are durable if it is. most: how
        many are allowed. most_bytes: how much content, counted for each receiver, goes to lists of receivers. Raises
        InvalidMessageFormat, and ResourceLimitExceeded for what is too many or too much, or too large a state.
        """
        try:
            decoded = _decode(output)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if _BEYOND_MOST.match(str(error)):
                raise _too_many(sender, most, "counted before they were decoded") from None
            raise InvalidMessageFormat("output", str(error) or type(error).__name__) from None
        messages, state, self.advertised = decoded.messages, decoded.state, decoded.advertise
        if len(messages) > most:
            raise _too_many(sender, most, f"it returned {len(messages)}", len(messages))
        if state is not None and len(state) > MAX_STATE:
            returned, size = f"it returned {len(state)} bytes", len(state)
            raise ResourceLimitExceeded(str(AgentId(sender)), "state", MAX_STATE, returned, size)
        if handled.rare is not None or [m for m in messages if m.protocol is not None]:
            _follow(messages, handled, next_id)
        if [m for m in messages if m.everyone or type(m.receiver) is list]:
            messages = self._one_for_each(messages, sender, most, most_bytes)
        return self._stamped(messages, handled, sender, next_id, now_ms), state

    def _one_for_each(self, messages: list[_Message], sender: int, most: int, most_bytes: int) -> list[_Message]:
        """Return one message for each receiver of a list, and of those to everyone for each who has the capability.

        One to everyone goes to nobody, with its key and to how many it may go, where these are not known.
        """
        single: list[_Message] = []
        copied = 0
        for m in messages:
            if not m.everyone and type(m.receiver) is not list:
                single.append(m)
                continue
            receivers: Sequence[int | str] = m.receiver if isinstance(m.receiver, list) else ()
            if m.everyone:
                key, room = _key(m), _room(m, most - len(single), most_bytes - copied)
                receivers = self._everyone(key, sender, room)
                if is_nobody(receivers[0]):
                    single.append(msgspec.structs.replace(m, receiver=receivers[0], capability=key, everyone=room))
                    continue
            copied += len(receivers) * len(m.content)
            if copied > most_bytes:
                raise ResourceLimitExceeded(str(AgentId(sender)), "max_output_bytes", most_bytes, _WITH_LISTS, copied)
            if len(single) + len(receivers) > most:
                raise _too_many(sender, most, _WITH_LISTS, len(single) + len(receivers))
            single += [msgspec.structs.replace(m, receiver=one, capability=None, everyone=False) for one in receivers]
        if len(single) > most:
            raise _too_many(sender, most, _WITH_LISTS, len(single))
        return single

    def _stamped(
        self,
        messages: list[_Message],
        handled: Envelope,
        sender: int,
        next_id: Callable[[], bytes],
        now_ms: int,
    ) -> list[Envelope]:
        known, level, flags = self._known, handled.level, handled.flags & DURABLE
        envelopes: list[Envelope] = []
        for m in messages:
            receiver, in_reply_to, conversation_id = m.receiver, m.in_reply_to, m.conversation_id
            rare = _rare(m)
            if m.everyone:  # to nobody: see `_one_for_each`
                rare = msgspec.structs.replace(rare or Rare(), capability=str(m.capability), everyone=m.everyone)
            elif m.capability is not None:
                key = _key(m)
                receiver = self._pick(key, m.balancing, sender, conversation_id)
                rare = msgspec.structs.replace(rare or Rare(), capability=key, balancing=m.balancing)
            elif receiver is None:
                receiver = answer_to(handled)
                in_reply_to = in_reply_to or handled.reply_with
                conversation_id = conversation_id or handled.conversation_id
            elif not isinstance(receiver, int):
                name: str = receiver  # type: ignore[assignment] # and no list any more
                receiver = known.get(name) or self._learn(name)
            if not isinstance(receiver, int) or not 0 < receiver < BROADCAST:
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
                    rare=rare,
                )
            )
        return envelopes

    def _learn(self, name: str) -> int:
        if len(self._known) >= _MOST_NAMES:
            self._known.clear()
        agent_id = self._known[name] = self._names.id_of(name)
        return agent_id


def _room(m: _Message, messages: int, size: int) -> int:
    """Return how many receivers one to everyone may have, where a turn may still send so many messages and bytes."""
    by_size = size // len(m.content) if m.content else messages
    return max(1, min(messages, by_size, messages if m.everyone is True else m.everyone))


def _key(m: _Message) -> str:
    """Return whom a message is for by what they can do. Raises InvalidMessageFormat."""
    if m.receiver is not None or m.capability is None:
        if m.everyone:
            raise InvalidMessageFormat("output", "a message to everyone has a capability, and no receiver")
        raise InvalidMessageFormat("output", "a message has a receiver or a capability, not both")
    try:
        return key_of((m.capability,) if isinstance(m.capability, str) else tuple(m.capability))
    except ValidationError as error:
        raise InvalidMessageFormat("output", str(error)) from None


def answer_to(message: Envelope) -> int:
    """Return who an answer to `message` goes to: its reply_to if it has one, else its sender."""
    rare = message.rare
    return message.sender if rare is None or rare.reply_to is None else rare.reply_to


def _follow(messages: list[_Message], handled: Envelope, next_id: Callable[[], bytes]) -> None:
    """An answer follows the protocol of what it answers; what opens one is a conversation, with all who are sent it."""
    for m in messages:
        if m.receiver is None and m.capability is None:
            if m.protocol is None and handled.rare is not None and not is_runtimes(handled.rare.protocol):
                m.protocol = handled.rare.protocol
        elif m.conversation_id is None and is_checked(m.protocol):
            m.conversation_id = next_id()


def _too_many(agent: int, most: int, detail: str, attempted: int = 0) -> ResourceLimitExceeded:
    return ResourceLimitExceeded(str(AgentId(agent)), "max_output_messages", most, detail, attempted)


def _rare(m: _Message) -> Rare | None:
    if m.language is m.encoding is m.ontology is m.protocol is None and m.reply_to is m.reply_by is None:
        return None
    if m.reply_to == 0:
        raise InvalidMessageFormat("output", "reply_to is 0, which is nobody")
    return Rare(m.language, m.encoding, m.ontology, m.protocol, m.reply_to, m.reply_by)

"""How a conversation begins on a shard: with what its first message here says, and whose it is."""

from msgspec import structs

from caxton.acl.conversation_limits import ConversationLimits
from caxton.acl.envelope import Envelope, Opening, Rare
from caxton.config.conversations import ConversationSettings
from caxton.conversations.record import NO_LIMITS, Record
from caxton.ids import SESSION_BIT

_MS = 1_000
_PLAIN = Rare()


def opener_of(message: Envelope) -> int:
    """Return who opened the conversation of a message, where the runtime says so in it; 0 where it does not."""
    told = None if message.rare is None else message.rare.conversation
    return 0 if told is None or message.sender >= SESSION_BIT else told.initiator


def introduced(rare: Rare | None, record: Record) -> Rare:
    """Return the rare part of a message to another shard, which says whose conversation it is, and what that may be."""
    told = record.told
    if told is None:
        opening = structs.replace(record.limits, initiator=record.initiator, opened_ms=record.opened_ms)
        if not opening.timeout_s:
            opening = structs.replace(opening, timeout_s=record.timeout_s)
        told = record.told = Rare(conversation=opening)
    return told if rare is None else structs.replace(rare, conversation=told.conversation)


def of_same(rare: Rare | None, opener: int) -> Rare | None:
    """Return the rare part of the runtime's word about a message of the conversation that somebody opened; 0: as is."""
    return structs.replace(rare or _PLAIN, conversation=Opening(initiator=opener)) if opener else rare


def begun(message: Envelope, settings: ConversationSettings, wall_ms: int, served_ms: int) -> Record:
    """Return the conversation that a message begins here; what it asks for is brought within bounds.

    wall_ms, served_ms: the same moment, since 1970 and on the served time.
    """
    conversation: bytes = message.conversation_id  # type: ignore[assignment] # it is in one
    told, opener = None if message.rare is None else message.rare.conversation, opener_of(message)
    opened_ms = wall_ms
    if opener and told is not None:
        opened_ms = min(told.opened_ms or wall_ms, wall_ms)
    limits = NO_LIMITS if told is None else ConversationLimits.of(told).opening
    timeout_s = limits.timeout_s or settings.conversation_timeout_s
    history = settings.conversation_history
    record = Record(conversation, opener or message.sender, opened_ms, timeout_s, limits, history)
    record.due_ms = served_ms + max(0, timeout_s * _MS - (wall_ms - opened_ms))
    record.begun_here = not opener
    if opener:
        record.join(message.sender)
    return record


def is_special(rare: Rare, record: Record) -> bool:
    """Whether something in it decides about the conversation: another protocol, or that it is in another one."""
    told = rare.conversation
    return rare.protocol not in {None, record.protocol} or (
        told is not None and told.initiator not in {0, record.initiator}
    )

"""Whose conversation a message belongs to, where several have opened one under the same id.

A conversation is that of who opened it. An id is a name and no secret: who else uses it opens another conversation,
which takes nothing from the first one. A client's own id (`ConversationId.of_session`) says whose it is: where that
conversation is known, nobody opens another one.
"""

from collections.abc import Iterable

from caxton.acl.envelope import Envelope
from caxton.conversations.record import Record
from caxton.errors import NotAParticipant
from caxton.ids import AgentId, ConversationId, is_of
from workers.conversations.openings import opener_of


def meant(records: list[Record], message: Envelope, handled: Envelope | None = None) -> Record | None:
    """Return the one of these, all of one id, that a message belongs to; None where its sender takes part in none.

    handled: the message that its sender handles: what it says under the same id goes on with the same conversation.
    """
    opener = opener_of(message)
    if len(records) == 1:  # as nearly always
        (record,) = records
        return record if (record.initiator == opener if opener else message.sender in record.parties) else None
    if opener:
        return next((record for record in records if record.initiator == opener), None)
    sender, receiver = message.sender, message.receiver
    if handled is not None and handled.conversation_id == message.conversation_id:
        within = meant(records, handled)
        if within is not None and sender in within.parties:
            return within
    own = [record for record in records if sender in record.parties]
    return max(own, key=lambda record: _closeness(record, sender, receiver), default=None)


def own(records: Iterable[Record]) -> Record | None:
    """Return the one that was opened by whoever made its id, if it is among these."""
    return next((record for record in records if is_of(record.conversation_id, record.initiator)), None)


def stranger(message: Envelope, who: int) -> NotAParticipant:
    """Return the error for somebody who takes no part in the conversation of a message."""
    conversation: bytes = message.conversation_id  # type: ignore[assignment] # it is in one
    return NotAParticipant(str(ConversationId(conversation)), str(AgentId(who)))


def _closeness(record: Record, sender: int, receiver: int) -> tuple[bool, ...]:
    """Return how well a message between these two fits; of those that fit as well, the first one is taken."""
    opener = record.initiator
    its_own = is_of(record.conversation_id, opener)
    return receiver in record.parties, opener == sender, opener == receiver, its_own, not record.state.is_end

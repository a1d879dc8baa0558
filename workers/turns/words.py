"""What the runtime itself says of conversations: of their ends, and of answers that are overdue. Values in and out."""

from caxton.acl.envelope import AUTOMATIC, DURABLE, Envelope, Opening, Rare
from caxton.acl.failure import END_PROTOCOL, report
from caxton.acl.performative import Performative
from caxton.conversations.record import Record
from caxton.delivery.causes import one_further
from caxton.errors import CaxtonError
from caxton.ids import SESSION_BIT
from workers.conversations.openings import of_same
from workers.conversations.rules import Overdue

_FAILURE = int(Performative.FAILURE)


def word_of_end(record: Record, error: CaxtonError, party: int, message_id: bytes, wall_ms: int) -> Envelope:
    """Return what tells one who takes part that a conversation has ended, as from another agent of it."""
    agents = (one for one in record.parties if one < SESSION_BIT and one != party)
    return Envelope(
        message_id,
        _FAILURE,
        next(agents, party),
        party,
        report(error),
        None,
        None,
        record.conversation_id,
        wall_ms,
        flags=_flags(record),
        rare=Rare(protocol=END_PROTOCOL, conversation=Opening(initiator=record.initiator)),
        cause=None if record.cause is None or party >= SESSION_BIT else one_further(record.cause),
    )


def word_of_overdue(overdue: Overdue, message_id: bytes, wall_ms: int) -> Envelope:
    """Return what tells an agent that the other's word is overdue, or that it will never come, as from that one."""
    record, protocol = overdue.record, overdue.protocol
    return Envelope(
        message_id,
        int(overdue.performative),
        overdue.other,
        overdue.agent,
        report(overdue.error),
        None,
        overdue.about,
        record.conversation_id,
        wall_ms,
        flags=_flags(record),
        rare=of_same(
            None if protocol is None else Rare(protocol=protocol), record.initiator if record.is_shared else 0
        ),
        cause=None if overdue.cause is None else one_further(overdue.cause),
    )


def _flags(record: Record) -> int:
    return AUTOMATIC | (DURABLE if record.base else 0)

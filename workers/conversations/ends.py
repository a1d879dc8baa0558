"""How a conversation ends, and what is said of it then."""

from caxton.acl.envelope import Envelope
from caxton.acl.failure import read_report
from caxton.conversations.record import Record
from caxton.conversations.state import State
from caxton.errors import ConversationEnded, ConversationStopped, ConversationTimeout
from caxton.ids import ConversationId

# Of how it stands, in characters.
MAX_DETAIL = 255


def named(record: Record) -> str:
    """Return a conversation's id as errors have it."""
    return str(ConversationId(record.conversation_id))


def over(record: Record) -> ConversationEnded:
    """Return the error for what is said in a conversation that has ended."""
    if record.stop is not None:
        return ConversationStopped(named(record), record.state.told, *record.stop)
    if record.state is State.EXPIRED:
        return ConversationTimeout(named(record), record.state.told, float(record.timeout_s))
    return ConversationEnded(named(record), record.state.told)


def stop(record: Record, what: str, limit: int) -> None:
    """Let a conversation end at a limit of its own."""
    record.stop = (what, limit)
    record.end(State.FAILED, f"it has come to its limit of {limit} {what}")


def end_as_told(record: Record, message: Envelope) -> None:
    """Let a conversation end as another shard says that it did there."""
    error = read_report(message.content)
    record.stop = (error.what, error.limit) if isinstance(error, ConversationStopped) else None
    record.end(State.FAILED if record.stop is not None else State.EXPIRED, str(error)[:MAX_DETAIL])

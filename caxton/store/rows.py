"""The rows of a commit as SQLite takes them: others' integers with a sign, blobs and seals with their checks."""

import msgspec

from caxton.acl.envelope import Text
from caxton.errors.travel import MAX_ITEMS
from caxton.store.commit import (
    AbsenceRow,
    ConversationRow,
    DeadRow,
    KeyRow,
    OutboxRow,
    QueueRow,
    SourceRow,
    TargetRow,
    UnfinishedRow,
)
from caxton.store.integers import bounded, signed
from caxton.store.seal import number_of, seal, seal_optional
from caxton.wire.calls import Failed, Fields, FieldValue

Row = tuple[object, ...]
_to_json = msgspec.json.Encoder().encode
_MESSAGE_ID_BYTES = 16
_ERROR_NAME = 255  # characters, as on the wire


class _Head(msgspec.Struct, array_like=True, gc=False):
    """The first field of an encoded envelope."""

    message_id: bytes


_head = msgspec.msgpack.Decoder(_Head).decode


class StoredError(msgspec.Struct, array_like=True, tag=20, frozen=True):
    """Why a message is dead, as its row has it in JSON: a `Failed`, and why each attempt failed."""

    error: Text
    fields: Fields
    retry_reasons: tuple[str, ...] = ()


read_error = msgspec.json.Decoder(StoredError).decode


def source_row(file: int, row: SourceRow) -> Row:
    """Columns: file, taken, refusals."""
    numbers = signed(file), signed(row.taken)
    return *numbers, seal_optional(row.refusals, *numbers)


def target_row(target: int, row: TargetRow) -> Row:
    """Columns: target, file, emitted, acknowledged, seal."""
    numbers = signed(target), signed(row.file), signed(row.emitted), signed(row.acknowledged)
    return *numbers, seal(b"", *numbers)


def outbox_row(row: OutboxRow) -> Row:
    """Columns: number, target, first, last, messages."""
    numbers = signed(row.number), signed(row.target), signed(row.first), signed(row.last)
    return *numbers, seal(row.messages, *numbers)


def unfinished_row(row: UnfinishedRow) -> Row:
    """Columns: number, size, messages."""
    numbers = signed(row.number), bounded(row.size)
    return *numbers, seal(row.messages, *numbers)


def done_row(number: int, marks: bytes, done: int) -> Row:
    """Columns: number, done, marks."""
    numbers = signed(number), bounded(done)
    return *numbers, seal(marks, *numbers)


def queue_row(row: QueueRow) -> Row:
    """Columns: id, agent_id, priority, created_at, retry_count, next_retry, from_row, from_place, message."""
    retry = None if row.next_retry_ms is None else bounded(row.next_retry_ms)
    first = signed(row.number), signed(row.agent_id), bounded(row.level), bounded(row.created_ms), bounded(row.attempts)
    last = signed(row.from_row), bounded(row.from_place)
    return *first, retry, *last, seal(row.message, *first, -1 if retry is None else retry, *last)


def dead_row(row: DeadRow) -> Row:
    """Columns: number, message_id, sender, receiver, reason, error, attempts, died_at, size, requeued_from, message."""
    message_id, reason, error = (
        _message_id(row.message),
        plain_text(row.reason),
        error_text(row.error, row.retry_reasons),
    )
    who = signed(row.sender), signed(row.receiver)
    counts = bounded(row.attempts), bounded(row.died_ms), bounded(row.content_bytes)
    requeued = None if row.requeued_from is None else signed(row.requeued_from)
    number = signed(row.number)
    texts = number_of(message_id, reason.encode(), error.encode())
    check = seal(row.message, number, *who, texts, *counts, 0 if requeued is None else requeued)
    return number, message_id, *who, reason, error, *counts, requeued, check


def conversation_row(row: ConversationRow) -> Row:
    """Columns: number, size, records."""
    numbers = signed(row.number), bounded(row.size)
    return *numbers, seal(row.records, *numbers)


def state_row(agent_id: int, state: bytes) -> Row:
    """Columns: agent_id, state."""
    return signed(agent_id), seal(state, signed(agent_id))


def absence_row(agent_id: int, row: AbsenceRow) -> Row:
    """Columns: agent_id, away, since, seal."""
    numbers = signed(agent_id), bounded(row.away_ms), signed(row.since_ms)
    return *numbers, seal(b"", *numbers)


def charge_row(source: int, sequence: int, deaths: int) -> Row:
    """Columns: source, sequence, deaths, seal."""
    numbers = signed(source), signed(sequence), bounded(deaths)
    return *numbers, seal(b"", *numbers)


def key_row(row: KeyRow) -> Row:
    """Columns: receiver, key, expires_at, answer."""
    receiver, expires = signed(row.receiver), bounded(row.expires_ms)
    return receiver, row.key, expires, seal_optional(row.answer, receiver, number_of(row.key), expires)


def error_text(error: Failed, retry_reasons: tuple[str, ...] = ()) -> str:
    """Return an error as JSON that `read_error` reads; what JSON cannot carry becomes text that it can."""
    try:
        text = _to_json(StoredError(error.error, error.fields, retry_reasons)).decode()
        read_error(text)
    except (UnicodeEncodeError, OverflowError, TypeError, ValueError):
        fields = {plain_text(str(name)): _plain(value) for name, value in error.fields.items()}
        text = _to_json(StoredError(plain_text(error.error)[:_ERROR_NAME], fields, retry_reasons)).decode()
    return text


def _plain(value: object) -> FieldValue:
    """Return the nearest that a field of an error may be: lone surrogates, huge numbers and what nests become text."""
    if isinstance(value, (list, tuple)):
        return [plain_text(str(item)) for item in value[:MAX_ITEMS]]
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int) and signed(value) == value:
        return value
    return plain_text(str(value))


def plain_text(text: str) -> str:
    """Return the text without lone surrogates, which no UTF-8 holds."""
    return text.encode("utf-8", "replace").decode()


def _message_id(message: bytes) -> bytes:
    try:
        return _head(message).message_id[:_MESSAGE_ID_BYTES]
    except (msgspec.DecodeError, ValueError, RecursionError):
        return b""  # kept all the same: a dead letter is the last that there is of a message

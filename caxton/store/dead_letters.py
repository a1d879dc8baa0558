"""The dead letters of one shard, read: pages, numbers, statistics. They come and go with commits."""

import sqlite3
from collections.abc import Iterator

import msgspec

from caxton.acl.envelope import Envelope
from caxton.store.commit import DeadRow
from caxton.store.integers import bounded, signed, unsigned
from caxton.store.rows import plain_text, read_error
from caxton.store.seal import BrokenSeal, number_of, unseal
from caxton.wire.calls import DeadLetter, DeadLetterFilter, DeadLetters, Failed
from caxton.wire.dead_letter_results import DeadLetterFigures

# A page ends before it holds more content than this: its frame stays within the 16 MiB that a socket takes.
FULL_PAGE_BYTES = 4 << 20
_envelope = msgspec.msgpack.Decoder(Envelope).decode
_COLUMNS = "number, message_id, sender, receiver, reason, error, attempts, died_at, size, requeued_from, message"


def read_rows(db: sqlite3.Connection, which: DeadLetterFilter, after: int, limit: int) -> tuple[list[DeadRow], bool]:
    """Return up to `limit` letters after a number, oldest first, and whether there are more. Raises BrokenSeal.

    At least one if there is any, and no more of them than FULL_PAGE_BYTES of content.
    """
    clauses, values = _where(which)
    sql = f"SELECT {_COLUMNS} FROM dead_letters WHERE number > ?{clauses} ORDER BY number LIMIT ?"  # noqa: S608 (our own words only)
    found: list[DeadRow] = []
    content_bytes = 0
    for row in _rows(db.execute(sql, (bounded(after), *values, limit + 1))):
        content_bytes += row.content_bytes
        if len(found) == limit or (found and content_bytes > FULL_PAGE_BYTES):
            return found, True
        found.append(row)
    return found, False


def every_row(db: sqlite3.Connection) -> Iterator[DeadRow]:
    """Every letter, oldest first, one at a time. Raises BrokenSeal."""
    yield from _rows(db.execute(f"SELECT {_COLUMNS} FROM dead_letters ORDER BY number"))  # noqa: S608 (our own words only)


def read_page(rows: list[DeadRow], shard: int, *, more: bool, with_content: bool) -> DeadLetters:
    """Return rows as a page for people; raises BrokenSeal for a message that cannot be read."""
    return DeadLetters([_letter(row, shard, with_content=with_content) for row in rows], more)


def read_numbers(db: sqlite3.Connection, which: DeadLetterFilter, limit: int) -> tuple[list[int], bool]:
    """Return the numbers of up to `limit` letters, oldest first, and whether there are more."""
    clauses, values = _where(which)
    sql = f"SELECT number FROM dead_letters WHERE number > ?{clauses} ORDER BY number LIMIT ?"  # noqa: S608 (our own words only)
    numbers = [number for (number,) in db.execute(sql, (0, *values, limit + 1))]
    return numbers[:limit], len(numbers) > limit


def read_stats(db: sqlite3.Connection, capacity: int, evicted: int) -> DeadLetterFigures:
    """Return how many there are, why, how old and how large; never more than one row of each reason in memory.

    An index would be believed unseen, and every row is looked at all the same. Raises BrokenSeal.
    """
    sql = "SELECT reason, count(*), sum(size), min(died_at) FROM dead_letters NOT INDEXED GROUP BY reason"
    groups = db.execute(sql).fetchall()
    if not all(isinstance(reason, str) for reason, *_ in groups):
        raise BrokenSeal("a dead letter whose reason is no text")
    return DeadLetterFigures(
        total=sum(count for _, count, _, _ in groups),
        by_reason={reason: count for reason, count, _, _ in groups},
        oldest_died_at=min((oldest for *_, oldest in groups), default=None),
        size_bytes=sum(size for _, _, size, _ in groups),
        capacity=capacity,
        evicted=evicted,
    )


def _where(which: DeadLetterFilter) -> tuple[str, list[object]]:
    clauses, values = "", list[object]()
    for clause, value in (
        ("reason = ?", None if which.reason is None else plain_text(which.reason)),
        ("receiver = ?", None if which.receiver is None else signed(which.receiver)),
        ("sender = ?", None if which.sender is None else signed(which.sender)),
        ("died_at < ?", None if which.before is None else bounded(which.before)),
        ("message_id = ?", which.message_id),
        ("number <= ?", None if which.up_to is None else bounded(which.up_to)),
    ):
        if value is not None:
            clauses += f" AND {clause}"
            values.append(value)
    if which.ids is not None:
        clauses += f" AND number IN ({', '.join('?' * len(which.ids))})"
        values += map(bounded, which.ids)
    return clauses, values


def _rows(found: sqlite3.Cursor) -> Iterator[DeadRow]:
    for number, message_id, sender, receiver, reason, error, *counts, requeued, sealed in found:
        if not isinstance(message_id, bytes) or not isinstance(reason, str) or not isinstance(error, str):
            raise BrokenSeal(f"dead letter {number} has columns of another kind")
        texts = number_of(message_id, reason.encode(), error.encode())
        message = unseal(sealed, number, sender, receiver, texts, *counts, 0 if requeued is None else requeued)
        try:
            stored = read_error(error)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise BrokenSeal(f"the error of dead letter {number} cannot be read: {problem}") from None
        attempts, died_ms, size = counts
        who, failed = (unsigned(sender), unsigned(receiver)), Failed(stored.error, stored.fields)
        yield DeadRow(number, reason, failed, attempts, died_ms, *who, size, message, requeued, stored.retry_reasons)


def _letter(row: DeadRow, shard: int, *, with_content: bool) -> DeadLetter:
    try:
        message = _envelope(row.message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenSeal(f"the message of dead letter {row.number} cannot be read: {error}") from None
    if not with_content:
        message.content = b""
    return DeadLetter(
        number=row.number,
        shard=shard,
        reason=row.reason,
        error=row.error,
        attempts=row.attempts,
        died_at=row.died_ms,
        content_bytes=row.content_bytes,
        envelope=message,
        requeued_from=row.requeued_from,
        retry_reasons=row.retry_reasons,
    )

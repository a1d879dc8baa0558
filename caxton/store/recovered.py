"""What a shard's file holds when its worker starts: everything it needs to go on where its predecessor ended."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from caxton.store.commit import KeyRow, OutboxRow, SourceRow, TargetRow
from caxton.store.counters import read_counters
from caxton.store.integers import unsigned
from caxton.store.meta import Meta
from caxton.store.seal import BrokenSeal, number_of, unseal, unseal_optional
from caxton.store.waiting import Waiting, count_done, decode_waiting, is_done

_MS_NS = 1_000_000
T = TypeVar("T")


class Clocks(NamedTuple):
    """One moment on both clocks: milliseconds since 1970, and nanoseconds on the monotonic clock of this boot."""

    wall_ms: int
    mono_ns: int


class InUnfinished(NamedTuple):
    """Where a message stands: in an unfinished row, at a place counted from 0."""

    number: int
    place: int


class InQueue(NamedTuple):
    """Where a message stands: in a queue row of its own. Fields as of `QueueRow`."""

    number: int
    next_retry_ms: int | None
    created_ms: int
    from_row: int
    from_place: int


StoredAt = InUnfinished | InQueue


class Unfinished(NamedTuple):
    """An unfinished row as it stands: its messages, how many are done, and their marks (b"" when none is)."""

    size: int
    done: int
    marks: bytes


class Letter(NamedTuple):
    """A dead letter: its number, who sent the message and to whom."""

    number: int
    sender: int
    receiver: int


@dataclass(frozen=True)
class Recovered:
    """All that a worker goes on from.

    sources, by file; targets, by target; outbox: by target and sequence. waiting: in the order in which they were
    taken, with expiries on this boot's monotonic clock; unfinished: the rows that they stand in. dead_letters: oldest
    first. counts: the shard's counters.
    """

    next_number: int
    sources: dict[int, SourceRow]
    targets: dict[int, TargetRow]
    outbox: list[OutboxRow]
    waiting: list[tuple[StoredAt, Waiting]]
    unfinished: dict[int, Unfinished]
    states: dict[int, bytes]
    charges: dict[tuple[int, int], int]
    keys: list[KeyRow]
    dead_letters: list[Letter]
    counts: dict[str, int]


def read_everything(db: sqlite3.Connection, meta: Meta, now: Clocks) -> Recovered:
    """Read the file on the connection's thread; raises BrokenSeal for a row that is not what was written."""
    unfinished = _unfinished(db)
    waiting = [*_in_unfinished(db, unfinished, meta.boot, now), *_in_queue(db, meta.boot, now)]
    waiting.sort(key=lambda stored: _taken_order(stored[0]))
    return Recovered(
        next_number=meta.next_number,
        sources=dict(_sources(db)),
        targets=dict(_targets(db)),
        outbox=sorted(_outbox(db), key=lambda row: (row.target, row.first)),
        waiting=waiting,
        unfinished=unfinished,
        states=dict(_states(db)),
        charges=dict(_charges(db)),
        keys=list(_keys(db)),
        dead_letters=list(_letters(db, meta.next_number)),
        counts=read_counters(db),
    )


def _sources(db: sqlite3.Connection) -> Iterator[tuple[int, SourceRow]]:
    for file, taken, refusals in db.execute("SELECT file, taken, refusals FROM sources"):
        told = unseal_optional(refusals, file, taken)
        yield unsigned(file), SourceRow(unsigned(taken), told)


def _targets(db: sqlite3.Connection) -> Iterator[tuple[int, TargetRow]]:
    for target, *numbers, sealed in db.execute("SELECT target, file, emitted, acknowledged, seal FROM targets"):
        unseal(sealed, target, *numbers)
        yield unsigned(target), TargetRow(*map(unsigned, numbers))


def _outbox(db: sqlite3.Connection) -> Iterator[OutboxRow]:
    for number, target, first, last, sealed in db.execute("SELECT number, target, first, last, messages FROM outbox"):
        messages = unseal(sealed, number, target, first, last)
        yield OutboxRow(number, unsigned(target), unsigned(first), unsigned(last), messages)


def _unfinished(db: sqlite3.Connection) -> dict[int, Unfinished]:
    # Those of no row are unsealed too: marks whose number has changed would leave another row without its own.
    marks = {
        number: unseal(sealed, number, done)
        for number, done, sealed in db.execute("SELECT number, done, marks FROM unfinished_done")
    }
    found = {}
    for number, size in db.execute("SELECT number, size FROM unfinished"):
        done = marks.get(number, b"")
        found[number] = Unfinished(size, count_done(done), done)
    return found


def _in_unfinished(
    db: sqlite3.Connection, rows: dict[int, Unfinished], boot: int, now: Clocks
) -> Iterator[tuple[StoredAt, Waiting]]:
    for number, written, size, sealed in db.execute("SELECT number, boot, size, messages FROM unfinished"):
        messages = decode_waiting(unseal(sealed, number, written, size))
        if len(messages) != size:
            raise BrokenSeal(f"{len(messages)} messages in a row of {size}")
        marks = rows[number].marks
        for place, message in enumerate(messages):
            if not is_done(marks, place):
                yield InUnfinished(number, place), _on_this_boot(message, now, same_boot=written == boot)


def _in_queue(db: sqlite3.Connection, boot: int, now: Clocks) -> Iterator[tuple[StoredAt, Waiting]]:
    sql = """SELECT id, agent_id, priority, created_at, retry_count, boot, from_row, from_place, next_retry, message
             FROM message_queue NOT INDEXED"""
    for number, agent_id, level, created, attempts, written, row, place, retry, sealed in db.execute(sql):
        numbers = number, agent_id, level, created, attempts, -1 if retry is None else retry, written, row, place
        (message,) = _one(decode_waiting(unseal(sealed, *numbers)))
        at = InQueue(number, retry, created, row, place)
        yield at, _on_this_boot(message, now, same_boot=written == boot)


def _one(messages: list[T]) -> list[T]:
    if len(messages) != 1:
        raise BrokenSeal(f"{len(messages)} messages in a row of the queue")
    return messages


def _letters(db: sqlite3.Connection, next_number: int) -> Iterator[Letter]:
    # Their seals are checked when they are read whole; until then their numbers have to be numbers, or no count or page
    # of them could be made. Never by an index: those have no seals.
    numbers = "number, sender, receiver, attempts, died_at, size, ifnull(requeued_from, 0)"
    for row in db.execute(f"SELECT {numbers} FROM dead_letters NOT INDEXED ORDER BY number"):  # noqa: S608 (our own words only)
        if not all(isinstance(value, int) for value in row):
            raise BrokenSeal(f"dead letter {row[0]} has other than numbers where there were numbers")
        number, sender, receiver, *_ = row
        if not 0 <= number < next_number:  # one that is to come would have its number, and no commit with it succeeds
            raise BrokenSeal(f"dead letter {number} has a number that was never given, up to {next_number - 1}")
        yield Letter(number, unsigned(sender), unsigned(receiver))


def _on_this_boot(message: Waiting, now: Clocks, *, same_boot: bool) -> Waiting:
    """Put the expiry on this boot's monotonic clock: by the wall clock, never later than its whole timeout again."""
    if not same_boot:
        remaining_ms = min(message.expires_ms - now.wall_ms, message.message.timeout_ms)
        message.expires_ns = now.mono_ns + remaining_ms * _MS_NS
    return message


def _taken_order(at: StoredAt) -> tuple[int, int]:
    if isinstance(at, InQueue):
        return (at.from_row, at.from_place) if at.from_row else (at.number, 0)
    return at


def _states(db: sqlite3.Connection) -> Iterator[tuple[int, bytes]]:
    for agent_id, sealed in db.execute("SELECT agent_id, state FROM agent_states"):
        state = unseal(sealed, agent_id)
        yield unsigned(agent_id), state


def _charges(db: sqlite3.Connection) -> Iterator[tuple[tuple[int, int], int]]:
    for source, sequence, deaths, sealed in db.execute("SELECT source, sequence, deaths, seal FROM charges"):
        unseal(sealed, source, sequence, deaths)
        yield (unsigned(source), unsigned(sequence)), deaths


def _keys(db: sqlite3.Connection) -> Iterator[KeyRow]:
    for receiver, key, expires, sealed in db.execute("SELECT receiver, key, expires_at, answer FROM idempotency_keys"):
        if not isinstance(key, bytes):
            raise BrokenSeal("an idempotency key that is no blob")
        answer = unseal_optional(sealed, receiver, number_of(key), expires)
        yield KeyRow(unsigned(receiver), key, expires, answer)

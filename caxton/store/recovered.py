"""What a shard's file holds when its worker starts: everything it needs to go on where its predecessor ended."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import msgspec

from caxton.conversations.delta import Delta, decode
from caxton.store.commit import AbsenceRow, KeyRow, OutboxRow, SourceRow, TargetRow
from caxton.store.counters import read_counters
from caxton.store.integers import unsigned
from caxton.store.meta import Meta
from caxton.store.seal import BrokenSeal, number_of, unseal, unseal_optional
from caxton.store.waiting import Waiting, count_done, decode_waiting, is_done

T = TypeVar("T")


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
# Asked of each message of a shared row, in the order in which they were taken: whether it is left in the file for now.
Stays = Callable[[InUnfinished, Waiting], bool]


class Unfinished(NamedTuple):
    """An unfinished row as it stands: its messages, how many are done, and their marks (b"" when none is)."""

    size: int
    done: int
    marks: bytes


class Letter(NamedTuple):
    """A dead letter: its number, who sent the message and to whom, and the bytes of its content."""

    number: int
    sender: int
    receiver: int
    size: int = 0


class ConversationDeltas(NamedTuple):
    """What one commit added to conversations: the row's number, its size in bytes, and what is in it."""

    number: int
    size: int
    deltas: list[Delta]


@dataclass(frozen=True)
class Recovered:
    """All that a worker goes on from.

    sources, by file; targets, by target; outbox: by target and sequence. waiting: in the order in which they were
    taken, but for those that stay in the file; unfinished: the rows that all of them stand in. dead_letters: oldest
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
    absences: dict[int, AbsenceRow]
    conversations: list[ConversationDeltas]


def all_come(_at: InUnfinished, _waiting: Waiting) -> bool:
    """Leave nothing that waits in the file."""
    return False


def read_everything(db: sqlite3.Connection, meta: Meta, stays: Stays = all_come) -> Recovered:
    """Read the file on the connection's thread; raises BrokenSeal for a row that is not what was written.

    Row by row: of what `stays` no more is kept in memory than one row.
    """
    unfinished = read_unfinished(db)
    waiting: list[tuple[StoredAt, Waiting]] = [
        (at, message) for at, message in in_unfinished(db, unfinished) if not stays(at, message)
    ]
    waiting += in_queue(db)
    waiting.sort(key=lambda stored: _taken_order(stored[0]))
    return Recovered(
        next_number=meta.next_number,
        sources=dict(read_sources(db)),
        targets=dict(read_targets(db)),
        outbox=sorted(read_outbox(db), key=lambda row: (row.target, row.first)),
        waiting=waiting,
        unfinished=unfinished,
        states=dict(read_states(db)),
        charges=dict(read_charges(db)),
        keys=list(read_keys(db)),
        dead_letters=list(_letters(db, meta.next_number)),
        counts=read_counters(db),
        absences=dict(read_absences(db)),
        conversations=list(read_conversations(db)),
    )


def read_sources(db: sqlite3.Connection) -> Iterator[tuple[int, SourceRow]]:
    """How far each source was taken, by file. As all that follow: row by row, and raises BrokenSeal."""
    for file, taken, refusals in db.execute("SELECT file, taken, refusals FROM sources"):
        told = unseal_optional(refusals, file, taken)
        yield unsigned(file), SourceRow(unsigned(taken), told)


def read_targets(db: sqlite3.Connection) -> Iterator[tuple[int, TargetRow]]:
    """Every way out, by target."""
    for target, *numbers, sealed in db.execute("SELECT target, file, emitted, acknowledged, seal FROM targets"):
        unseal(sealed, target, *numbers)
        yield unsigned(target), TargetRow(*map(unsigned, numbers))


def read_outbox(db: sqlite3.Connection) -> Iterator[OutboxRow]:
    """Every frame that waits for its target."""
    for number, target, first, last, sealed in db.execute("SELECT number, target, first, last, messages FROM outbox"):
        messages = unseal(sealed, number, target, first, last)
        yield OutboxRow(number, unsigned(target), unsigned(first), unsigned(last), messages)


def read_unfinished(db: sqlite3.Connection) -> dict[int, Unfinished]:
    """Return the rows of messages, by number, without the messages."""
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


def in_unfinished(db: sqlite3.Connection, rows: dict[int, Unfinished]) -> Iterator[tuple[InUnfinished, Waiting]]:
    """Messages of shared rows that are not done, in the order in which they were taken."""
    sql = "SELECT number, size, messages FROM unfinished ORDER BY number"
    for number, size, sealed in db.execute(sql):
        messages = decode_waiting(unseal(sealed, number, size))
        if len(messages) != size:
            raise BrokenSeal(f"{len(messages)} messages in a row of {size}")
        marks = rows[number].marks
        for place, message in enumerate(messages):
            if not is_done(marks, place):
                yield InUnfinished(number, place), message


def in_queue(db: sqlite3.Connection) -> Iterator[tuple[InQueue, Waiting]]:
    """Messages with rows of their own, in no order."""
    sql = """SELECT id, agent_id, priority, created_at, retry_count, from_row, from_place, next_retry, message
             FROM message_queue NOT INDEXED"""
    for number, agent_id, level, created, attempts, row, place, retry, sealed in db.execute(sql):
        numbers = number, agent_id, level, created, attempts, -1 if retry is None else retry, row, place
        (message,) = _one(decode_waiting(unseal(sealed, *numbers)))
        yield InQueue(number, retry, created, row, place), message


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
        number, sender, receiver, _, _, size, _ = row
        if not 0 <= number < next_number:  # one that is to come would have its number, and no commit with it succeeds
            raise BrokenSeal(f"dead letter {number} has a number that was never given, up to {next_number - 1}")
        yield Letter(number, unsigned(sender), unsigned(receiver), max(0, size))


def _taken_order(at: StoredAt) -> tuple[int, int]:
    if isinstance(at, InQueue):
        return (at.from_row, at.from_place) if at.from_row else (at.number, 0)
    return at


def read_states(db: sqlite3.Connection) -> Iterator[tuple[int, bytes]]:
    """Every state, by agent."""
    for agent_id, sealed in db.execute("SELECT agent_id, state FROM agent_states"):
        state = unseal(sealed, agent_id)
        yield unsigned(agent_id), state


def read_absences(db: sqlite3.Connection) -> Iterator[tuple[int, AbsenceRow]]:
    """Every absence, by agent."""
    for agent_id, away, since, sealed in db.execute("SELECT agent_id, away, since, seal FROM absences"):
        unseal(sealed, agent_id, away, since)
        yield unsigned(agent_id), AbsenceRow(away, since)


def read_conversations(db: sqlite3.Connection) -> Iterator[ConversationDeltas]:
    """What commits added to conversations, in their order."""
    for number, size, sealed in db.execute("SELECT number, size, records FROM conversations ORDER BY number"):
        records = unseal(sealed, number, size)
        try:
            deltas = decode(records)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BrokenSeal(f"conversations that nobody can read: {error}") from None
        yield ConversationDeltas(number, len(records), deltas)


def read_charges(db: sqlite3.Connection) -> Iterator[tuple[tuple[int, int], int]]:
    """Every charge, by root."""
    for source, sequence, deaths, sealed in db.execute("SELECT source, sequence, deaths, seal FROM charges"):
        unseal(sealed, source, sequence, deaths)
        yield (unsigned(source), unsigned(sequence)), deaths


def read_keys(db: sqlite3.Connection) -> Iterator[KeyRow]:
    """Every idempotency key."""
    for receiver, key, expires, sealed in db.execute("SELECT receiver, key, expires_at, answer FROM idempotency_keys"):
        if not isinstance(key, bytes):
            raise BrokenSeal("an idempotency key that is no blob")
        answer = unseal_optional(sealed, receiver, number_of(key), expires)
        yield KeyRow(unsigned(receiver), key, expires, answer)

"""A shard's file as version 3 of the schema had it, with as many agents and waiting messages as a question asks for.

The rows are written here as that version wrote them: the present one has other ones.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path

import msgspec

from caxton.acl.envelope import DURABLE, Envelope
from caxton.acl.performative import Performative
from caxton.agents.limits import DEFAULT_LIMITS
from caxton.ids import SESSION_BIT
from caxton.store.counters import ROWS, write_counters
from caxton.store.schema.migrations import migrate
from caxton.store.seal import number_of, seal
from caxton.store.waiting import ROW_SPAN, Waiting, encode_waiting

VERSION = 3
SESSION = SESSION_BIT | 7
NOW_MS = 1_764_000_000_000
_LIMITS = msgspec.json.encode(DEFAULT_LIMITS).decode()
_MODULE = bytes(range(32))
_BOOT, _BOOT_ID = 1, "a boot of the machine"
Row = tuple[object, ...]


def write_earlier_shard(path: Path, shard: int, agents: Sequence[tuple[int, str]], messages: int, payload: int) -> None:
    """Make the file. Its messages are for its agents in turn, half of them in rows that they share, the rest alone."""
    shared = messages // 2
    receivers = cycle([agent_id for agent_id, _ in agents])
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        migrate(db, VERSION)
        db.execute("BEGIN")
        db.executemany("INSERT INTO agents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", map(_agent_row, sorted(agents)))
        waiting = _waiting(receivers, payload, shard)
        rows = -(-shared // ROW_SPAN)
        sizes = [min(ROW_SPAN, shared - at * ROW_SPAN) for at in range(rows)]
        unfinished = (_shared_row(number, list(islice(waiting, size))) for number, size in enumerate(sizes, 1))
        db.executemany("INSERT INTO unfinished VALUES (?, ?, ?, ?)", unfinished)
        queued = (_own_row(1 + rows + at, next(waiting)) for at in range(messages - shared))
        db.executemany("INSERT INTO message_queue VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", queued)
        write_counters(db, [(f"{ROWS}agents", len(agents)), ("accepted_clients", messages)])
        (file,) = db.execute("SELECT file_id FROM meta").fetchone()
        meta = file, shard, 1 + rows + messages - shared, 1, _BOOT
        check = seal(b"", *meta, number_of(_BOOT_ID.encode()))
        db.execute("INSERT OR REPLACE INTO meta VALUES (1, ?, ?, ?, ?, ?, ?, ?)", (*meta, _BOOT_ID, check))
        db.execute("COMMIT")
    path.chmod(0o600)


def _agent_row(agent: tuple[int, str]) -> Row:
    agent_id, name = agent
    texts = name, '["echo"]', _MODULE, "msgpack", _LIMITS
    check = seal(b"", agent_id, number_of(*(text if isinstance(text, bytes) else text.encode() for text in texts)))
    return agent_id, name, "running", *texts[1:], NOW_MS, NOW_MS, check


def _waiting(receivers: Iterator[int], payload: int, shard: int) -> Iterator[Waiting]:
    content = b"x" * payload
    for number, receiver in enumerate(receivers, shard << 40):
        message = Envelope(number.to_bytes(16), Performative.INFORM, SESSION, receiver, content, created_at=NOW_MS)
        message.timeout_ms, message.flags = 300_000, DURABLE
        yield Waiting(message, 0, 0, 0, 0, came_ms=5, due_ms=300_005)


def _shared_row(number: int, messages: list[Waiting]) -> Row:
    numbers = number, _BOOT, len(messages)
    return *numbers, seal(encode_waiting(messages), *numbers)


def _own_row(number: int, waiting: Waiting) -> Row:
    numbers = number, waiting.message.receiver, 5, NOW_MS, 0, -1, _BOOT, 0, 0
    return *numbers[:5], None, *numbers[6:], seal(encode_waiting([waiting]), *numbers)

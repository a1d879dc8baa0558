"""One commit as statements: one a table, none for a table that nothing changes, whatever the number of rows.

Everything runs on the connection's thread, within a transaction.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence

from caxton.store import rows
from caxton.store.commit import Commit
from caxton.store.counters import ROWS
from caxton.store.integers import signed

# With the same parameters twice: the update says how many rows there were, so the counters know how many are new.
_SOURCE = (
    "UPDATE sources SET taken = ?2, refusals = ?3 WHERE file = ?1",
    "INSERT OR IGNORE INTO sources VALUES (?1, ?2, ?3)",
)
_TARGET = (
    "UPDATE targets SET file = ?2, emitted = ?3, acknowledged = ?4, seal = ?5 WHERE target = ?1",
    "INSERT OR IGNORE INTO targets VALUES (?1, ?2, ?3, ?4, ?5)",
)
_STATE = (
    "UPDATE agent_states SET state = ?2 WHERE agent_id = ?1",
    "INSERT OR IGNORE INTO agent_states VALUES (?1, ?2)",
)
_CHARGE = (
    "UPDATE charges SET deaths = ?3, seal = ?4 WHERE source = ?1 AND sequence = ?2",
    "INSERT OR IGNORE INTO charges VALUES (?1, ?2, ?3, ?4)",
)
_KEY = (
    "UPDATE idempotency_keys SET expires_at = ?3, answer = ?4 WHERE receiver = ?1 AND key = ?2",
    "INSERT OR IGNORE INTO idempotency_keys VALUES (?1, ?2, ?3, ?4)",
)


def apply(db: sqlite3.Connection, commit: Commit, boot: int) -> Counter[str]:
    """Write everything but the counters and the file's own row; return how many rows more each counted table has."""
    more: Counter[str] = Counter()
    _ways(db, commit, more)
    _taken(db, commit, boot)
    _dead(db, commit)
    _agents(db, commit, more)
    _keys(db, commit, more)
    return more


def _ways(db: sqlite3.Connection, commit: Commit, more: Counter[str]) -> None:
    _put(db, _SOURCE, [rows.source_row(file, row) for file, row in commit.sources.items()], more, "sources")
    _put(db, _TARGET, [rows.target_row(target, row) for target, row in commit.targets.items()], more, "targets")
    if commit.ended:
        gone = [(signed(session),) for session in commit.ended]
        more[f"{ROWS}sources"] -= _many(db, "DELETE FROM sources WHERE file = ?", gone)
        more[f"{ROWS}targets"] -= _many(db, "DELETE FROM targets WHERE target = ?", gone)
    _many(db, "INSERT INTO outbox VALUES (?, ?, ?, ?, ?)", [rows.outbox_row(row) for row in commit.outbox])
    _delete(db, "DELETE FROM outbox WHERE number = ?", commit.settled)


def _taken(db: sqlite3.Connection, commit: Commit, boot: int) -> None:
    done = commit.done
    new = [rows.unfinished_row(row, boot) for row in commit.unfinished if done.get(row.number, ()) is not None]
    _many(db, "INSERT INTO unfinished VALUES (?, ?, ?, ?)", new)
    marks = [rows.done_row(number, *marked) for number, marked in done.items() if marked is not None]
    _many(db, "INSERT OR REPLACE INTO unfinished_done VALUES (?, ?, ?)", marks)
    finished = [number for number, marked in done.items() if marked is None]
    _delete(db, "DELETE FROM unfinished WHERE number = ?", finished)
    _delete(db, "DELETE FROM unfinished_done WHERE number = ?", finished)
    queued = [rows.queue_row(row, boot) for row in commit.queued.values()]
    _many(db, "INSERT OR REPLACE INTO message_queue VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", queued)
    _delete(db, "DELETE FROM message_queue WHERE id = ?", commit.dequeued)


def _dead(db: sqlite3.Connection, commit: Commit) -> None:
    dead = [rows.dead_row(row) for row in commit.dead]
    _many(db, "INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", dead)
    _delete(db, "DELETE FROM dead_letters WHERE number = ?", commit.buried)


def _agents(db: sqlite3.Connection, commit: Commit, more: Counter[str]) -> None:
    kept = [rows.state_row(agent_id, state) for agent_id, state in commit.states.items() if state is not None]
    _put(db, _STATE, kept, more, "agent_states")
    gone = [(signed(agent_id),) for agent_id, state in commit.states.items() if state is None]
    more[f"{ROWS}agent_states"] -= _many(db, "DELETE FROM agent_states WHERE agent_id = ?", gone)
    charged = [rows.charge_row(*root, deaths) for root, deaths in commit.charges.items() if deaths > 0]
    _put(db, _CHARGE, charged, more, "charges")
    forgiven = [(signed(source), signed(at)) for (source, at), deaths in commit.charges.items() if deaths <= 0]
    more[f"{ROWS}charges"] -= _many(db, "DELETE FROM charges WHERE source = ? AND sequence = ?", forgiven)


def _keys(db: sqlite3.Connection, commit: Commit, more: Counter[str]) -> None:
    gone = [(signed(receiver), key) for receiver, key in commit.keys_gone]
    more[f"{ROWS}idempotency_keys"] -= _many(db, "DELETE FROM idempotency_keys WHERE receiver = ? AND key = ?", gone)
    _put(db, _KEY, [rows.key_row(row) for row in commit.keys.values()], more, "idempotency_keys")


def _put(
    db: sqlite3.Connection, statements: tuple[str, str], new: Sequence[rows.Row], more: Counter[str], table: str
) -> None:
    if new and _many(db, statements[0], new) < len(new):
        more[f"{ROWS}{table}"] += _many(db, statements[1], new)


def _many(db: sqlite3.Connection, statement: str, new: Sequence[rows.Row]) -> int:
    """Run one statement for every row; return how many rows of the table it changed."""
    return db.executemany(statement, new).rowcount if new else 0


def _delete(db: sqlite3.Connection, statement: str, numbers: Iterable[int]) -> None:
    _many(db, statement, [(signed(number),) for number in numbers])

"""One commit as statements: a few a table, none for a table that nothing changes, many rows with each.

Everything runs on the connection's thread, within a transaction.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence

from caxton.store import rows
from caxton.store.agents import change_offered
from caxton.store.audit import append
from caxton.store.commit import Commit
from caxton.store.counters import ROWS
from caxton.store.integers import signed
from caxton.store.statements import count_there, delete, insert

# The keys of tables whose rows are counted: the first columns.
_KEYS = {
    "sources": ("file",),
    "targets": ("target",),
    "agent_states": ("agent_id",),
    "absences": ("agent_id",),
    "charges": ("source", "sequence"),
    "idempotency_keys": ("receiver", "key"),
    "conversations": ("number",),
}


def apply(db: sqlite3.Connection, commit: Commit) -> Counter[str]:
    """Write everything but the counters and the file's own row; return how many rows more each counted table has."""
    more: Counter[str] = Counter()
    _ways(db, commit, more)
    _taken(db, commit)
    _dead(db, commit)
    _agents(db, commit, more)
    _keys(db, commit, more)
    insert(db, "conversations", [rows.conversation_row(row) for row in commit.conversations])
    more[f"{ROWS}conversations"] += len(commit.conversations)
    if commit.audit:
        append(db, commit.audit)
    _drop(db, "conversations", _numbers(commit.conversations_gone), more)
    return more


def _ways(db: sqlite3.Connection, commit: Commit, more: Counter[str]) -> None:
    _put(db, "sources", [rows.source_row(file, row) for file, row in commit.sources.items()], more)
    _put(db, "targets", [rows.target_row(target, row) for target, row in commit.targets.items()], more)
    gone = [(signed(session),) for session in commit.ended]
    _drop(db, "sources", gone, more)
    _drop(db, "targets", gone, more)
    insert(db, "outbox", [rows.outbox_row(row) for row in commit.outbox])
    delete(db, "outbox", _numbers(commit.settled), "number")


def _taken(db: sqlite3.Connection, commit: Commit) -> None:
    done = commit.done
    new = [rows.unfinished_row(row) for row in commit.unfinished if done.get(row.number, ()) is not None]
    insert(db, "unfinished", new)
    marks = [rows.done_row(number, *marked) for number, marked in done.items() if marked is not None]
    insert(db, "unfinished_done", marks, replace=True)
    finished = _numbers(number for number, marked in done.items() if marked is None)
    delete(db, "unfinished", finished, "number")
    delete(db, "unfinished_done", finished, "number")
    insert(db, "message_queue", [rows.queue_row(row) for row in commit.queued.values()], replace=True)
    delete(db, "message_queue", _numbers(commit.dequeued), "id")


def _dead(db: sqlite3.Connection, commit: Commit) -> None:
    insert(db, "dead_letters", [rows.dead_row(row) for row in commit.dead.values()])
    delete(db, "dead_letters", _numbers(commit.buried), "number")


def _agents(db: sqlite3.Connection, commit: Commit, more: Counter[str]) -> None:
    if commit.offered:
        change_offered(db, commit.offered)
    kept = [rows.state_row(agent_id, state) for agent_id, state in commit.states.items() if state is not None]
    _put(db, "agent_states", kept, more)
    gone = [(signed(agent_id),) for agent_id, state in commit.states.items() if state is None]
    _drop(db, "agent_states", gone, more)
    absent = [rows.absence_row(agent_id, row) for agent_id, row in commit.absences.items() if row is not None]
    _put(db, "absences", absent, more)
    gone = [(signed(agent_id),) for agent_id, row in commit.absences.items() if row is None]
    _drop(db, "absences", gone, more)
    charged = [rows.charge_row(*root, deaths) for root, deaths in commit.charges.items() if deaths > 0]
    _put(db, "charges", charged, more)
    forgiven = [(signed(source), signed(at)) for (source, at), deaths in commit.charges.items() if deaths <= 0]
    _drop(db, "charges", forgiven, more)


def _keys(db: sqlite3.Connection, commit: Commit, more: Counter[str]) -> None:
    _drop(db, "idempotency_keys", [(signed(receiver), key) for receiver, key in commit.keys_gone], more)
    _put(db, "idempotency_keys", [rows.key_row(row) for row in commit.keys.values()], more)


def _put(db: sqlite3.Connection, table: str, new: Sequence[rows.Row], more: Counter[str]) -> None:
    """Write rows, some of which may be there, and count those that were not. No two have one key."""
    if new:
        key = _KEYS[table]
        there = count_there(db, table, [row[: len(key)] for row in new], *key)
        more[f"{ROWS}{table}"] += len(new) - there
        insert(db, table, new, replace=there > 0)


def _drop(db: sqlite3.Connection, table: str, keys: Sequence[rows.Row], more: Counter[str]) -> None:
    if keys:
        more[f"{ROWS}{table}"] -= delete(db, table, keys, *_KEYS[table])


def _numbers(numbers: Iterable[int]) -> list[rows.Row]:
    return [(signed(number),) for number in numbers]

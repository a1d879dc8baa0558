"""The versions of a shard's schema: how a file of an earlier one becomes one of the present, and whether it is one.

Each step is one transaction that ends with its number in `user_version`: a process killed in its midst leaves the file
as it was.
"""

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from caxton.store.counters import ROWS, write_counters
from caxton.store.meta import Meta, write_meta
from caxton.store.seal import BrokenSeal, number_of, seal

SCHEMA_VERSION = 2


class OtherVersion(ValueError):
    """A file of a version of the schema that this release does not read; the text says which."""


def migrate(db: sqlite3.Connection) -> None:
    """Bring the schema of an empty or an older file to the present version; raises OtherVersion for a later one."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if not 0 <= version <= SCHEMA_VERSION:
        raise OtherVersion(f"written by version {version} of the schema; this release reads up to {SCHEMA_VERSION}")
    for step in range(version + 1, SCHEMA_VERSION + 1):
        db.execute("BEGIN IMMEDIATE")
        try:
            for statement in _statements(step):
                db.execute(statement)
            if step in _AFTER:
                _AFTER[step](db)
            db.execute(f"PRAGMA user_version = {step}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


def check_schema(db: sqlite3.Connection) -> None:
    """Raise BrokenSeal unless the tables are those of the present version, column by column."""
    model = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(model)
        wanted = _shape(model)
    finally:
        model.close()
    found = _shape(db)
    if found != wanted:
        at_fault = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        raise BrokenSeal(f"its schema is not that of version {SCHEMA_VERSION}: {', '.join(at_fault)!r:.200}")


def _shape(db: sqlite3.Connection) -> dict[str, object]:
    found: dict[str, object] = {}
    for kind, name in db.execute("SELECT type, name FROM sqlite_master").fetchall():
        columns = 'SELECT cid, name, type, "notnull", pk FROM pragma_table_info(?)'
        found[str(name)] = (kind, db.execute(columns, (name,)).fetchall() if kind == "table" else None)
    return found


def _statements(step: int) -> Iterator[str]:
    statement = ""
    for line in Path(__file__).with_name(f"schema_{step}.sql").read_text(encoding="utf-8").splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def agent_seal(agent_id: int, *values: object) -> bytes:
    """Return the seal of a registration over its values that never change: texts and blobs."""
    texts = (value if isinstance(value, bytes) else str(value).encode() for value in values)
    return seal(b"", agent_id, number_of(*texts))


def _seal_agents(db: sqlite3.Connection) -> None:
    rows = db.execute("SELECT id, name, capabilities, module, encoding, limits FROM agents").fetchall()
    db.executemany("UPDATE agents SET seal = ? WHERE id = ?", [(agent_seal(*row), row[0]) for row in rows])
    write_counters(db, [(f"{ROWS}agents", len(rows))])
    write_meta(db, Meta(file_id=secrets.randbits(63) or 1, shard=-1, next_number=1, commits=0, boot=1, boot_id=""))


# What a step does beside its statements.
_AFTER: dict[int, Callable[[sqlite3.Connection], None]] = {2: _seal_agents}

"""The versions of a shard's schema: how a file of an earlier one becomes one of the present, and whether it is one.

Each step is one transaction that ends with its number in `user_version`: a process killed in its midst leaves the file
as it was. What a step does is in its SQL, with functions of ours where SQL has none.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from caxton.store.schema.functions import StepFunctions
from caxton.store.seal import BrokenSeal

SCHEMA_VERSION = 5


class OtherVersion(ValueError):
    """A file of a version of the schema that this release does not read; the text says which."""


def migrate(db: sqlite3.Connection, to: int = SCHEMA_VERSION) -> None:
    """Bring the schema of an empty or an older file to this version.

    Raises OtherVersion for one beyond the present, BrokenSeal for a row that is not what was written.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if not 0 <= version <= SCHEMA_VERSION:
        raise OtherVersion(f"written by version {version} of the schema; this release reads up to {SCHEMA_VERSION}")
    if version == to:
        return
    functions = StepFunctions(db)
    for step in range(version + 1, to + 1):
        db.execute("BEGIN IMMEDIATE")
        try:
            for statement in _statements(step):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {step}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            functions.check()
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

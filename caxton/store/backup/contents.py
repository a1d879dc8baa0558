"""What is in the copy of a shard's file, looked through as it stands: nothing is written where a backup lies."""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from caxton.agents.manifest import SHA256_BYTES
from caxton.store.agents import present_rows
from caxton.store.backup.manifest import damaged
from caxton.store.ledger_rows import read_shard_ledger
from caxton.store.meta import Meta, read_meta
from caxton.store.read_only import named_errors, read_only
from caxton.store.recovered import read_everything
from caxton.store.schema.migrations import SCHEMA_VERSION, check_schema
from caxton.store.sqlite_errors import one_line
from caxton.wire.shard_ledger import ShardLedger

_NO_MODULE = bytes(SHA256_BYTES)


class ShardContents(NamedTuple):
    """meta: what the file says of itself. modules: the sha256 of each that its agents are made from."""

    meta: Meta
    ledger: ShardLedger
    modules: set[bytes]


def look_through(path: Path, shard: int) -> ShardContents:
    """Read every row of a shard's copy, of the present schema, and what it is by its own account.

    Raises StorageDamaged when it is not whole, or another shard's; StorageError when it cannot be read.
    """
    with named_errors(path), read_only(path) as db:
        problems = [text for (text,) in db.execute("PRAGMA integrity_check(1)") if text != "ok"]
        if problems:
            raise damaged(path, one_line(problems[0]))
        if (version := _version(db)) != SCHEMA_VERSION:
            raise damaged(path, f"of version {version} of the schema, and its manifest says {SCHEMA_VERSION}")
        check_schema(db)
        meta = read_meta(db)
        if meta.shard != shard:
            raise damaged(path, f"the file of shard {meta.shard}")
        read_everything(db, meta, lambda _at, _message: True)
        for _ in present_rows(db):
            pass
        return ShardContents(meta, read_shard_ledger(db), _modules(db))


def modules_in(path: Path) -> set[bytes]:
    """Return the sha256 of each module that the agents of a shard's copy are made from. Raises StorageError."""
    with named_errors(path), read_only(path) as db:
        return _modules(db)


def schema_of(path: Path) -> int:
    """Return the version of a shard's schema that its copy has. Raises StorageError."""
    with named_errors(path), read_only(path) as db:
        return _version(db)


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _modules(db: sqlite3.Connection) -> set[bytes]:
    return {module for (module,) in db.execute("SELECT DISTINCT module FROM agent_versions")} - {_NO_MODULE}

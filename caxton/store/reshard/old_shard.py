"""One shard's file as it is left behind: what is in it, row by row, so that no more than a row is in memory."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from caxton.acl.envelope import Envelope
from caxton.store.agents import StoredAgents
from caxton.store.commit import TargetRow
from caxton.store.meta import Meta, read_meta
from caxton.store.read_only import named_errors, read_only
from caxton.store.recovered import read_charges, read_sources, read_targets
from caxton.store.shard_store import ShardStore
from caxton.wire.shard_ledger import ShardLedger

_COPIED = ("agents", "unfinished", "message_queue", "dead_letters", "outbox")
messages_of = msgspec.msgpack.Decoder(list[Envelope]).decode


@dataclass(frozen=True)
class OldShard:
    """What is known of a shard's file before it is copied. base: what its rows' numbers are moved by in new files.

    rows: how many are to be copied, about. taken: by source's file. charges: deaths by root.
    """

    path: Path
    meta: Meta
    ledger: ShardLedger
    agents: int
    base: int
    rows: int
    taken: dict[int, int]
    targets: dict[int, TargetRow]
    charges: dict[tuple[int, int], int]

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """Read the file, for the block: nothing is written to it, and errors name it."""
        with named_errors(self.path), read_only(self.path) as db:
            yield db


async def look(path: Path, shard: int, base: int) -> OldShard:
    """Open a shard's file as its worker does, see that it is whole, and close it again. Raises StorageError."""
    store = await ShardStore.open(path, shard)
    try:
        ledger = await store.ledger()
        agents = await StoredAgents(store.database).count()
    finally:
        await store.close()
    return await asyncio.to_thread(_look, path, ledger, agents, base)


def _look(path: Path, ledger: ShardLedger, agents: int, base: int) -> OldShard:
    with named_errors(path), read_only(path) as db:
        taken = {file: row.taken for file, row in read_sources(db)}
        rows = sum(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in _COPIED)  # noqa: S608 (our own words only)
        targets, charges = dict(read_targets(db)), dict(read_charges(db))
        return OldShard(path, read_meta(db), ledger, agents, base, rows, taken, targets, charges)

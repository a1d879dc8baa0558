"""A data directory of two shards, as it was written and as it is written now.

tests/integration/serve/test_serve_kept_directories.py serves those that are kept.
"""

import secrets
import shutil
import sqlite3
from collections import Counter
from contextlib import closing

import msgspec
import pytest

from caxton.acl.envelope import AUTOMATIC, DURABLE, Envelope
from caxton.agents.lifecycle import AgentState
from caxton.agents.limits import Limits
from caxton.agents.manifest import Encoding, Manifest
from caxton.ids import AgentNames
from caxton.placement.slot_table import SlotTable
from caxton.store.agents import StoredAgents
from caxton.store.commit import Commit, DeadRow, KeyRow, OutboxRow, QueueRow, SourceRow, TargetRow, UnfinishedRow
from caxton.store.ledger import check
from caxton.store.module_cache import ModuleCache
from caxton.store.shard_store import ShardStore
from caxton.store.waiting import Waiting, encode_waiting
from caxton.supervisor.premises.identity import Identity
from caxton.supervisor.premises.premises import MODULES
from caxton.wire.calls import Failed

KEY = bytes(range(32))
# 2100: nothing in it is late before.
NOW_MS = 4_102_444_800_000
PAST_MS = 1_767_225_600_000
# A client that has ended, and a root of it whose turn ended a worker.
SESSION, ROOT = 1 << 63 | 0x5E55, 1 << 63 | 9
FILES = (0x1111111111111111, 0x2222222222222222)
LIMITS = Limits(max_execution_ms=10_000, mailbox_capacity=1_000)


class Made:
    """The directory while it is made."""

    def __init__(self, path, wasm):
        self.path = path
        identity = Identity(path / "identity", KEY, 65, 1, len(FILES))
        identity.restore()
        self.names = AgentNames(identity.derived_key("naming"))
        self.table = SlotTable.even(len(FILES))
        self.module = ModuleCache(path / MODULES, identity.derived_key("cache")).put_source(wasm)
        self._messages = 0

    def agents(self, shard):
        """Agents of this shard, by state: guests, and one that a program attaches."""
        kinds = {
            "desk": (AgentState.PAUSED, Encoding.MSGPACK),
            "keeper": (AgentState.RUNNING, Encoding.MSGPACK),
            "program": (AgentState.RUNNING, Encoding.ATTACHED),
            "retired": (AgentState.STOPPED, Encoding.MSGPACK),
        }
        for name, (state, encoding) in kinds.items():
            agent_id = self.names.id_of(name)
            if self.table.shard_of(agent_id) == shard:
                module = bytes(32) if encoding is Encoding.ATTACHED else self.module
                yield agent_id, Manifest(name, module, encoding, ("count", f"of {name}"), LIMITS), state

    def message(self, sender, receiver, flags=DURABLE):
        """A message between agents, by name, or the client."""
        self._messages += 1
        number = self._messages
        ids = [name if isinstance(name, int) else self.names.id_of(name) for name in (sender, receiver)]
        content = f"message {number}".encode()
        options = {"created_at": NOW_MS - number, "timeout_ms": 300_000, "flags": flags}
        return Envelope(number.to_bytes(16), 7, *ids, content, **options)

    def waiting(self, *receivers):
        """Messages of the client, as they stand in the file."""
        return encode_waiting(
            [Waiting(self.message(SESSION, receiver), 10**18, NOW_MS + 300_000, 0, 1) for receiver in receivers]
        )


def encoded(*messages):
    return msgspec.msgpack.encode([*messages])


def first_shard(made):
    """Six messages of the client: one waits for a retry, two for who is paused; three ended, one of them badly.

    They caused three messages to the other shard, which has acknowledged one, and two answers, one of them not taken.
    """
    desk, program = made.names.id_of("desk"), made.names.id_of("program")
    commit = Commit()
    commit.sources = {SESSION: SourceRow(6, None)}
    commit.targets = {SESSION: TargetRow(SESSION, 2, 1), 1: TargetRow(FILES[1], 3, 1)}
    commit.unfinished = [UnfinishedRow(1, 3, made.waiting("desk", "desk", "desk"))]
    commit.done = {1: (b"\1", 1)}
    commit.queued = {2: QueueRow(2, program, 5, 1, PAST_MS, PAST_MS, made.waiting("program"), 1, 3)}
    failed = Failed("WasmExecutionFailed", {"agent": "desk", "trap": "unreachable", "detail": ""})
    dead = made.message(SESSION, "desk")
    commit.dead = {
        3: DeadRow(
            3, "retry_limit", failed, 4, NOW_MS, SESSION, desk, len(dead.content), msgspec.msgpack.encode(dead), None
        )
    }
    commit.outbox = [
        OutboxRow(4, 1, 2, 2, encoded(made.message("desk", "keeper"))),
        OutboxRow(5, 1, 3, 3, encoded(made.message("desk", "keeper"))),
        OutboxRow(6, SESSION, 2, 2, encoded(made.message("desk", SESSION))),
    ]
    commit.states = {desk: (2).to_bytes(8, "little")}
    commit.charges = {(SESSION, ROOT): 1}
    answer = msgspec.msgpack.encode(made.message("desk", SESSION, DURABLE | AUTOMATIC))
    commit.keys = {
        (desk, b"answered"): KeyRow(desk, b"answered", NOW_MS + 600_000, answer),
        (desk, b"taken"): KeyRow(desk, b"taken", NOW_MS + 600_000, None),
    }
    commit.counts = Counter(
        accepted_clients=6,
        accepted_agents=5,
        processed=2,
        dead=1,
        emitted_workers=3,
        emitted_sessions=2,
        acknowledged_sessions=1,
    )
    commit.next_number = 7
    return commit


def second_shard(made):
    """It has taken two messages of the first: one has ended, one waits."""
    keeper = made.names.id_of("keeper")
    commit = Commit()
    commit.sources = {FILES[0]: SourceRow(2, None)}
    message = Waiting(made.message("desk", "keeper"), 10**18, NOW_MS + 300_000, 0, 0)
    commit.unfinished = [UnfinishedRow(1, 1, encode_waiting([message]))]
    commit.states = {keeper: (1).to_bytes(8, "little")}
    commit.counts = Counter(taken_workers=2, processed=1)
    commit.next_number = 2
    return commit


async def make(path, wasm, monkeypatch):
    """Make the directory; returns the ledgers of its shards."""
    path.mkdir()
    made, ledgers = Made(path, wasm), []
    for shard, fill in enumerate((first_shard, second_shard)):
        monkeypatch.setattr(secrets, "randbits", lambda _, file=FILES[shard]: file)
        store = await ShardStore.open(path / f"shard-{shard}.db", shard)
        for agent_id, manifest, state in made.agents(shard):
            await StoredAgents(store.database).add([(agent_id, manifest)], NOW_MS, state)
        await store.commit(fill(made))
        ledgers.append(await store.ledger())
        await store.close()
    return ledgers


def content(path):
    """What is in a directory, by the names of its files."""
    found = {}
    for file in sorted(path.rglob("*")):
        if file.suffix == ".db":
            with closing(sqlite3.connect(f"file:{file}?immutable=1", uri=True)) as db:
                version = db.execute("PRAGMA user_version").fetchone()
                found[file.name] = [version, *db.iterdump()]
        elif file.is_file():
            found[file.name] = file.read_bytes()
    return found


@pytest.fixture
async def made(tmp_path, kept_module, monkeypatch):
    """A directory as the code makes it now, and what its ledgers say."""
    return tmp_path / "data", await make(tmp_path / "data", kept_module, monkeypatch)


def test_its_books_balance(made):
    """What is kept is a directory as a runtime might leave it."""
    _, ledgers = made
    assert check(ledgers).whole.problems == []


def test_it_is_written_as_the_newest_that_is_kept(made, kept_directories, kept_directory, may_keep, how_to_keep):
    """A file or a row that is written differently is a new version of the directory."""
    path, _ = made
    newest = content(kept_directories[-1]) if kept_directories else None
    if may_keep and content(path) != newest:
        shutil.move(path, kept_directory(len(kept_directories) + 1))
    else:
        assert content(path) == newest, how_to_keep

"""What outlives processes: every kind of row and file, as it was written and as it is written now."""

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest

from caxton.acl.envelope import AUTOMATIC, DURABLE, Cause, Envelope, Opening, Rare, Waiters
from caxton.agents.lifecycle import AgentState
from caxton.agents.limits import Limits
from caxton.agents.manifest import Encoding, Manifest
from caxton.conversations.delta import Delta, Head
from caxton.conversations.summary import Summary
from caxton.errors import from_fields
from caxton.links.kept_refusals import KeptRefusals
from caxton.links.ledger import BookView, Totals
from caxton.store import agents, dead_letters, recovered, routes, rows, statements
from caxton.store.audit import copy_rows, read_page
from caxton.store.books import Book
from caxton.store.books import read as read_book
from caxton.store.commit import (
    AbsenceRow,
    Commit,
    ConversationRow,
    DeadRow,
    KeyRow,
    OutboxRow,
    QueueRow,
    SourceRow,
    TargetRow,
    UnfinishedRow,
)
from caxton.store.commit_mark import CommitMark, Marked, read_mark
from caxton.store.counters import read_counters, write_counters
from caxton.store.meta import Meta, read_meta, write_meta
from caxton.store.module_cache import ModuleCache
from caxton.store.routes import Route
from caxton.store.schema.migrations import SCHEMA_VERSION, migrate
from caxton.store.token_file import read_tokens, write_tokens
from caxton.store.transaction import apply
from caxton.store.waiting import Waiting, decode_waiting, encode_waiting
from caxton.supervisor.premises.identity import FILE_NAME, Identity
from caxton.supervisor.workforce.crash_note import CrashNote
from caxton.tokens.role import Role
from caxton.tokens.token import Token
from caxton.wire.audit import AuditHead, Entry, ReadAudit, linked
from caxton.wire.calls import DeadLetterFilter, Failed
from caxton.wire.link_state import Refusal
from workers.crash_note import read_note

SESSION, AGENT, OTHER = 1 << 63 | 0x5E55, 0x1EE739EADAAE6CAA, 0x4E23A4A71D626885
SHA = bytes(range(32))
PLAIN = Envelope(bytes(range(1, 17)), 7, SESSION, AGENT, b"hello", created_at=1_767_225_600_000, flags=DURABLE)
FULL = Envelope(
    message_id=bytes(range(16)),
    performative=18,
    sender=AGENT,
    receiver=OTHER,
    content=b"\0content \xff",
    reply_with=bytes(range(16, 32)),
    in_reply_to=bytes(range(32, 48)),
    conversation_id=bytes(range(48, 64)),
    created_at=1_767_225_600_001,
    level=9,
    timeout_ms=300_000,
    flags=DURABLE | AUTOMATIC,
    rare=Rare("en", "utf-8", "shop", "fipa-request", OTHER, 1_767_225_700_000, "00-trace-01", 7, "key é", 12),
)
NEWER = msgspec.structs.replace(
    FULL,
    cause=Cause(3, bytes(range(64, 80)), "a principal é", 7, 5_000),
    rare=msgspec.structs.replace(
        FULL.rare,
        capability="count",
        tried=(AGENT, OTHER),
        receiver_name="echo",
        expires_at=1_767_225_900_000,
        receipt=True,
        max_hops=7,
        max_work=5_000,
    ),
)
NEWEST = msgspec.structs.replace(
    NEWER,
    rare=msgspec.structs.replace(NEWER.rare, conversation=Opening(5, 600, 7, 9, 1_000, True, AGENT, 1_767_225_600_000)),
)
AWAITED = msgspec.structs.replace(
    NEWEST,
    cause=Cause(3, bytes(range(64, 80)), "a principal é", 7, 5_000, Waiters((bytes(range(80, 96)),), bytes(range(16)))),
)
SAID = Summary(bytes(range(16)), 7, AGENT, OTHER, 1_767_225_600_001, 3, bytes(range(16, 32)), b"yes")
WORD = msgspec.structs.replace(SAID, automatic=True)
DELTAS = [
    Delta(bytes(range(48, 64)), 2, 9, 1_767_225_600_002, [SAID], turns=1),
    Delta(
        bytes(range(64, 80)),
        1,
        3,
        1_767_225_600_001,
        [SAID],
        Head(
            AGENT,
            1_767_225_600_000,
            1_800_000,
            1_800,
            Opening(5, 600, 7, 9, 1_000, True),
            {AGENT: True, OTHER: False},
            3,
            "it has come to its limit of 9 turns",
            1,
            True,
            "fipa-request",
            [(AGENT, OTHER, b"position")],
            ("turns", 9),
            4,
            5,
        ),
        whole=True,
        turns=9,
    ),
]
NEWER_DELTAS = [Delta(bytes(range(48, 64)), 2, 9, 1_767_225_600_002, [SAID, WORD], turns=1, initiator=SESSION)]
WAITING = [Waiting(PLAIN, 5, 1_767_225_630_000, 1, 2), Waiting(FULL, -1, 2, 0, 1)]
TIMED = [Waiting(PLAIN, 0, 0, 1, 2, (), 3, 30_003)]
FAILED = Failed("QueueFull", {"receiver": "echo", "depth": 3, "capacity": 3})
REFUSALS = [Refusal(3, 1, "QueueFull", FAILED.fields), Refusal(5, 1, "AgentNotFound", {"agent": "é"})]
MANIFEST = Manifest(
    "word counter é", SHA, Encoding.MSGPACK, ("count", "words"), Limits(max_fuel=20_000, mailbox_capacity=1_000)
)
NOW_MS = 1_767_225_600_000
COUNTERS = {"processed": 12, "a counter é": 2**63 - 1}


def refusals_of(waiting):
    kept = KeptRefusals()
    for one in waiting:
        kept.add(one.sequence, one.count, from_fields(one.error, one.fields))
    kept.keep(9)
    return kept.encoded()


def file_of(version=SCHEMA_VERSION):
    db = sqlite3.connect(":memory:", isolation_level=None)
    migrate(db, version)
    return db


def contents(db):
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    return {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in tables}  # noqa: S608 (our own words only)


def rows_that(store):
    """Return the rows that `store` writes into a new file, and the version of its schema."""
    with closing(file_of()) as db:
        before = contents(db)
        store(db)
        new = {name: [row for row in found if row not in before[name]] for name, found in contents(db).items()}
    return msgspec.msgpack.encode([SCHEMA_VERSION, {name: found for name, found in new.items() if found}])


def read_from(kept, read):
    """Return what `read` finds in the file that these rows are in, brought to the present version."""
    version, tables = msgspec.msgpack.decode(kept)
    with closing(file_of(version)) as db:
        for name, found in tables.items():
            db.executemany(f"INSERT OR REPLACE INTO {name} VALUES ({', '.join('?' * len(found[0]))})", found)  # noqa: S608 (our own words only)
        migrate(db)
        return read(db)


def committed(**changes):
    """Return a commit with these changes, as what writes it."""
    commit = Commit()
    for name, value in changes.items():
        setattr(commit, name, value)
    return lambda db: apply(db, commit)


def in_file(store, read, *samples):
    """A kind of what is in a shard's file. store: from a value to what writes it; read: from a file to the value."""
    return lambda value: rows_that(store(value)), lambda kept: read_from(kept, read), samples


encoded = msgspec.msgpack.encode


def decoded(kept, kind):
    return msgspec.msgpack.decode(kept, type=kind)


def taken(db):
    found = recovered.read_unfinished(db)
    rows = {number: [row.size, row.done, row.marks] for number, row in found.items()}
    return rows, [*recovered.in_unfinished(db, found), *recovered.in_queue(db)]


ROW = UnfinishedRow(5, 2, encode_waiting(WAITING))
QUEUED = QueueRow(6, AGENT, 9, 2, 1_767_225_630_001, 1_767_225_600_002, encode_waiting(WAITING[1:]), 5, 1)
LETTER = DeadRow(7, "queue_full", FAILED, 2, 1_767_225_600_000, AGENT, OTHER, 10, FULL, 3)
KEYS = [
    KeyRow(AGENT, "key é".encode(), 1_767_226_200_000, FULL),
    KeyRow(AGENT, b"other", 5, None),
]
IN_FILES = {
    "sources": in_file(
        lambda value: committed(sources=value),
        lambda db: dict(recovered.read_sources(db)),
        {SESSION: SourceRow(9, b"refusals"), 77: SourceRow(2**63 + 1, None)},
    ),
    "targets": in_file(
        lambda value: committed(targets=value),
        lambda db: dict(recovered.read_targets(db)),
        {SESSION: TargetRow(SESSION, 9, 8), 1: TargetRow(77, 2**63 + 2, 2**63 + 1)},
    ),
    "outbox": in_file(
        lambda value: committed(outbox=[row._replace(messages=encoded(row.messages)) for row in value]),
        lambda db: [row._replace(messages=decoded(row.messages, list[Envelope])) for row in recovered.read_outbox(db)],
        [OutboxRow(4, SESSION, 8, 9, [PLAIN, FULL])],
    ),
    "unfinished": in_file(
        lambda _: committed(unfinished=[ROW], done={5: (b"\1", 1)}),
        taken,
        ({5: [2, 1, b"\1"]}, [(recovered.InUnfinished(5, 1), WAITING[1])]),
    ),
    "queue": in_file(
        lambda _: committed(queued={6: QUEUED}),
        taken,
        ({}, [(recovered.InQueue(6, 1_767_225_630_001, 1_767_225_600_002, 5, 1), WAITING[1])]),
    ),
    "dead letters": in_file(
        lambda value: committed(dead={row.number: row._replace(message=encoded(row.message)) for row in value}),
        lambda db: [
            row._replace(message=decoded(row.message, Envelope))
            for row in dead_letters.read_rows(db, DeadLetterFilter(), 0, 9)[0]
        ],
        [LETTER],
        [LETTER._replace(retry_reasons=("trap", "fuel"))],
    ),
    "states": in_file(
        lambda value: committed(states=value), lambda db: dict(recovered.read_states(db)), {AGENT: b"state", OTHER: b""}
    ),
    "charges": in_file(
        lambda value: committed(charges=value), lambda db: dict(recovered.read_charges(db)), {(SESSION, SESSION | 5): 2}
    ),
    "absences": in_file(
        lambda value: committed(absences=value),
        lambda db: dict(recovered.read_absences(db)),
        {AGENT: AbsenceRow(5, -1), OTHER: AbsenceRow(0, 7)},
    ),
    "audit": in_file(
        lambda row: lambda db: copy_rows(db, [row], [AuditHead(row.chain, row.number, row.number, row.hash)]),
        lambda db: read_page(db, ReadAudit(0, 1)).rows[0],
        linked(Entry(1_767_225_600_000, "pause", "token:é", "an agent é"), 77, 8, bytes(range(32))),
    ),
    "conversations": in_file(
        lambda value: committed(conversations=[ConversationRow(8, len(value), encoded(value))]),
        lambda db: next(iter(recovered.read_conversations(db))).deltas,
        DELTAS,
        NEWER_DELTAS,
    ),
    "idempotency keys": in_file(
        lambda value: committed(
            keys={(row.receiver, row.key): row._replace(answer=row.answer and encoded(row.answer)) for row in value}
        ),
        lambda db: [
            row._replace(answer=row.answer and decoded(row.answer, Envelope))
            for row in sorted(recovered.read_keys(db), key=lambda row: -row.expires_ms)
        ],
        KEYS,
    ),
    "agents": in_file(
        lambda value: lambda db: agents.add_agents(db, value, NOW_MS),
        agents.load_agents,
        [(AGENT, MANIFEST, AgentState.PAUSED)],
        [(AGENT, msgspec.structs.replace(MANIFEST, escalate_to="chief"), AgentState.PAUSED)],
        [(AGENT, msgspec.structs.replace(MANIFEST, version="1.2", system="shop é"), AgentState.PAUSED)],
    ),
    "routes": in_file(
        lambda value: lambda db: statements.insert(db, "routes", [routes.route_row(*one) for one in value.items()]),
        lambda db: dict(routes.read_routes(db)),
        {AGENT: Route("node é", 1, NOW_MS), OTHER: Route("b", 0, 5)},
    ),
    "ledger": in_file(
        lambda value: lambda db: write_counters(db, value.items()),
        lambda db: {name: value for name, value in read_counters(db).items() if name in COUNTERS},
        COUNTERS,
    ),
    "meta": in_file(lambda value: lambda db: write_meta(db, value), read_meta, Meta(77, 1, 12, 9)),
}


def in_a_file(name, write, read, sample):
    """A kind of file. write: the value at this path; read: the value in the file of this path."""

    def written(value):
        with TemporaryDirectory() as directory:
            write(Path(directory) / name, value)
            return (Path(directory) / name).read_bytes()

    def found(kept):
        with TemporaryDirectory() as directory:
            (Path(directory) / name).write_bytes(kept)
            return read(Path(directory) / name)

    return written, found, (sample,)


def write_mark(path, value):
    CommitMark.open(path, value).close()


def write_identity(path, value):
    Identity(path, *value).restore()


def read_identity(path):
    identity = Identity.open(path.parent, None, 1)
    return identity._key, identity.next_incarnation, identity.table_version, identity.shards


def write_book(path, _):
    book = Book.create(path, SESSION, ("run", "lost"), peers=2, histograms={"turn": 3})
    book.count("run", 5)
    book.record("turn", 1, 2**63)
    book.emitted(AGENT, 9)
    book.taken(AGENT, 8)
    book.commit()
    book.close()


def read_crash_note(kept):
    return CrashNote(*read_note(kept))


def write_artifact(path, value):
    ModuleCache(path.parent, SHA).put_artifact(SHA, "e1", value)


TOKENS = (
    Token("1f" * 8, "ci", Role.VIEWER, ("*",), SHA, 1_767_225_600_000),
    Token(
        "2f" * 8, "café", Role.ADMIN, ("a*", "b"), SHA[::-1], 1_767_225_600_000, 1_767_225_900_000, 1_767_225_700_000
    ),
)
FILES = {
    "mark": in_a_file("shard-0.mark", write_mark, read_mark, Marked(77, 9)),
    "identity": in_a_file(FILE_NAME, write_identity, read_identity, (SHA, 65, 1, 2)),
    "book": in_a_file(
        "w-1.book",
        write_book,
        read_book,
        BookView(SESSION, {"run": 5, "lost": 0}, {AGENT: Totals(9, 8)}, {"turn": (0, 2**63, 0)}),
    ),
    "compiled module": in_a_file(
        f"{SHA.hex()}.e1.native",
        write_artifact,
        lambda path: ModuleCache(path.parent, SHA).artifact(SHA, "e1"),
        b"native code",
    ),
    "tokens": in_a_file("tokens", write_tokens, lambda path: read_tokens(path).tokens, TOKENS),
}
VALUES = {
    "envelope": (msgspec.msgpack.encode, msgspec.msgpack.Decoder(Envelope).decode, (FULL, NEWER, NEWEST, AWAITED)),
    "envelope without rare fields": (msgspec.msgpack.encode, msgspec.msgpack.Decoder(Envelope).decode, (PLAIN,)),
    "waiting": (encode_waiting, decode_waiting, (WAITING, TIMED)),
    "error": (
        lambda value: rows.error_text(value, value.retry_reasons).encode(),
        rows.read_error,
        tuple(rows.StoredError(FAILED.error, FAILED.fields, reasons) for reasons in ((), ("trap", "fuel"))),
    ),
    "refusals": (refusals_of, lambda kept: KeptRefusals(kept).page()[0], (REFUSALS,)),
    "crash note": (
        CrashNote.encode,
        read_crash_note,
        (CrashNote(SESSION, 5, AGENT, 6), CrashNote(SESSION, 5, AGENT, 6, 7, SESSION, 8)),
    ),
}
KINDS = IN_FILES | FILES | VALUES


@pytest.mark.parametrize("name", KINDS)
def test_records_of_every_version_are_read(records, name):
    """Whatever was stored once is still read, as what it was."""
    records.check_read(name, KINDS[name])


@pytest.mark.parametrize("name", KINDS)
def test_records_are_written_as_the_newest_that_is_kept(records, name):
    """Nobody changes by mistake what a later life has to read."""
    records.check_written(name, KINDS[name])


def test_no_table_is_forgotten():
    """Every table of a shard's file is in a kind that is kept."""
    with closing(file_of()) as db:
        wanted = set(contents(db))
    kept = [msgspec.msgpack.decode(write(samples[-1]))[1] for write, _, samples in IN_FILES.values()]
    assert {name for tables in kept for name in tables} == wanted

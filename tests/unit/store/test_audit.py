"""The audit in a shard's file: written with what it tells, and looked through after somebody changed the file."""

import sqlite3
from contextlib import closing

import msgspec
import pytest

from caxton.agents.lifecycle import AgentState
from caxton.agents.manifest import Manifest
from caxton.errors import StorageError
from caxton.store.agents import StoredAgents
from caxton.store.audit import append, read_heads, read_page
from caxton.store.commit import Commit
from caxton.store.shard_store import ShardStore
from caxton.wire.audit import MENDED, MOST_ROWS, RUNTIME, AuditPage, Entry, ReadAudit
from caxton.wire.audit_check import FileCheck, faults

AGENT = Manifest("a", bytes(32))
NUMBER = 7
# Behind the last row another one like the first.
COPIED = """
INSERT INTO audit
SELECT 9, chain, 5, at, action, principal, subject, outcome, previous, hash FROM audit WHERE number = 1
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shard-0.db"


async def opened(path):
    """Open the file."""
    return await ShardStore.open(path, 0)


def told(number, action="pause"):
    """An entry."""
    return Entry(number, action, "token:1", "a")


async def filled(path, entries=4):
    """Make a file with so many entries, one a transaction."""
    store = await opened(path)
    for number in range(entries):
        await store.database.write(lambda db, number=number: append(db, [told(number)]))
    await store.close()


async def looked_through(path):
    """Return what is wrong with the audit of a file."""
    store = await opened(path)
    try:
        page = await store.audit(ReadAudit())
    finally:
        await store.close()
    return [*faults(page.rows, page.heads)]


async def test_rows_stand_beside_what_they_tell(path):
    """Of agents and of commits; one chain, over the life of several workers."""
    store = await opened(path)
    stored = StoredAgents(store.database)
    await stored.add([(NUMBER, AGENT)], 1, audit=[told(1, "deploy")])
    await stored.set_state(NUMBER, AgentState.PAUSED, 2, [told(2)])
    await store.close()
    store = await opened(path)
    commit = Commit()
    commit.audit.append(told(3, "purge"))
    await store.commit(commit)
    await StoredAgents(store.database).remove([NUMBER], [told(4, "remove")])
    page = await store.audit(ReadAudit())
    await store.close()

    assert [(row.number, row.action, row.principal) for row in page.rows] == [
        (1, "deploy", "token:1"),
        (2, "pause", "token:1"),
        (3, "purge", "token:1"),
        (4, "remove", "token:1"),
    ]
    assert {row.chain for row in page.rows} == {store.file_id}
    assert not [*faults(page.rows, page.heads)]


async def test_what_was_not_done_is_not_told(path):
    """A transaction that fails leaves neither."""
    store = await opened(path)
    stored = StoredAgents(store.database)
    await stored.add([(NUMBER, AGENT)], 1, audit=[told(1, "deploy")])
    with pytest.raises(StorageError):
        await stored.add([(NUMBER, AGENT)], 2, audit=[told(2, "deploy")])
    page = await store.audit(ReadAudit())
    await store.close()

    assert [row.number for row in page.rows] == [1]


async def test_rows_come_in_pages(path):
    """Each behind the one before, with the heads."""
    await filled(path)
    store = await opened(path)
    first = await store.audit(ReadAudit(0, 3))
    second = await store.audit(ReadAudit(first.after, 3))
    await store.close()

    assert ([row.number for row in first.rows], first.more) == ([1, 2, 3], True)
    assert ([row.number for row in second.rows], second.more) == ([4], False)
    assert first.heads == second.heads


async def test_a_shard_keeps_so_many_rows(path):
    """Exactly as many as the bound says; of one more the first makes room."""
    store, kept = await opened(path), []
    for count in (MOST_ROWS, 1):
        await store.database.write(lambda db, count=count: append(db, [told(1)] * count))
        kept += await store.database.run(lambda db: db.execute("SELECT count(*), min(number) FROM audit").fetchall())
    await store.close()
    assert kept == [(MOST_ROWS, 1), (MOST_ROWS, 2)]


async def test_the_oldest_rows_make_room_and_the_chain_goes_on(path):
    """From the first that is kept, which the file knows."""
    store = await opened(path)
    for number in range(7):
        await store.database.write(lambda db, number=number: append(db, [told(number)], most_rows=3))
    page = await store.audit(ReadAudit())
    await store.close()

    assert [row.number for row in page.rows] == [5, 6, 7]
    assert [(head.first, head.last) for head in page.heads] == [(5, 7)]
    assert not [*faults(page.rows, page.heads)]


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("UPDATE audit SET principal = 'nobody' WHERE number = 2", "row 2 was changed"),
        ("UPDATE audit SET at = at + 1 WHERE number = 1", "row 1 was changed"),
        ("UPDATE audit SET outcome = 'failed' WHERE number = 4", "row 4 was changed"),
        ("DELETE FROM audit WHERE number = 2", "row 2 is gone"),
        ("DELETE FROM audit WHERE number = 1", "row 1 is gone"),
        ("DELETE FROM audit WHERE number >= 3", "row 3 is gone"),
        ("DELETE FROM audit", "row 1 is gone"),
        ("DELETE FROM audit_heads", "its head is gone"),
        ("UPDATE audit_heads SET last = 3", "row 4 was put in"),
        ("UPDATE audit_heads SET hash = x'00'", "row 4 is not the last one that was written"),
        (
            COPIED,
            "row 5 was changed",
        ),
    ],
)
async def test_whatever_is_done_to_the_file_is_found(path, sql, fault):
    """A row that was changed, removed, put in; the end cut off."""
    await filled(path)
    assert await looked_through(path) == []
    with closing(sqlite3.connect(path)) as db:
        db.execute(sql)
        db.commit()
    (found,) = await looked_through(path)
    assert found.endswith(fault)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit SET action = x'00' WHERE number = 2",
        "UPDATE audit SET at = -1 WHERE number = 2",
        "UPDATE audit SET at = 'x' WHERE number = 2",
        "UPDATE audit SET number = 'x' WHERE number = 2",
        "UPDATE audit SET number = -1 WHERE number = 2",
        "UPDATE audit SET number = 1.5 WHERE number = 2",
        "UPDATE audit SET hash = 'x' WHERE number = 2",
    ],
)
async def test_what_is_no_row_has_its_place_told_and_the_rest_is_read(path, sql):
    """Wherever it stands, also where a page ends with it."""
    await filled(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute(sql)
        db.commit()
    store = await opened(path)
    pages = [await store.audit(ReadAudit()), *[await store.audit(ReadAudit(after, 1)) for after in range(4)]]
    await store.close()

    assert [row.number for row in pages[0].rows] == [1, 3, 4]
    assert [page.unreadable for page in pages] == [[2], [], [2], [], []]
    assert [page.more for page in pages] == [False, True, True, True, False]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(pages[0]), type=AuditPage) == pages[0]
    check = FileCheck({})
    check.take(pages[0])
    assert [fault.partition(": ")[2] or fault for fault in check.faults()] == [
        "row 2 is gone",
        "1 row cannot be read, from place 2 on",
    ]


WRITTEN_ON = {
    "UPDATE audit_heads SET last = 1": [],
    "UPDATE audit_heads SET last = 9": ["row 5 is gone"],
    "UPDATE audit_heads SET last = 'x'": [],
    "UPDATE audit_heads SET last = -1": [],
    "UPDATE audit_heads SET last = 9223372036854775807": [],
    "UPDATE audit_heads SET first = x'00', hash = 'x'": [],
    "UPDATE audit_heads SET hash = x'00'": ["row 5 does not follow the one before it"],
    "DELETE FROM audit_heads": [],
    "DELETE FROM audit WHERE number > 2": ["row 3 is gone"],
    "UPDATE audit SET number = 9223372036854775807 WHERE number = 4": ["row 4 is gone"],
    "UPDATE audit SET number = 4611686018427387904 WHERE number = 4": ["row 4 is gone"],
    "UPDATE audit SET number = 2305843009213693952 WHERE number = 4": ["row 4 is gone"],
    """
    UPDATE audit SET number = 2305843009213693958 WHERE number = 4;
    UPDATE audit_heads SET last = 2305843009213693956;
    """: ["row 4 is gone"],
    "UPDATE audit SET number = 'x' WHERE number = 4": ["row 4 is gone"],
    "UPDATE audit SET place = -4 WHERE number = 4": ["row 4 is gone"],
    "UPDATE audit SET hash = 'x' WHERE number = 4; UPDATE audit_heads SET last = 1": ["row 4 is gone"],
}


ACCOUNT_IS_RIGHT = {"UPDATE audit_heads SET hash = x'00'", "UPDATE audit SET place = -4 WHERE number = 4"}


@pytest.mark.parametrize("sql", WRITTEN_ON)
async def test_whatever_is_done_to_the_file_its_shard_serves_on(path, sql):
    """What is done next is in the audit, behind all that was; where the account was wrong a row of its own says so."""
    await filled(path)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(sql)
    store = await opened(path)
    await StoredAgents(store.database).add([(NUMBER, AGENT)], 1, audit=[told(1, "deploy")])
    commit = Commit()
    commit.audit.append(told(2, "purge"))
    await store.commit(commit)
    page = await store.audit(ReadAudit())
    head = store.database.audit_head
    await store.close()

    *_, deployed, purged = page.rows
    assert [row.action for row in (deployed, purged)] == ["deploy", "purge"]
    assert 4 < deployed.number < purged.number == head.last
    mended = [row for row in page.rows if row.action == MENDED]
    assert len(mended) == (sql not in ACCOUNT_IS_RIGHT)
    assert all(row.principal == RUNTIME and row.number == deployed.number - 1 for row in mended)
    check = FileCheck({})
    check.take(page)
    assert [fault.partition(": ")[2] for fault in check.faults() if "chain" in fault] == WRITTEN_ON[sql]


@pytest.mark.parametrize("sql", ["SET last = -1", "SET first = x'00'", "SET hash = 'text'", "SET last = 'four'"])
async def test_a_head_that_cannot_be_one_keeps_no_shard_from_being_opened(path, sql):
    """Whoever verifies is told, and nobody of such a head: a heartbeat with it could not be read."""
    await filled(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"UPDATE audit_heads {sql}")
        db.commit()
    store = await opened(path)
    try:
        assert store.database.audit_head is None
        page = await store.audit(ReadAudit())
    finally:
        await store.close()
    (fault,) = faults(page.rows, page.heads)
    assert fault.endswith("its head is gone")


async def test_the_head_is_known_as_it_is_on_the_disk(path):
    """From when the file is opened on, and after each change."""
    store = await opened(path)
    assert store.database.audit_head is None
    stored = StoredAgents(store.database)
    await stored.add([(NUMBER, AGENT)], 1, audit=[told(1, "deploy")])
    assert store.database.audit_head.last == 1
    with pytest.raises(StorageError):
        await stored.add([(NUMBER, AGENT)], 2, audit=[told(2, "deploy")])
    assert store.database.audit_head.last == 1
    commit = Commit()
    commit.audit.append(told(3, "purge"))
    await store.commit(commit)
    head = store.database.audit_head
    await store.close()
    store = await opened(path)
    assert (store.database.audit_head, head.last) == (head, 2)
    await store.close()


async def test_a_file_of_before_begins_its_chain(path):
    """Nothing is in it until something is done."""
    store = await opened(path)
    page = await store.database.run(lambda db: (read_page(db, ReadAudit(0, 1)), read_heads(db)))
    await store.close()
    assert (page[0].rows, page[1]) == ([], [])

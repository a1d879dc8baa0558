"""The keeper of the audit: rows in order, without end of disks; what cannot be written, waits, within a bound."""

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing, suppress

import pytest

from caxton.errors import StorageError
from caxton.store.supervisor_audit import SupervisorAudit
from caxton.supervisor.audit.keeper import ASKED, MISSED, MOST_WAITING, RESTORE, START, STOP, AuditKeeper
from caxton.testing import eventually
from caxton.wire.audit import AuditHead, Entry, Kind, ReadAudit, is_of
from caxton.wire.audit_check import SupervisorCheck

SHARD = AuditHead(1 << 60, 1, 4, bytes(32))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "audit.db"


def told(number, action="restart", outcome=ASKED):
    return Entry(number, action, "", "all workers", outcome)


@asynccontextmanager
async def keeping(path, begun=lambda: None):
    """A keeper that writes."""
    keeper = AuditKeeper(path, begun)
    writing = asyncio.get_running_loop().create_task(keeper.run())
    try:
        yield keeper
    finally:
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        await keeper.close()


async def rows_of(keeper, kind=Kind.OPERATIONS):
    return [row for row in (await keeper.read(ReadAudit())).rows if is_of(row.chain, kind)]


async def test_rows_are_on_the_disk_when_somebody_has_waited(path):
    """In their order; what was noted before is read with them."""
    async with keeping(path) as keeper:
        for number in range(5):
            assert keeper.note(Kind.OPERATIONS, told(number))
        await keeper.noted(Kind.OPERATIONS, told(5))
        assert keeper.written[Kind.OPERATIONS] == 6
        keeper.note(Kind.OPERATIONS, told(6))
        assert [row.at for row in await rows_of(keeper)] == [*range(7)]
        assert keeper.problem is None


async def test_the_end_writes_what_is_left_and_an_anchor(path):
    """With the heads that were heard last; then nothing more is written, and that is counted."""
    async with keeping(path) as keeper:
        keeper.heard(0, None)
        keeper.heard(0, SHARD)
        keeper.note(Kind.INCIDENTS, told(1))
        await keeper.stopped("clean")
        assert not keeper.note(Kind.OPERATIONS, told(2))
        assert keeper.missed[Kind.OPERATIONS] == 1
    with closing(SupervisorAudit.open(path)) as audit:
        page = audit.read(ReadAudit())
        assert [row.action for row in page.rows] == ["stop", "restart", "anchor"] or [
            row.action for row in page.rows
        ] == ["restart", "stop", "anchor"]
        assert page.rows[-1].outcome.startswith(f"{SHARD.chain:016x}:1:4:")


@pytest.mark.parametrize(
    ("rows", "before"),
    [
        ([], "for the first time"),
        ([(START, "x"), (STOP, "clean")], "after a stop"),
        ([(START, "x")], "after a crash"),
        ([(START, "x"), (STOP, ASKED)], "after a crash"),
        ([(START, "x"), ("restart", ASKED)], "after a crash"),
        ([(START, "x"), (STOP, "clean"), ("reshard", "done")], "after a stop"),
        ([(START, "x"), (RESTORE, "done")], "from a backup"),
    ],
)
async def test_a_start_says_how_the_run_before_it_ended(path, rows, before):
    """As far as rows tell."""
    with closing(SupervisorAudit.open(path)) as audit:
        audit.add([(Kind.OPERATIONS, told(1, action, outcome)) for action, outcome in rows])
    async with keeping(path) as keeper:
        await keeper.started()
        assert (await rows_of(keeper))[-1].outcome == before


async def test_what_has_no_room_waits_and_is_written_when_there_is_some(path):
    """Nobody waits for it meanwhile; all that else was asked goes on; rows that were too many are told by a row."""
    async with keeping(path) as keeper:
        await keeper.noted(Kind.OPERATIONS, told(0))
        db = keeper._file._db
        await keeper._on_thread(lambda: db.execute("PRAGMA max_page_count = 1").fetchall())
        long = [told(number)._replace(subject="x" * 200) for number in range(1, 100)]
        for entry in long:
            keeper.note(Kind.OPERATIONS, entry)
        with pytest.raises(StorageError):
            await keeper.anchor()
        assert "full" in keeper.problem
        async with asyncio.timeout(60):
            await keeper.noted(Kind.OPERATIONS, told(100))
        for _ in range(2 * MOST_WAITING):
            keeper.note(Kind.STRANGERS, told(1))
        assert keeper.missed == {Kind.STRANGERS: MOST_WAITING}
        assert [row.at for row in await rows_of(keeper)] == [0]
        await keeper._on_thread(lambda: db.execute("PRAGMA max_page_count = 100000").fetchall())
        await keeper.anchor()
        assert keeper.problem is None
        assert [row.at for row in await rows_of(keeper)] == [*range(101)]
        page = await keeper.read(ReadAudit(action=MISSED))
        assert [(row.subject, row.outcome) for row in page.rows] == [
            ("strangers", f"{MOST_WAITING} could not be written")
        ]
        check = SupervisorCheck()
        after, more = 0, True
        while more:
            page = await keeper.read(ReadAudit(after))
            check.take(page)
            after, more = page.after, page.more
        assert check.faults() == []


async def test_an_anchor_that_has_no_room_is_a_problem_until_it_is_written(path):
    """It is tried again by itself, though nothing else is noted."""
    async with keeping(path) as keeper:
        await keeper.noted(Kind.OPERATIONS, told(0))
        db = keeper._file._db
        (pages,) = await keeper._on_thread(lambda: db.execute("PRAGMA page_count").fetchone())
        await keeper._on_thread(lambda: db.execute(f"PRAGMA max_page_count = {pages}").fetchall())
        for number in range(1 << 10):
            keeper.heard(number, AuditHead((1 << 60) + number, 1, 4, bytes(32)))
        with pytest.raises(StorageError):
            await keeper.anchor()
        assert "full" in keeper.problem
        assert await rows_of(keeper, Kind.ANCHORS) == []
        await keeper._on_thread(lambda: db.execute("PRAGMA max_page_count = 100000").fetchall())

        async def is_mended():
            return keeper.problem is None

        await eventually(is_mended)
        assert await rows_of(keeper, Kind.ANCHORS) != []


async def test_a_flood_of_one_kind_takes_no_place_from_another(path):
    """Each has so many that may wait."""
    keeper = AuditKeeper(path, lambda: None)
    try:
        assert [keeper.note(Kind.STRANGERS, told(1)) for _ in range(MOST_WAITING + 1)][-2:] == [True, False]
        assert keeper.note(Kind.OPERATIONS, told(1))
    finally:
        await keeper.close()


async def test_a_file_that_was_taken_away_is_begun_anew(path):
    """That is told, no row is lost that waited, and the next ones are in the new file."""
    begun = asyncio.Event()
    async with keeping(path, begun.set) as keeper:
        await keeper.noted(Kind.OPERATIONS, told(0))
        await begun.wait()
        begun.clear()
        path.unlink()
        await keeper.noted(Kind.OPERATIONS, told(1))
        async with asyncio.timeout(60):
            await begun.wait()
        await keeper.anchor()
        assert [row.at for row in await rows_of(keeper)] == [1]
        assert keeper.problem is None


@pytest.mark.parametrize("damage", ["garbage", "directory"])
async def test_what_is_no_audit_is_a_problem_and_no_end(path, damage):
    """It is left as it is; when it is moved away, a new one is begun."""
    path.mkdir() if damage == "directory" else path.write_bytes(b"garbage" * 1_000)
    async with keeping(path) as keeper:
        await keeper.started()
        assert "audit.db" in keeper.problem
        with pytest.raises(StorageError):
            await keeper.read(ReadAudit())
        path.rename(path.with_name("damaged"))
        await keeper.anchor()
        assert keeper.problem is None
        assert [row.action for row in await rows_of(keeper)] == ["start"]


async def test_nobody_waits_for_a_file_that_is_held_by_somebody_else(path):
    """A problem that passes when it is let go."""
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    async with keeping(path) as keeper:
        async with asyncio.timeout(60):
            await keeper.noted(Kind.OPERATIONS, told(1))
        assert "locked" in keeper.problem
        holder.close()
        await keeper.anchor()
        assert [row.at for row in await rows_of(keeper)] == [1]
        assert keeper.problem is None


async def test_after_its_end_it_says_so(path):
    """Whoever asks then has an error; closing twice is fine."""
    keeper = AuditKeeper(path, lambda: None)
    await keeper.close()
    await keeper.close()
    with pytest.raises(StorageError, match="closed"):
        await keeper.anchor()


async def test_when_it_is_closed_nothing_is_being_written(path):
    """Whatever was under way has come to its end, and SQLite's own files beside it are gone."""
    async with keeping(path) as keeper:
        for number in range(200):
            keeper.note(Kind.OPERATIONS, told(number))
        await keeper.noted(Kind.INCIDENTS, told(1))
    assert [one.name for one in path.parent.iterdir()] == [path.name]

"""The supervisor's file of the audit: its chains, their room, its anchors; what is no such file; a killed writer."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing

import pytest

from caxton.errors import StorageDamaged, StorageError, StorageFull
from caxton.store.supervisor_audit import MOST_FILE_BYTES, MOST_TEXT, SupervisorAudit
from caxton.wire.anchors import anchors_in
from caxton.wire.audit import ROOM, AuditHead, Entry, Kind, ReadAudit, is_of
from caxton.wire.audit_check import SupervisorCheck

SMALL = dict.fromkeys(Kind, 3)
SHARD = AuditHead(1 << 60, 1, 4, bytes(32))
# Adds rows for ever, and says after each transaction how many are on the disk by then.
WRITER = """
import sys
from pathlib import Path
from caxton.store.supervisor_audit import SupervisorAudit
from caxton.wire.audit import Entry, Kind
audit = SupervisorAudit.open(Path(sys.argv[1]))
number = 0
while True:
    entry = Entry(number, "restart", "", "all", "asked")
    audit.add([(Kind.OPERATIONS, entry), (Kind.STRANGERS, entry)])
    audit.anchor([], 1)
    number += 1
    print(number, flush=True)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "audit.db"


def told(number, action="restart"):
    return Entry(number, action, "", "all workers", "asked")


def looked_through(audit, room=ROOM):
    """Return what is wrong with a file."""
    check = SupervisorCheck(room=room)
    page = audit.read(ReadAudit())
    check.take(page)
    while page.more:
        page = audit.read(ReadAudit(page.after))
        check.take(page)
    return check.faults()


def rows_of(audit, kind):
    return [row for row in audit.read(ReadAudit()).rows if is_of(row.chain, kind)]


def test_each_kind_has_a_chain_of_its_own(path):
    """All of one file, which goes on when it is opened again; it is for its owner alone, whatever the umask says."""
    before = os.umask(0)
    try:
        with closing(SupervisorAudit.open(path)) as audit:
            assert audit.was_new
            audit.add([(kind, told(1)) for kind in Kind if kind is not Kind.ANCHORS])
            audit.anchor([SHARD], 5)
    finally:
        os.umask(before)
    with closing(SupervisorAudit.open(path)) as audit:
        assert not audit.was_new
        audit.add([(Kind.OPERATIONS, told(2)), (Kind.OPERATIONS, told(3))])
        assert [row.number for row in rows_of(audit, Kind.OPERATIONS)] == [1, 2, 3]
        assert {audit.head(kind).last for kind in Kind} == {1, 3}
        assert looked_through(audit) == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_anchored_is_anchored_once(path):
    """The heads of shards and of the file's other chains, where any of them is another one; its head is returned."""
    with closing(SupervisorAudit.open(path)) as audit:
        assert audit.anchor([], 1).last == 0
        audit.add([(Kind.OPERATIONS, told(1))])
        first = audit.anchor([SHARD], 2)
        assert (first.last, audit.anchor([SHARD], 3)) == (1, first)
        audit.add([(Kind.STRANGERS, told(1))])
        assert audit.anchor([SHARD], 4).last == 2
        one, two = rows_of(audit, Kind.ANCHORS)
        assert anchors_in(one.outcome) == [SHARD, audit.head(Kind.OPERATIONS)]
        assert anchors_in(two.outcome) == [audit.head(Kind.STRANGERS)]


def test_rows_make_room_for_those_of_their_own_kind_alone(path):
    """However many there are of another one; and all is whole."""
    with closing(SupervisorAudit.open(path, SMALL)) as audit:
        audit.add([(Kind.OPERATIONS, told(1))])
        for number in range(20):
            audit.add([(Kind.STRANGERS, told(number)), (Kind.ACCESS, told(number))])
            audit.anchor([], 1)
        assert [row.number for row in rows_of(audit, Kind.OPERATIONS)] == [1]
        for kind in (Kind.STRANGERS, Kind.ACCESS, Kind.ANCHORS):
            assert [row.number for row in rows_of(audit, kind)] == [18, 19, 20]
        assert looked_through(audit, SMALL) == []


def test_the_file_has_a_bound(path):
    """SQLite itself lets it grow no further, whatever rows there are."""
    audit = SupervisorAudit.open(path)
    ((pages,),) = audit._db.execute("PRAGMA max_page_count").fetchall()
    ((page_bytes,),) = audit._db.execute("PRAGMA page_size").fetchall()
    audit.close()
    assert pages * page_bytes == MOST_FILE_BYTES


def test_the_rows_of_each_kind_are_bounded():
    """Those of who has no token by a tenth of those that say what was done."""
    assert ROOM[Kind.STRANGERS] * 10 == ROOM[Kind.OPERATIONS]


def test_long_texts_are_cut(path):
    """And the chain is of what is kept."""
    with closing(SupervisorAudit.open(path)) as audit:
        audit.add([(Kind.OPERATIONS, Entry(1, "x" * 1_000, "é" * 1_000, "y", "z" * 1_000))])
        (row,) = rows_of(audit, Kind.OPERATIONS)
        assert {len(row.action), len(row.principal), len(row.outcome)} == {MOST_TEXT}
        assert looked_through(audit) == []


@pytest.mark.parametrize("text", ["\udcff", "a\0b", "\u202e", "é\n", ""])
def test_whatever_stands_in_a_row_can_be_written(path, text):
    """Names of files that are no text, and moments that no clock has, are no reason to write none."""
    with closing(SupervisorAudit.open(path)) as audit:
        audit.add([(Kind.OPERATIONS, Entry(1 << 64, text, text, text, text)), (Kind.OPERATIONS, told(-1))])
        assert looked_through(audit) == []
        assert all(row.outcome.isprintable() for row in rows_of(audit, Kind.OPERATIONS))


def test_a_head_that_cannot_be_one_is_not_anchored(path):
    """Of a shard's file that somebody has changed: else no anchor behind it could be read."""
    with closing(SupervisorAudit.open(path)) as audit:
        audit.anchor([AuditHead(1, 1, 4, b"short"), AuditHead(2, 1, 0, bytes(32)), SHARD], 1)
        (row,) = rows_of(audit, Kind.ANCHORS)
        assert anchors_in(row.outcome) == [SHARD]


def test_rows_are_read_in_both_directions_and_chosen(path):
    """A page at a time; the last of a chain by its action."""
    with closing(SupervisorAudit.open(path)) as audit:
        audit.add([(Kind.OPERATIONS, told(number, "stop" if number == 2 else "start")) for number in range(1, 6)])
        back = audit.read(ReadAudit(0, 2, backwards=True))
        rest = audit.read(ReadAudit(back.after, 10, backwards=True))
        assert ([row.at for row in back.rows], back.more) == ([5, 4], True)
        assert ([row.at for row in rest.rows], rest.more) == ([3, 2, 1], False)
        assert [row.at for row in audit.read(ReadAudit(action="stop")).rows] == [2]
        assert [row.at for row in audit.read(ReadAudit(since=4)).rows] == [4, 5]
        assert audit.read(ReadAudit(principal="nobody")).rows == []
        assert audit.last(Kind.OPERATIONS, ("stop",)).at == 2
        assert audit.last(Kind.OPERATIONS, ("none",)) is None


def test_a_full_disk_leaves_all_or_nothing(path):
    """Rows that had no room are added when there is some, and the chain goes on."""
    with closing(SupervisorAudit.open(path)) as audit:
        audit.add([(Kind.OPERATIONS, told(0))])
        (pages,) = audit._db.execute("PRAGMA page_count").fetchone()
        audit._db.execute(f"PRAGMA max_page_count = {pages}")
        many = [(Kind.OPERATIONS, told(number)) for number in range(200)]
        with pytest.raises(StorageFull):
            audit.add(many)
        assert audit.head(Kind.OPERATIONS).last == 1
        audit._db.execute("PRAGMA max_page_count = 10000")
        audit.add(many)
        assert audit.head(Kind.OPERATIONS).last == 201
        assert looked_through(audit) == []


def test_a_copy_is_a_file_of_its_own(path, tmp_path):
    """With all rows; for its owner alone; nothing is written where something is, and the chains go on in both."""
    target = tmp_path / "copy.db"
    with closing(SupervisorAudit.open(path)) as audit:
        audit.add([(Kind.OPERATIONS, told(1))])
        audit.copy(target)
        with pytest.raises(StorageError):
            audit.copy(target)
        audit.add([(Kind.OPERATIONS, told(2))])
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with closing(SupervisorAudit.open(target)) as copy:
        assert [row.at for row in rows_of(copy, Kind.OPERATIONS)] == [1]
        assert looked_through(copy) == []


def test_one_process_has_it(path):
    """Whoever else opens it is refused."""
    with closing(SupervisorAudit.open(path)), pytest.raises(StorageError, match="locked"):
        SupervisorAudit.open(path)


@pytest.mark.parametrize("make", ["link", "fifo", "directory", "dangling link"])
def test_what_is_no_regular_file_is_refused(path, tmp_path, make):
    """And what it leads to is as it was; the same beside it, where its journal belongs."""
    other = tmp_path / "other"
    other.write_bytes(b"theirs")
    for there in (path, path.with_name("audit.db-journal")):
        match make:
            case "link":
                there.symlink_to(other)
            case "dangling link":
                there.symlink_to(tmp_path / "nothing")
            case "fifo":
                os.mkfifo(there)
            case "directory":
                there.mkdir()
        with pytest.raises(StorageError, match="not a regular file"):
            SupervisorAudit.open(path)
        there.rmdir() if make == "directory" else there.unlink()
    assert other.read_bytes() == b"theirs"
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM audit_heads",
        "DELETE FROM audit_heads WHERE chain = (SELECT max(chain) FROM audit_heads)",
        "UPDATE audit_heads SET chain = chain + 8 WHERE chain = (SELECT max(chain) FROM audit_heads)",
        "DROP TABLE audit_heads",
        "UPDATE audit_heads SET first = x'00'",
        "UPDATE audit_heads SET last = -1",
        "UPDATE audit_heads SET hash = 'text'",
    ],
)
def test_what_is_no_such_file_is_damage(path, sql):
    """And is left as it is."""
    SupervisorAudit.open(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(sql)
    before = path.read_bytes()
    with pytest.raises(StorageError, match=r"audit\.db"):
        SupervisorAudit.open(path)
    assert path.read_bytes() == before


def test_garbage_is_damage(path):
    """It is never written over."""
    path.write_bytes(b"garbage" * 1_000)
    with pytest.raises(StorageDamaged):
        SupervisorAudit.open(path)
    assert path.read_bytes() == b"garbage" * 1_000


def test_a_later_versions_file_is_refused(path):
    """By its number."""
    SupervisorAudit.open(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA user_version = 2")
    with pytest.raises(StorageError, match="format 2"):
        SupervisorAudit.open(path)


@pytest.mark.parametrize("there", [True, False])
def test_a_file_that_is_not_there_any_more_is_noticed(path, there):
    """At the next row, whether another one has its name or none."""
    with closing(SupervisorAudit.open(path)) as audit:
        path.unlink()
        if there:
            path.touch()
        with pytest.raises(StorageDamaged, match="removed or replaced"):
            audit.add([(Kind.OPERATIONS, told(1))])


@pytest.mark.parametrize("after", [1, 7, 40])
def test_whoever_is_killed_while_writing_leaves_whole_chains(path, after):
    """With every row that was added, and at most one transaction more; the next one goes on."""
    with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True) as writer:
        for line in writer.stdout:
            if int(line) >= after:
                break
        writer.send_signal(signal.SIGKILL)
        done = after + len(writer.stdout.read().splitlines())
    with closing(SupervisorAudit.open(path)) as audit:
        assert audit.head(Kind.OPERATIONS).last in {done, done + 1}
        assert audit.head(Kind.OPERATIONS).last == audit.head(Kind.STRANGERS).last
        assert looked_through(audit) == []
        audit.add([(Kind.OPERATIONS, told(1))])
        assert looked_through(audit) == []

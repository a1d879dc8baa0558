import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from faultlab.orders import KILL_AFTER_SYNC, KILL_BEFORE_SYNC, Orders
from faultlab.shadow import Shadow

ROOT = Path(__file__).resolve().parents[2]
ROWS = """
import os, sqlite3, sys
sys.path.append(sys.argv[1])
from pathlib import Path
from faultlab.orders import Orders
from faultlab.shadow import Shadow
from faultlab.vfs import WatchedVfs
work = Path(sys.argv[2])
WatchedVfs(Orders(work / "orders"), Shadow(work / "shadow"))
db = sqlite3.connect(work / "shard-0.db", isolation_level=None)
for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = " + sys.argv[3]):
    db.execute("PRAGMA " + pragma)
db.execute("CREATE TABLE IF NOT EXISTS rows (number INTEGER PRIMARY KEY, content BLOB)")
began = db.execute("SELECT count(*) FROM rows").fetchone()[0]
for number in range(began, began + int(sys.argv[4])):
    try:
        db.execute("INSERT INTO rows VALUES (?, ?)", (number, os.urandom(3000)))
    except sqlite3.OperationalError as error:
        print(error, flush=True)
        break
    print(number, flush=True)
os.kill(os.getpid(), 9)
"""


def write_rows(work, synchronous="FULL", count=30):
    """Commit rows in a process that is killed in the end; returns the lines that it told."""
    command = [sys.executable, "-c", ROWS, str(ROOT), str(work), synchronous, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout.split("\n")[:-1]


def rows_of(work):
    database = sqlite3.connect(work / "shard-0.db")
    try:
        (whole,) = database.execute("PRAGMA integrity_check").fetchone()
        assert whole == "ok"
        return [number for (number,) in database.execute("SELECT number FROM rows ORDER BY number")]
    except sqlite3.OperationalError:
        return []
    finally:
        database.close()


@pytest.fixture
def shadow(tmp_path):
    shadow = Shadow(tmp_path / "shadow")
    yield shadow
    shadow.close()


def test_a_power_cut_keeps_what_was_synced(tmp_path, shadow):
    """After a power cut every row that was committed under synchronous=FULL is there."""
    told = write_rows(tmp_path)
    shadow.cut(tmp_path)

    assert rows_of(tmp_path) == [int(line) for line in told] == list(range(30))


def test_a_power_cut_takes_what_was_not_synced(tmp_path, shadow):
    """After a power cut the rows that were committed under synchronous=OFF are gone, though a kill leaves them."""
    write_rows(tmp_path, synchronous="OFF")
    assert len(rows_of(tmp_path)) == 30  # which reads them through the page cache, and checkpoints without the shadow
    shadow.cut(tmp_path)

    assert rows_of(tmp_path) == []


def test_syncs_of_a_forgetful_worker_do_nothing(tmp_path, shadow):
    """Under the order to forget syncs, what is committed is not in the shadow either."""
    Orders(tmp_path / "orders").forget_syncs()
    write_rows(tmp_path)
    shadow.cut(tmp_path)

    assert rows_of(tmp_path) == []
    assert shadow.syncs() == []


def test_the_next_life_syncs_what_the_last_one_left(tmp_path, shadow):
    """Writes that a killed process left in the page cache are durable from its successor's first sync on."""
    write_rows(tmp_path, synchronous="OFF", count=5)
    write_rows(tmp_path, synchronous="FULL", count=5)
    write_rows(tmp_path, synchronous="FULL", count=5)
    shadow.cut(tmp_path)

    assert rows_of(tmp_path) == list(range(15))


def test_every_commit_has_its_sync_in_the_log(tmp_path, shadow):
    """The log has a sync of the WAL for each commit, one after the other, with its shard and its times."""
    write_rows(tmp_path)
    syncs = shadow.syncs()

    assert len(syncs) >= 30
    assert {sync.shard for sync in syncs} == {0}
    moments = [moment for sync in syncs for moment in (sync.began_ns, sync.ended_ns)]
    assert moments == sorted(moments)


@pytest.mark.parametrize("order", [KILL_BEFORE_SYNC, KILL_AFTER_SYNC])
def test_a_worker_dies_at_the_sync_that_was_ordered(tmp_path, shadow, order):
    """A process ends before or after the fdatasync that was ordered; only after it does a cut keep that commit."""
    path = Orders(tmp_path / "orders").give(0, order, after=10)
    told = write_rows(tmp_path)
    shadow.cut(tmp_path)

    kept = rows_of(tmp_path)
    assert not path.exists()
    assert 0 < len(told) < 30
    assert len(kept) == len(told) + (order == KILL_AFTER_SYNC)


def test_the_disk_is_full_while_the_order_stands(tmp_path, shadow):
    """Under the order that the disk is full SQLite says so, and what was committed before is kept."""
    write_rows(tmp_path, count=3)
    orders = Orders(tmp_path / "orders")
    orders.give(0, "full")
    assert write_rows(tmp_path) == ["database or disk is full"]

    orders.take_back(0, "full")
    assert write_rows(tmp_path, count=1) == ["3"]


def test_the_clock_is_moved_and_moved_back(tmp_path):
    """The order for the clock is 0 until somebody moves it, and the last one counts."""
    orders = Orders(tmp_path / "orders")

    assert orders.clock_ahead_ms() == 0
    orders.set_clock(-5)
    assert orders.clock_ahead_ms() == -5
    assert [path.name for path in (tmp_path / "orders").iterdir()] == ["clock-ms"]

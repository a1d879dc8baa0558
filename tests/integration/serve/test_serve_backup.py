"""Backups from the command line: what people are told, and with which exit code."""

import json
import signal
import subprocess
import sys

import pytest

# `caxton`, which waits before the end of a backup, and says that it does.
WAITS = """
import asyncio
from caxton.cli.main import main
from caxton.client.calls.backup_calls import _Taking

async def wait(_taking):
    print("copied", flush=True)
    await asyncio.Event().wait()

_Taking._end_at_once = wait
main()
"""
# `caxton`, which is interrupted when there is nothing left to do.
LATE = """
from contextlib import contextmanager
from caxton.cli.commands import backup, restore
from caxton.cli.main import main

def late(begin):
    @contextmanager
    def interrupted(*about, **options):
        with begin(*about, **options) as tell:
            yield tell
        raise KeyboardInterrupt
    return interrupted

backup.bytes_of = late(backup.bytes_of)
restore.bytes_done = late(restore.bytes_done)
main()
"""
PRESENT = {"audit.db", "identity", "manifest.json", "modules", "shard-0.db", "shard-1.db"}


@pytest.fixture
def ready(serve):
    served = serve(workers=2)
    served.event("ready")
    return served


def names(directory):
    return {path.name for path in directory.iterdir()}


def test_a_backup_is_taken_verified_and_restored(ready, caxton, place, serve):
    """What people do: back up a runtime that serves, look through it, serve what was restored."""
    at = place / "backup"
    taken = caxton("backup", at, "--runtime-dir", ready.runtime_dir)
    verified = caxton("backup", "verify", at, "-o", "json")
    restored = caxton("restore", at, "--data-dir", place / "new")
    serve(runtime_dir=place / "other", data_dir=place / "new", workers=None).event("ready")
    again = caxton("restore", at, "--data-dir", place / "new")

    assert taken.code == 0, taken.err
    assert "2 shards, 4 files" in taken.out
    assert names(at) == PRESENT
    assert verified.json["durable"]["balanced"] is True
    assert restored.code == 0, restored.err
    assert f"caxton serve --data-dir {place / 'new'}" in restored.out
    assert (again.code, again.err.count("\n"), "in use" in again.err) == (1, 1, True)


def test_a_backup_of_nobody_is_none(caxton, place):
    """Without a runtime it ends with 3, without a directory with 2, and what is no backup is refused by name with 1."""
    nobody = caxton("backup", place / "b", "--runtime-dir", place / "nobody")
    unnamed = caxton("backup", "--runtime-dir", place / "nobody")
    none = caxton("backup", "verify", place, "-o", "json")

    assert (nobody.code, unnamed.code, none.code) == (3, 2, 1)
    assert "no manifest.json" in json.loads(none.err)["message"]
    assert names(place) == set()


def test_ctrl_c_leaves_nothing(ready, place):
    """A backup that is interrupted says so in a line, with 1, and what was copied is removed."""
    taking = subprocess.Popen(
        [sys.executable, "-P", "-c", WAITS, "backup", place / "backup", "--runtime-dir", ready.runtime_dir],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert taking.stdout.readline() == "copied\n", taking.communicate()
    there = names(place / "backup")
    taking.send_signal(signal.SIGINT)
    _, told = taking.communicate()

    assert there == {"audit.db", "manifest.json.new", "shard-0.db", "shard-1.db"}
    assert (taking.returncode, told) == (1, f"caxton: interrupted: no backup was taken into {place / 'backup'}\n")
    assert not (place / "backup").exists()


def test_ctrl_c_after_the_end_takes_nothing_back(ready, place):
    """What is whole by then is told of as it is."""
    for words, says in (
        (("backup", place / "backup", "--runtime-dir", ready.runtime_dir), "2 shards, 4 files"),
        (("restore", place / "backup", "--data-dir", place / "new"), "serve it with"),
    ):
        done = subprocess.run([sys.executable, "-P", "-c", LATE, *words], check=False, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert says in done.stdout

import os
import subprocess
import sys

import pytest

from caxton.errors import ConfigurationError
from caxton.store.directory_lock import LOCK_NAME, DirectoryLock, holder

HOLD = """
import sys
from pathlib import Path
from caxton.store.directory_lock import DirectoryLock
lock = DirectoryLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock of `tmp_path`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_lock_that_another_process_holds_is_refused_with_its_pid(tmp_path, other):
    """Whoever comes second is refused and told the holder's pid, and can ask for it."""
    with pytest.raises(ConfigurationError, match=f"in use by process {other.pid}"):
        DirectoryLock(tmp_path)

    assert holder(tmp_path) == other.pid


def test_the_lock_of_a_killed_process_is_free(tmp_path, other):
    """After `kill -9` of the holder the lock is free, although its file still names it."""
    other.kill()
    other.wait()

    assert (tmp_path / LOCK_NAME).read_text() == f"{other.pid}\n"
    assert holder(tmp_path) is None
    lock = DirectoryLock(tmp_path)
    assert holder(tmp_path) == os.getpid()
    lock.close()


def test_closing_lets_go_and_twice_is_fine(tmp_path):
    """A closed lock is free again."""
    lock = DirectoryLock(tmp_path)
    lock.close()
    lock.close()

    assert holder(tmp_path) is None
    DirectoryLock(tmp_path).close()


def test_who_only_asks_disturbs_nobody(tmp_path):
    """A directory that is not there, or has no lock, has no holder, and asking makes no file."""
    assert holder(tmp_path / "nothing") is None
    assert holder(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_without_a_pid_is_held_by_somebody(tmp_path):
    """A holder that has not written its pid yet counts as process 0, and not as nobody."""
    lock = DirectoryLock(tmp_path)
    (tmp_path / LOCK_NAME).write_text("")

    assert holder(tmp_path) == 0
    lock.close()

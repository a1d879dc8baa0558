import errno
import fcntl
import os
import resource
import stat
import subprocess
import sys

import pytest

from caxton.errors import ConfigurationError
from caxton.store.directory_lock import LOCK_NAME, DirectoryLock, holder, still_holds

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

    assert holder(tmp_path).pid == other.pid


def test_the_lock_of_a_killed_process_is_free(tmp_path, other):
    """After `kill -9` of the holder the lock is free, although its file still names it."""
    other.kill()
    other.wait()

    assert (tmp_path / LOCK_NAME).read_text().startswith(f"{other.pid}\n")
    assert holder(tmp_path) is None
    lock = DirectoryLock(tmp_path)
    assert holder(tmp_path) == (os.getpid(), lock.run)
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

    assert holder(tmp_path) == (0, "")
    lock.close()


def test_two_lives_of_one_pid_are_told_apart(tmp_path):
    """Every life has a word of its own, whatever its pid: in a container every supervisor is process 1."""
    runs = []
    for _ in range(2):
        lock = DirectoryLock(tmp_path)
        runs.append(holder(tmp_path))
        lock.close()

    assert runs[0].pid == runs[1].pid
    assert runs[0].run != runs[1].run
    lock = DirectoryLock(tmp_path)
    assert not still_holds(runs[0], tmp_path)
    lock.close()


def test_a_lock_whose_file_is_gone_is_held(tmp_path, other):
    """When somebody tidied the file away, the directory is still held, and nobody else gets in."""
    before = holder(tmp_path)
    (tmp_path / LOCK_NAME).unlink()

    assert holder(tmp_path) == (0, "")
    assert still_holds(before, tmp_path)
    with pytest.raises(ConfigurationError, match="in use"):
        DirectoryLock(tmp_path)


def test_nobody_is_taken_for_gone_for_want_of_a_descriptor(tmp_path, other):
    """A process that may open no more files cannot look, and does not lose its runtime for it."""
    before = holder(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        found = still_holds(before, tmp_path), still_holds(None, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert found == (True, False)


def test_a_file_that_is_gone_is_put_back(tmp_path):
    """The holder puts its file back, and the lock with it; one that is there stays."""
    lock = DirectoryLock(tmp_path)
    before = holder(tmp_path)
    (tmp_path / LOCK_NAME).unlink()

    lock.restore()
    there = (tmp_path / LOCK_NAME).stat().st_ino
    lock.restore()
    assert (tmp_path / LOCK_NAME).stat().st_ino == there
    assert holder(tmp_path) == before
    lock.close()
    assert holder(tmp_path) is None


def test_a_directory_that_was_replaced_is_noticed(tmp_path):
    """A holder knows whether its directory is still the one of that name."""
    directory = tmp_path / "run"
    directory.mkdir()
    lock = DirectoryLock(directory)
    assert lock.is_in_place
    directory.rename(tmp_path / "moved")
    assert not lock.is_in_place
    directory.mkdir()

    assert not lock.is_in_place
    lock.close()


def test_what_is_no_file_is_named(tmp_path):
    """Where a FIFO stands in the place of the lock's file, that is told, and nobody waits for it."""
    os.mkfifo(tmp_path / LOCK_NAME)

    with pytest.raises(ConfigurationError, match=f"{tmp_path / LOCK_NAME}: not a regular file; move it away"):
        DirectoryLock(tmp_path)
    assert holder(tmp_path) is None


def test_where_directories_cannot_be_locked_the_file_decides(tmp_path, monkeypatch):
    """On a file system that locks files only, one process still has the directory to itself, and others know whose."""
    flock = fcntl.flock

    def files_only(descriptor, kind):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EBADF, "Bad file descriptor")
        flock(descriptor, kind)

    monkeypatch.setattr(fcntl, "flock", files_only)
    lock = DirectoryLock(tmp_path)

    assert holder(tmp_path) == (os.getpid(), lock.run)
    with pytest.raises(ConfigurationError, match=f"in use by process {os.getpid()}"):
        DirectoryLock(tmp_path)
    lock.close()
    assert holder(tmp_path) is None


def test_who_holds_what_cannot_be_looked_at_is_a_typed_error(tmp_path):
    """A directory that cannot be opened, for its name or for its rights, is an error that names it."""
    with pytest.raises(ConfigurationError) as caught:
        holder(tmp_path / ("d" * 300))
    assert caught.value.problem == "File name too long"


@pytest.mark.parametrize(("make", "what"), [("symlink_to", "a symbolic link"), ("hardlink_to", "a hard link")])
def test_the_lock_is_written_into_no_other_file(tmp_path, make, what):
    """A link in the place of the lock's file is refused by name, and what it leads to keeps what is in it."""
    precious = tmp_path / "precious"
    precious.write_text("somebody's")
    directory = tmp_path / "run"
    directory.mkdir()
    getattr(directory / LOCK_NAME, make)(precious)

    with pytest.raises(ConfigurationError, match=what):
        DirectoryLock(directory)
    assert precious.read_text() == "somebody's"


def test_a_link_to_a_directory_is_not_locked(tmp_path):
    """A directory is locked by its own name, and not through a link that may lead elsewhere by tomorrow."""
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "run")
    with pytest.raises(OSError, match="link"):
        DirectoryLock(tmp_path / "link")
    assert holder(tmp_path / "run") is None

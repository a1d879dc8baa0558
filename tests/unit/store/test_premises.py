"""Where a shard's file cannot be served, and what is said of it."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from caxton.errors import StorageError
from caxton.store.premises import check_premises

OPEN = """
import os, sys
from pathlib import Path
from caxton.errors import StorageError
from caxton.store.premises import check_premises

if os.geteuid() == 0:  # root may do everything: become somebody else, now that everything is imported
    os.setgroups([])
    os.setresgid(*[int(sys.argv[2])] * 3)
    os.setresuid(*[int(sys.argv[2])] * 3)
try:
    check_premises(Path(sys.argv[1]))
except StorageError as error:
    print(error)
else:
    print("fine")
"""
NOBODY = 65_534


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shard-0.db"


def test_an_empty_directory_gets_an_empty_file(path):
    """The file is made for its user alone, and looking again changes nothing."""
    for _ in range(2):
        check_premises(path)
        assert path.stat().st_size == 0
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["shard-0.db", "shard-0.db-wal", "shard-0.db-journal", "shard-0.db-shm"])
def test_what_is_no_regular_file_is_refused(tmp_path, path, name):
    """A directory or a link in place of the file or its log is named."""
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match=rf"{name}: not a regular file"):
        check_premises(path)
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    with pytest.raises(StorageError, match=rf"{name}: not a regular file"):
        check_premises(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("name", ["shard-0.db", "shard-0.db-wal"])
def test_a_file_of_another_user_is_refused(tmp_path, path, name):
    """The error names both users."""
    check_premises(path)
    (tmp_path / name).touch()
    os.chown(tmp_path / name, NOBODY, NOBODY)
    with pytest.raises(StorageError, match=rf"{name}: belongs to user {NOBODY}; serve as that user"):
        check_premises(path)


def as_nobody(path):
    """What a process without root's rights is told."""
    command = [sys.executable, "-P", "-c", OPEN, str(path), str(NOBODY)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def public():
    """A directory that a user without rights reaches and owns."""
    directory = Path(tempfile.mkdtemp(prefix="caxton-premises-"))
    if os.geteuid() == 0:
        os.chown(directory, NOBODY, NOBODY)
    yield directory
    directory.chmod(0o700)
    shutil.rmtree(directory)


def test_a_directory_that_cannot_be_written_is_told(public):
    """A file in it would have no log."""
    assert as_nobody(public / "shard-0.db") == "fine"
    public.chmod(0o500)
    assert as_nobody(public / "shard-0.db").startswith(f"{public}: the directory is not writable for user")


@pytest.mark.parametrize("mode", [0o400, 0o200, 0o000])
def test_a_file_that_cannot_be_read_or_written_is_told(public, mode):
    """It is named."""
    assert as_nobody(public / "shard-0.db") == "fine"
    (public / "shard-0.db").chmod(mode)
    assert as_nobody(public / "shard-0.db").startswith(f"{public}/shard-0.db: not readable and writable for user")

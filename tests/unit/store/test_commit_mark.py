"""The mark beside a shard's file."""

import os

import pytest

from caxton.errors import StorageError
from caxton.store.commit_mark import CommitMark, Marked, mark_path, read_mark


@pytest.fixture
def path(tmp_path):
    return mark_path(tmp_path / "shard-3.db")


def test_a_mark_says_what_was_set_last(path):
    """At once, to whoever reads the file, and after it was closed and opened again."""
    mark = CommitMark.open(path, Marked(2**63 - 1, 5))
    assert read_mark(path) == (2**63 - 1, 5)
    mark.set(6)
    assert read_mark(path) == (2**63 - 1, 6)
    mark.close()
    mark.close()
    mark.set(7)
    assert read_mark(path) == (2**63 - 1, 6)
    CommitMark.open(path, Marked(9, 0)).close()
    assert read_mark(path) == (9, 0)
    assert path.name == "shard-3.mark"


@pytest.mark.parametrize("content", [b"", b"short", bytes(24), bytes(4096)])
def test_what_was_never_finished_is_no_mark(path, content):
    """A power cut may leave a file without its content."""
    path.write_bytes(content)
    assert read_mark(path) is None


def test_a_mark_of_a_later_version_is_refused_by_name(path):
    """What it says is not known, so it is never taken for none."""
    path.write_bytes(b"caxmark\2" + bytes(16))
    with pytest.raises(StorageError, match="a mark of version 2, and this release reads up to 1"):
        read_mark(path)


def test_no_file_is_no_mark(path):
    """A shard of an earlier release has none."""
    assert read_mark(path) is None


def test_a_mark_that_cannot_be_used_is_told(path):
    """A directory or a link in its place is a StorageError that names it."""
    path.mkdir()
    with pytest.raises(StorageError, match=r"shard-3\.mark: not a regular file; move it away"):
        read_mark(path)
    with pytest.raises(StorageError, match=r"shard-3\.mark: the mark cannot be made"):
        CommitMark.open(path, Marked(1, 0))
    path.rmdir()
    path.symlink_to(path.with_name("elsewhere"))
    with pytest.raises(StorageError, match="the mark cannot be made"):
        CommitMark.open(path, Marked(1, 0))
    assert list(path.parent.iterdir()) == [path]


def test_a_fifo_in_its_place_is_not_waited_for(path):
    """Nobody will ever write into it; it is to be moved away."""
    os.mkfifo(path)
    with pytest.raises(StorageError, match=r"shard-3\.mark: not a regular file; move it away"):
        read_mark(path)

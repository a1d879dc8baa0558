import os
import stat

import msgspec
import pytest

from caxton.errors import ConfigurationError, StorageError
from caxton.store import token_file
from caxton.store.token_file import FILE_NAME, encoded_size, mark_of, read_tokens, write_tokens
from caxton.tokens.role import Role
from caxton.tokens.token import Token

ONE = Token("1f" * 8, "ci", Role.VIEWER, ("*",), bytes(32), 5)
OTHER = Token("2f" * 8, "café", Role.ADMIN, ("a*", "b"), bytes(range(32)), 6, 7, 8)


@pytest.fixture
def path(tmp_path):
    return tmp_path / FILE_NAME


def test_what_was_written_is_read(path):
    """In its order, with the mark of the file that it was read from; and without a file there is no token."""
    assert read_tokens(path) == ((), None)
    assert mark_of(path) is None
    write_tokens(path, (ONE, OTHER))
    assert read_tokens(path) == ((ONE, OTHER), mark_of(path))
    assert encoded_size((ONE, OTHER)) == path.stat().st_size


def test_the_file_is_its_owners_alone(path):
    """Whatever the umask says, and whatever stood there under its new name."""
    path.with_name(f"{FILE_NAME}.new").symlink_to(path.with_name("elsewhere"))
    before = os.umask(0)
    try:
        write_tokens(path, (ONE,))
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == [FILE_NAME]


def test_two_files_never_have_the_same_mark(path, monkeypatch):
    """Also where the clock stands still, or goes back: then the time that is written goes on all the same."""
    monkeypatch.setattr(token_file.time, "time_ns", lambda: 1_000)
    written = []
    for _ in range(5):
        write_tokens(path, (ONE,))
        written.append(mark_of(path).written_ns)

    assert written == sorted(set(written))


@pytest.mark.parametrize("kind", ["link", "FIFO", "directory"])
def test_what_is_no_regular_file_is_refused(path, kind):
    """It is not followed, waited for, or taken for no tokens."""
    if kind == "link":
        write_tokens(path.with_name("other"), (ONE,))
        path.symlink_to(path.with_name("other"))
    elif kind == "FIFO":
        os.mkfifo(path)
    else:
        path.mkdir()

    with pytest.raises(StorageError, match="not a regular file"):
        read_tokens(path)


@pytest.mark.parametrize("at", [0, 14, 40, -1])
def test_damage_is_told(path, at):
    """Wherever a byte has changed, and wherever the file ends: it is never another list of tokens, or none."""
    write_tokens(path, (ONE, OTHER))
    whole = path.read_bytes()
    for raw in (whole[:at] + bytes([whole[at] ^ 1]) + whole[at:][1:], whole[:at]):
        path.write_bytes(raw)
        with pytest.raises(StorageError, match=r"not a file of tokens|checksum"):
            read_tokens(path)


def test_a_later_version_is_told_by_its_name(path):
    """It is no damage, and nothing is read of it."""
    write_tokens(path, (ONE,))
    raw = bytearray(path.read_bytes())
    raw[8] = 2
    path.write_bytes(raw)
    with pytest.raises(ConfigurationError, match="format 2"):
        read_tokens(path)


def test_what_a_later_release_appends_is_passed_over(path, monkeypatch):
    """A field more at the end of a token is no damage."""
    more = tuple([*msgspec.to_builtins(token, builtin_types=(bytes,)), "more"] for token in (ONE, OTHER))
    write_tokens(path, more)
    assert read_tokens(path).tokens == (ONE, OTHER)


def test_a_file_beyond_its_bound_is_refused(path, monkeypatch):
    """However much stands there, nothing of it is read."""
    write_tokens(path, (ONE, OTHER))
    monkeypatch.setattr(token_file, "MOST_FILE_BYTES", path.stat().st_size)
    assert read_tokens(path).tokens == (ONE, OTHER)
    monkeypatch.setattr(token_file, "MOST_FILE_BYTES", path.stat().st_size - 1)
    with pytest.raises(StorageError, match="no file of tokens has more than"):
        read_tokens(path)


def test_what_cannot_be_written_leaves_what_was_there(path):
    """The error names the file; the tokens are those of before."""
    write_tokens(path, (ONE,))
    path.with_name(f"{FILE_NAME}.new").mkdir()
    with pytest.raises(StorageError, match="directory"):
        write_tokens(path, (OTHER,))
    assert read_tokens(path).tokens == (ONE,)

import os

import pytest

from caxton.acl.envelope import MAX_PRINCIPAL
from caxton.store.claims import read_claim, write_claim


@pytest.mark.parametrize("principal", ["alice", "\U0001f600" * MAX_PRINCIPAL], ids=["short", "longest"])
def test_a_claim_comes_back(tmp_path, principal):
    """A principal of any length that it may have is read as it was written, by its owner alone."""
    path = tmp_path / "s.principal"
    write_claim(path, principal)
    assert read_claim(path) == principal
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_claim_is_written_once(tmp_path):
    """What is there already is somebody else's, and is not followed."""
    path, target = tmp_path / "s.principal", tmp_path / "target"
    path.symlink_to(target)
    with pytest.raises(FileExistsError):
        write_claim(path, "alice")
    assert not target.exists()


@pytest.mark.parametrize("what", ["nothing", "directory", "fifo", "link", "bytes"])
def test_what_cannot_be_read_claims_nothing(tmp_path, what):
    """No file, no regular file, or no text."""
    path = tmp_path / "s.principal"
    if what == "directory":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "link":
        (tmp_path / "other").write_text("alice")
        path.symlink_to(tmp_path / "other")
    elif what == "bytes":
        path.write_bytes(b"\xff")
    assert read_claim(path) == ""

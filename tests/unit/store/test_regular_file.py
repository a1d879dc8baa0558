import os
import socket
from pathlib import Path

import pytest

from caxton.store.regular_file import NotRegularFileError, opened


def test_a_regular_file_is_open_for_the_block(tmp_path):
    """It is read by its descriptor, which is closed afterwards."""
    path = tmp_path / "file"
    path.write_bytes(b"content")
    with opened(path) as descriptor:
        assert os.read(descriptor, 100) == b"content"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.read(descriptor, 100)


@pytest.mark.parametrize("kind", ["directory", "FIFO", "link", "socket", "device"])
def test_anything_else_is_refused_without_waiting(tmp_path, monkeypatch, kind):
    """Nothing that stands in the place of a file holds up whoever opens it."""
    path = tmp_path / "other"
    if kind == "directory":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(tmp_path)
    elif kind == "socket":
        monkeypatch.chdir(tmp_path)  # the path of a socket holds 107 bytes
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path.name)
    else:
        path = Path("/dev/zero")
    with pytest.raises(NotRegularFileError, match="not a regular file"), opened(path):
        pass
